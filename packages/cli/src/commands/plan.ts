import {
  compareDecisions,
  decisionChange,
  EMITTED_TOOLS,
  emit,
  renderComparison,
  renderDecision,
} from '@vfiokit/binder';
import { namedDevices, openBinding, readIndex } from '../binding/machine.js';
import { planOptions, SELECTION_ARGS } from '../binding/plan-options.js';
import { command, EXIT_NO, EXIT_OK, JSON_OPTION, UsageError } from '../command.js';

/** Decides which driver devices should get, and explains it. Writes nothing. */
export const plan = command({
  name: 'plan',
  summary: 'decide which driver a device should get, and why; writes nothing',
  examples: [
    '--machine x86-laptop plan 0000:00:02.0',
    '--machine x86-server plan 0000:65:00.0 --group --emit libvirt',
    'plan 0000:17:00.2 --compare',
    'plan 0000:17:00.2 --kernel old/modules.alias --kernel new/modules.alias',
  ],
  args: {
    device: { type: 'positional', required: true, description: 'Addresses, such as 0000:00:02.0' },
    ...SELECTION_ARGS,
    compare: { type: 'boolean', description: 'Lay all policies side by side' },
    kernel: {
      type: 'string',
      description: 'Twice: two module indexes; tells how the decision changes',
      valueHint: 'FILE',
    },
    emit: {
      type: 'string',
      description: 'Print for another tool: libvirt, driverctl, cdi, kubevirt',
      valueHint: 'TOOL',
    },
    json: JSON_OPTION,
  },
  variadic: true,
  async run({ args, raw, machine, io }) {
    const kernels = valuesOf(raw, '--kernel');
    if (kernels.length !== 0 && kernels.length !== 2)
      throw new UsageError('--kernel: say it twice, with the old index and the new one');
    refuseTogether(args, OUTPUTS);
    refuseTogether(args, INDEXES);
    const { emit: tool } = args;
    if (tool !== undefined && !EMITTED_TOOLS.includes(tool))
      throw new UsageError(`--emit ${tool}: no such tool; there is ${EMITTED_TOOLS.join(', ')}`);
    const options = planOptions(args);
    const opened = await openBinding(machine, args.aliases);
    const { planner, input } = opened;
    const devices = [...new Set(namedDevices(opened, args._))];
    if (kernels.length > 0) {
      const [before, after] = kernels.map((path) =>
        devices.map((device) =>
          planner.plan(device, { ...input, index: readIndex(path) }, options),
        ),
      );
      const changes = devices.map((_, index) => decisionChange(before![index]!, after![index]!));
      if (args.json) io.json({ before, after, changes });
      else
        for (const [index, change] of changes.entries())
          io.print(change ?? `${devices[index]}: no change`);
      return EXIT_OK;
    }
    if (args.compare) {
      const compared = devices.map((device) => ({
        device,
        policies: compareDecisions(
          planner.policies.map(({ name }) =>
            planner.plan(device, input, { ...options, policy: name }),
          ),
        ),
      }));
      if (args.json) io.json(compared);
      else
        for (const { device, policies } of compared)
          io.print(renderComparison(device, policies, io.columns).trimEnd());
      return EXIT_OK;
    }
    const decisions = devices.map((device) => planner.plan(device, input, options));
    if (tool !== undefined) io.print(emit(tool, decisions).trimEnd());
    else if (args.json) io.json(decisions.length === 1 ? decisions[0] : decisions);
    else
      io.print(
        decisions
          .map((one) => renderDecision(one, io.columns))
          .join('\n')
          .trimEnd(),
      );
    const refused = decisions.filter(({ outcome }) => outcome === 'refused');
    // A document is for a program; whoever started that sees why the status is not 0.
    if (tool !== undefined || args.json) for (const { refusal } of refused) io.warn(refusal!);
    return refused.length > 0 ? EXIT_NO : EXIT_OK;
  },
});

/** Options each of which prints something else. */
const OUTPUTS = ['emit', 'compare', 'kernel'] as const;
/** Options each of which names other module indexes. */
const INDEXES = ['aliases', 'kernel'] as const;

function refuseTogether(args: Readonly<Record<string, unknown>>, options: readonly string[]): void {
  const given = options.filter((option) => args[option] !== undefined && args[option] !== false);
  if (given.length > 1)
    throw new UsageError(`plan: --${given.join(' and --')} exclude each other; say one of them`);
}

/** Every value of an option that may be said more than once. */
function valuesOf(raw: readonly string[], option: string): readonly string[] {
  return raw.flatMap((word, index) => {
    if (word.startsWith(`${option}=`)) return [word.slice(option.length + 1)];
    return word === option ? raw.slice(index + 1, index + 2) : [];
  });
}
