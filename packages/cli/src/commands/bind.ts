import { renderDecision, type Target } from '@vfiokit/binder';
import {
  binderFor,
  interruptible,
  namedDevices,
  onBlocked,
  openBinding,
  openSimulation,
  refuseCapture,
  SIMULATE_OPTION,
} from '../binding/machine.js';
import { planOptions, SELECTION_ARGS } from '../binding/plan-options.js';
import { isFine, reportResults } from '../binding/report.js';
import { command, EXIT_NO, EXIT_OK, JSON_OPTION } from '../command.js';

/** Binds devices to the drivers that a plan gives them: all, or none. */
export const bind = command({
  name: 'bind',
  summary: 'bind devices to their VFIO drivers as one transaction, or leave everything as it was',
  examples: [
    '--machine x86-server bind 0000:65:00.0 --group --dry-run',
    'bind 0000:17:00.2 0000:17:00.3 --driver mlx5_vfio_pci',
  ],
  args: {
    device: { type: 'positional', required: true, description: 'Addresses, such as 0000:00:02.0' },
    ...SELECTION_ARGS,
    'dry-run': { type: 'boolean', description: 'Show what would be written, and write nothing' },
    simulate: SIMULATE_OPTION,
    'new-id': { type: 'boolean', description: 'On kernels without driver_override: bind by id' },
    leave: { type: 'boolean', description: 'Do not wait for a device that is in use' },
    json: JSON_OPTION,
  },
  variadic: true,
  async run({ args, machine, io }) {
    const opened = args.simulate
      ? await openSimulation(machine, args.aliases)
      : await openBinding(machine, args.aliases);
    const { planner, input } = opened;
    const options = planOptions(args);
    const decisions = [...new Set(namedDevices(opened, args._))].map((device) =>
      planner.plan(device, input, options),
    );
    const refused = decisions.filter(({ outcome }) => outcome === 'refused');
    if (args['dry-run'] || refused.length > 0) {
      if (args.json) io.json({ decisions, result: null });
      else
        io.print(
          decisions
            .map((one) => renderDecision(one, io.columns))
            .join('\n')
            .trimEnd(),
        );
      for (const { refusal } of refused) io.warn(refusal!);
      return refused.length > 0 ? EXIT_NO : EXIT_OK;
    }
    const targets = new Map<string, Target>(
      decisions.flatMap((one) => one.targets.map((target) => [target.device, target] as const)),
    );
    if (targets.size === 0) {
      if (args.json) io.json({ decisions, result: null });
      else
        for (const { request, rule } of decisions)
          io.print(`${request.device}: nothing to do: ${rule}`);
      return EXIT_OK;
    }
    refuseCapture(opened);
    // Whoever binds without a plan before should know as much as who reads one.
    for (const { request, warnings } of args.json ? [] : decisions)
      for (const text of warnings)
        io.warn(text.startsWith(request.device) ? text : `${request.device}: ${text}`);
    const binder = binderFor(opened, {
      newIdWithoutOverride: args['new-id'] ?? false,
      onBlocked: onBlocked(io, args.leave),
    });
    const result = await interruptible(opened, io, () => binder.bind([...targets.values()]));
    if (args.json) {
      io.json({ decisions, result });
      return isFine([result]) ? EXIT_OK : EXIT_NO;
    }
    for (const { device, driver, load } of targets.values())
      io.print(`${device} → ${driver ?? load}`);
    reportResults(io, [result], opened.machine);
    if (opened.sysfs.kind === 'model')
      io.print(`on a model of ${machine.name}, which ends with this command`);
    return isFine([result]) ? EXIT_OK : EXIT_NO;
  },
});
