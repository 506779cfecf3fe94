/** A step of an actor: whatever it does between two yields nobody comes in between. */
export type Actor = Generator<unknown, void, void>;

/** One run of a small system: actors that start together, and what must hold after every step and at the end. */
export interface Race {
  readonly actors: Readonly<Record<string, Actor>>;
  /** Throws if something is wrong; called after every step. */
  check(): void;
  /** Throws if something is wrong when all actors have finished. */
  finally?(): void;
}

/**
 * Runs a race in every order of steps that there is, each from the beginning.
 *
 * @returns how many orders there were. What a check throws comes out with the order that led to it.
 */
export function everyInterleaving(start: () => Race, limit = 200_000): number {
  const schedule: number[] = [];
  for (let count = 1; ; count++) {
    if (count > limit) throw new Error(`more than ${limit} interleavings`);
    const choices = run(start(), schedule);
    // Depth first: the last step that had another actor left takes the next one; what follows starts over.
    let last = choices.length - 1;
    while (last >= 0 && choices[last]!.taken === choices[last]!.of - 1) last -= 1;
    if (last < 0) return count;
    schedule.length = 0;
    for (const { taken } of choices.slice(0, last)) schedule.push(taken);
    schedule.push(choices[last]!.taken + 1);
  }
}

function run(race: Race, schedule: readonly number[]): { taken: number; of: number }[] {
  const actors = Object.entries(race.actors);
  const choices: { taken: number; of: number }[] = [];
  const trace: string[] = [];
  try {
    while (actors.length > 0) {
      const taken = schedule[choices.length] ?? 0;
      choices.push({ taken, of: actors.length });
      const [name, actor] = actors[taken]!;
      trace.push(name);
      if (actor.next().done) actors.splice(taken, 1);
      race.check();
    }
    race.finally?.();
  } catch (error) {
    throw new Error(`in the order ${trace.join(', ')}: ${String(error)}`, { cause: error });
  }
  return choices;
}

/** An actor of one step, which tries something and writes down what came of it. */
// biome-ignore lint/correctness/useYield: an actor whose only step is its last one
export function* attempting(results: string[], name: string, action: () => unknown): Actor {
  try {
    action();
    results.push(`${name} ok`);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    results.push(`${name} ${String(error.code)}`);
  }
}
