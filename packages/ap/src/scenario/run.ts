import { VfioError } from '@vfiokit/uapi';
import type { Apqn } from '../arch/apqn.js';
import { formatApqn } from '../arch/apqn.js';
import type { ApDesign, ApWorld } from '../design/ap-design.js';
import { observe, violations, type WorldObservation } from '../design/observation.js';
import { compareObservations, type Effect, NOTHING_YET } from './effects.js';
import type { IplInput, Scenario, ScenarioStep } from './scenario.js';
import { NotInThisDesign } from './step-kind.js';
import { STEP_KINDS } from './step-kinds.js';

/** What came of a step. */
export interface StepResult {
  readonly step: ScenarioStep;
  /** Who did what. */
  readonly actor: string;
  readonly text: string;
  /**
   * `ok`, an errno's name, what the hardware answered, `waits` for one that blocks, `n/a` where the design has no such
   * thing.
   */
  readonly outcome: string;
  /** Why it was refused, and what the kernel's log says of it. */
  readonly messages: readonly string[];
  readonly effects: readonly Effect[];
  /** Queues with two users: what must never be, and is only where a design or an old kernel lets it happen. */
  readonly violations: readonly string[];
  /** What was expected and is otherwise. */
  readonly unmet: readonly string[];
}

/** A scenario that is played on one design. */
export class ScenarioRun {
  #world: ApWorld;
  #seen: WorldObservation;
  #zeroized = new Set<Apqn>();
  readonly #results: StepResult[] = [];

  constructor(
    readonly design: ApDesign,
    readonly scenario: Scenario,
  ) {
    const { hardware, parameters, generation } = scenario.machine;
    this.#world = design.boot({ hardware, parameters, ...(generation && { generation }) });
    this.#seen = observe(this.#world);
    this.#watch();
  }

  /** The machine as it stands. */
  get world(): ApWorld {
    return this.#world;
  }

  get results(): readonly StepResult[] {
    return this.#results;
  }

  /** Whether everything came as expected. */
  get passed(): boolean {
    return this.#results.every(({ unmet }) => unmet.length === 0);
  }

  /** Plays all steps. */
  async play(): Promise<this> {
    for (const step of this.scenario.steps) await this.perform(step);
    return this;
  }

  /** Plays one step more. */
  async perform(step: ScenarioStep): Promise<StepResult> {
    const { lines } = this.#world.partition.core.log;
    const said = lines.length;
    const { outcome, message } =
      step.verb === 'ipl' ? this.#ipl(step.input as IplInput) : await this.#act(step);
    const logged = lines
      .slice(said)
      .filter(({ level }) => level === 'warning' || level === 'error');
    const messages = new Set(logged.map(({ subject, text }) => `${subject}: ${text}`));
    if (message !== undefined) messages.add(message);
    // Work that waited for locks, such as a guest's look at its bus, comes right after.
    this.#world.partition.clock.advance(0);
    const now = observe(this.#world);
    const broken = violations(this.#world);
    const result: StepResult = {
      step,
      ...describe(step),
      outcome,
      messages: [...messages].map((text) => this.#withNames(text)),
      effects: compareObservations(this.#seen, now, this.#zeroized),
      violations: broken,
      unmet: [
        ...this.#unmetOutcome(step, outcome),
        ...this.#unmetGuests(step, now),
        ...this.#unmetRule(step, broken),
      ],
    };
    this.#seen = now;
    this.#zeroized.clear();
    this.#results.push(result);
    return result;
  }

  async #act(step: ScenarioStep): Promise<{ outcome: string; message: string | undefined }> {
    if (step.verb === 'ipl') throw new Error('not a step of a running system');
    try {
      const answer = STEP_KINDS[step.verb].perform(this.#world, step.input);
      if (typeof answer === 'string') return { outcome: answer, message: undefined };
      return { outcome: await blocks(answer), message: undefined };
    } catch (error) {
      if (error instanceof NotInThisDesign) return { outcome: 'n/a', message: error.message };
      if (error instanceof VfioError) return { outcome: error.code, message: error.message };
      throw error;
    }
  }

  /** The system is loaded anew, on the hardware as it is. */
  #ipl(input: IplInput): { outcome: string; message: string | undefined } {
    const { apmask, aqmask, vfio_ap: load } = input;
    const { hardware } = this.#world.partition;
    this.#world.partition.crash();
    const { generation } = this.scenario.machine;
    this.#world = this.design.boot({
      hardware,
      parameters: {
        ...(apmask !== undefined && { apmask }),
        ...(aqmask !== undefined && { aqmask }),
      },
      ...(generation && { generation }),
    });
    if (!load) this.#world.vfioAp?.unload();
    this.#seen = NOTHING_YET;
    return { outcome: 'ok', message: undefined };
  }

  /** A text with matrices by name instead of by UUID. */
  #withNames(text: string): string {
    let named = text;
    for (const { id, device } of this.#world.matrices.values())
      named = named.replaceAll(device.name, id);
    return named;
  }

  #watch(): void {
    this.#world.partition.hardware.watch((instruction, apqn) => {
      if (instruction === 'ZAPQ') this.#zeroized.add(apqn);
    });
  }

  #unmetOutcome({ expect }: ScenarioStep, outcome: string): string[] {
    const expected = typeof expect === 'object' ? expect[this.design.name] : expect;
    return expected === undefined || expected === outcome
      ? []
      : [`expected ${expected}, got ${outcome}`];
  }

  #unmetRule({ breaks }: ScenarioStep, broken: readonly string[]): string[] {
    const expected = breaks.includes(this.design.name);
    if (expected === broken.length > 0) return [];
    return [expected ? 'expected a queue with two users' : 'a queue has two users'];
  }

  #unmetGuests({ guests = {} }: ScenarioStep, now: WorldObservation): string[] {
    return Object.entries(guests).flatMap(([guest, expected]) => {
      const queues = [...now.queues.values()]
        .filter((queue) => queue.guests.includes(guest))
        .map(({ apqn }) => formatApqn(apqn));
      const wanted = [...expected].sort();
      return wanted.join() === queues.join()
        ? []
        : [
            `expected ${guest} to have ${wanted.join(' ') || 'nothing'}, it has ${queues.join(' ') || 'nothing'}`,
          ];
    });
  }
}

/** Who does what in a step. */
export function describe({ verb, input }: ScenarioStep): { actor: string; text: string } {
  if (verb === 'ipl') return { actor: 'operator', text: 'load the system (IPL)' };
  const kind = STEP_KINDS[verb];
  return { actor: kind.actor, text: kind.describe(input) };
}

/** Gives what was released a chance to finish, and tells whether it has. */
async function blocks(answer: void | Promise<void>): Promise<'ok' | 'waits'> {
  let done = !(answer instanceof Promise);
  void Promise.resolve(answer).then(() => {
    done = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return done ? 'ok' : 'waits';
}
