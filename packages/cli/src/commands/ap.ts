import { existsSync } from 'node:fs';
import {
  type ApDesign,
  drawAscii,
  drawSvg,
  isShippedScenario,
  layOut,
  lifeCycleDocument,
  observe,
  parseScenario,
  playLifeCycle,
  type ReportStyle,
  registerAp,
  reportComparison,
  reportRun,
  reportStep,
  runDocument,
  ScenarioPlayer,
  type ScenarioRun,
  SHIPPED_SCENARIOS,
  STEP_KINDS,
  shippedScenario,
  withStep,
  worldDiagram,
} from '@vfiokit/ap';
import { writeWhole } from '@vfiokit/host';
import { VfioError } from '@vfiokit/uapi';
import { container } from 'tsyringe';
import { command, EXIT_NO, EXIT_OK, JSON_OPTION, UsageError } from '../command.js';
import type { Io } from '../io.js';
import { readNamedFile } from '../named-file.js';
import { table } from '../output.js';

const DEMO = 's390x-lpar';

/** What can stand behind `ap`, besides the verbs of scenarios. */
const ACTIONS = ['show', 'run', 'life-cycle', 'demo', 'list'] as const;

/** s390 crypto adapters for guests: scenarios, pictures, and single steps. */
export const ap = command({
  name: 'ap',
  summary: 's390 AP passthrough: masks, matrices, guests and events, in both designs',
  ownMachines: true,
  examples: [
    'ap demo',
    'ap run veto --compare',
    'ap run my-scenario.yaml --design matrix-bus-forced',
    'ap show s390x-lpar --svg picture.svg',
    'ap life-cycle --design vfio-ap',
    'ap list',
    'ap apmask --session lab.yaml -- -5,-6',
    'ap create m1 --session lab.yaml',
    'ap assign matrix=m1 adapters=5,6 domains=4 --session lab.yaml',
    'ap start guest=g1 matrix=m1 boot=yes --session lab.yaml',
  ],
  args: {
    what: {
      type: 'positional',
      required: true,
      description: 'show, run, life-cycle, demo, list, or a step such as create',
    },
    words: {
      type: 'positional',
      required: false,
      description: 'A scenario (its name or a file), or the step’s value or KEY=VALUE words',
    },
    design: { type: 'string', description: 'vfio-ap, matrix-bus-strict or matrix-bus-forced' },
    compare: {
      type: 'boolean',
      description: 'Play it on every design and lay results side by side',
    },
    session: {
      type: 'string',
      description: 'A scenario file that steps are added to; played from its beginning each time',
    },
    svg: { type: 'string', description: 'Write the picture as SVG to this file' },
    json: JSON_OPTION,
  },
  variadic: true,
  async run({ args, io }) {
    const own = container.createChildContainer();
    registerAp(own);
    const player = own.resolve(ScenarioPlayer);
    const [what = '', ...words] = args._;
    refuseStrange(what, words, args);
    const call: Call = {
      io,
      player,
      words,
      design: player.design(args.design),
      allDesigns: args.design === undefined ? player.designs : [player.design(args.design)],
      compare: args.compare === true,
      json: args.json === true,
      session: args.session,
      svg: args.svg,
    };
    switch (what) {
      case 'show':
        return show(call);
      case 'run':
        return runScenarios(call);
      case 'life-cycle':
        return lifeCycle(call);
      case 'demo':
        return demo(call);
      case 'list':
        return list(call);
      default:
        return step(call, what);
    }
  },
});

/** What an action takes besides `--json` and `--design`. A step takes words, and a session. */
const TAKEN: Readonly<Record<(typeof ACTIONS)[number], readonly string[]>> = {
  show: ['words', 'session', 'svg'],
  run: ['words', 'compare'],
  'life-cycle': [],
  demo: [],
  list: [],
};

function refuseStrange(
  what: string,
  words: readonly string[],
  args: Readonly<Record<string, unknown>>,
): void {
  const action = ACTIONS.find((one) => one === what);
  const taken = action === undefined ? ['words', 'session'] : TAKEN[action];
  const option = ['session', 'svg', 'compare'].find(
    (name) => args[name] !== undefined && args[name] !== false && !taken.includes(name),
  );
  if (option !== undefined)
    throw new UsageError(`ap ${what}: takes no --${option}; vfiokit ap --help shows what does`);
  if (words[0] !== undefined && !taken.includes('words'))
    throw new UsageError(`ap ${what}: one argument too many: ${words[0]}`);
}

/** A call of the command, taken apart. */
interface Call {
  readonly io: Io;
  readonly player: ScenarioPlayer;
  readonly words: readonly string[];
  readonly design: ApDesign;
  readonly allDesigns: readonly ApDesign[];
  readonly compare: boolean;
  readonly json: boolean;
  readonly session: string | undefined;
  readonly svg: string | undefined;
}

function style({ colors }: Io): ReportStyle {
  return { bold: colors.bold, dim: colors.dim, good: colors.green, bad: colors.red };
}

/** The text of a scenario, by the name of a shipped one or as a file. */
function load(name: string): string {
  if (isShippedScenario(name)) return shippedScenario(name);
  if (!existsSync(name))
    throw new VfioError(
      'ENOENT',
      `${name}: no such file, and no shipped scenario; vfiokit ap list names those`,
    );
  return readNamedFile(name).toString();
}

async function play({ player, design }: Call, name: string): Promise<ScenarioRun> {
  return player.play(parseScenario(load(name), name), design);
}

async function show(call: Call): Promise<number> {
  const { io, words, session, svg, json } = call;
  const name = words[0] ?? session ?? DEMO;
  const run = await play(call, name);
  const layout = layOut(worldDiagram(run.world));
  if (svg !== undefined)
    await writeWhole(svg, drawSvg(layout, `${run.scenario.title} (${run.design.name})`));
  if (json) {
    const { queues, matrices, guests } = observe(run.world);
    io.json({
      design: run.design.name,
      queues: [...queues.values()],
      matrices: [...matrices].map(([id, { assigned, passed, guest }]) => ({
        id,
        assigned: {
          adapters: assigned.apm.ids,
          domains: assigned.aqm.ids,
          controlDomains: assigned.adm.ids,
        },
        passed: {
          adapters: passed.apm.ids,
          domains: passed.aqm.ids,
          controlDomains: passed.adm.ids,
        },
        guest: guest ?? null,
      })),
      guests: [...guests].map(([guest, state]) => ({ guest, ...state })),
    });
  } else if (svg === undefined) {
    for (const line of drawAscii(layout).trimEnd().split('\n')) io.print(line);
  } else io.warn(`${svg}: written`);
  return EXIT_OK;
}

async function runScenarios(call: Call): Promise<number> {
  const { io, player, words, compare, json } = call;
  if (words.length === 0)
    throw new UsageError('ap run: needs a scenario; vfiokit ap list names those that ship');
  let passed = true;
  const documents: unknown[] = [];
  for (const [n, name] of words.entries()) {
    const scenario = parseScenario(load(name), name);
    const runs = compare
      ? await player.compare(scenario)
      : [await player.play(scenario, call.design)];
    passed &&= runs.every((run) => run.passed);
    documents.push(...runs.map(runDocument));
    if (json) continue;
    if (n > 0) io.print();
    const lines = compare ? reportComparison(runs, style(io)) : reportRun(runs[0]!, style(io));
    for (const line of lines) io.print(line);
  }
  if (json) io.json({ passed, runs: documents });
  return passed ? EXIT_OK : EXIT_NO;
}

async function lifeCycle({ io, allDesigns, json }: Call): Promise<number> {
  if (json) {
    const designs: Record<string, unknown> = {};
    for (const design of allDesigns) designs[design.name] = await playLifeCycle(design);
    io.json(designs);
  } else io.print((await lifeCycleDocument(allDesigns)).trimEnd());
  return EXIT_OK;
}

/** The scene of the s390x machine, then the dispute, told in full. */
async function demo(call: Call): Promise<number> {
  const { io, player } = call;
  const scene = await play(call, DEMO);
  const veto = await player.compare(parseScenario(shippedScenario('veto'), 'veto'));
  if (call.json) {
    io.json({ scene: runDocument(scene), comparison: veto.map(runDocument) });
    return EXIT_OK;
  }
  for (const line of reportRun(scene, style(io))) io.print(line);
  io.print();
  io.print(io.colors.bold('How it hangs together now'));
  for (const line of drawAscii(layOut(worldDiagram(scene.world)))
    .trimEnd()
    .split('\n'))
    io.print(line);
  io.print();
  for (const line of reportComparison(veto, style(io))) io.print(line);
  return scene.passed && veto.every((run) => run.passed) ? EXIT_OK : EXIT_NO;
}

function list({ io, player, json }: Call): number {
  if (json) {
    io.json({
      scenarios: SHIPPED_SCENARIOS,
      designs: Object.fromEntries(player.designs.map(({ name, title }) => [name, title])),
      steps: Object.fromEntries(
        Object.entries(STEP_KINDS).map(([verb, { actor }]) => [verb, actor]),
      ),
    });
    return EXIT_OK;
  }
  const { bold } = io.colors;
  const section = (title: string, rows: readonly (readonly string[])[]): void => {
    io.print(bold(title));
    for (const line of table(rows, { indent: '  ' })) io.print(line);
  };
  section('scenarios', Object.entries(SHIPPED_SCENARIOS));
  section(
    'designs',
    player.designs.map(({ name, title }) => [name, title]),
  );
  const kinds = Object.entries(STEP_KINDS);
  const actors = new Set(kinds.map(([, { actor }]) => actor));
  section(
    'steps',
    [...actors].map((who) => [
      who,
      kinds
        .filter(([, { actor }]) => actor === who)
        .map(([verb]) => verb)
        .join(' '),
    ]),
  );
  return EXIT_OK;
}

/** One step on a session: what came before is played again, the step is tried, and kept unless it was refused. */
async function step(call: Call, verb: string): Promise<number> {
  const { io, player, design, words, session, json } = call;
  if (!Object.hasOwn(STEP_KINDS, verb) && verb !== 'ipl')
    throw new UsageError(
      `ap ${verb}: no such thing; there are ${ACTIONS.join(', ')}, and the steps that vfiokit ap list names`,
    );
  const before = session === undefined ? undefined : readSession(session);
  const source = withStep(before, verb, words);
  const run = await player.play(parseScenario(source, session ?? 'session'), design);
  const result = run.results.at(-1)!;
  const refused = /^E[A-Z]+$/.test(result.outcome);
  if (session !== undefined && !refused) await writeWhole(session, source);
  if (json) io.json(runDocument(run).steps.at(-1));
  else for (const line of reportStep(result, run.results.length, style(io))) io.print(line);
  return refused || result.violations.length > 0 ? EXIT_NO : EXIT_OK;
}

/** A session begins with its first step. */
function readSession(file: string): string | undefined {
  return existsSync(file) ? readNamedFile(file).toString() : undefined;
}
