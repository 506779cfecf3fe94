import { OPERATION_CLASSES, type OperationClass, type Side } from '../trace/operation-class.js';
import type { Difference } from './difference.js';

/** How many operations went how. */
export interface Count {
  /** As the kernel answered. */
  matched: number;
  /** Otherwise, for a reason that a rule names. */
  explained: number;
  /** Otherwise. */
  differing: number;
}

export const played = ({ matched, explained, differing }: Count) => matched + explained + differing;

/** Counts outcomes by class and keeps the first differences. */
export class Tally {
  readonly #counts = new Map<OperationClass, Count>();
  /** How often each rule explained something. */
  readonly explanations = new Map<string, number>();
  readonly differences: Difference[] = [];

  /** @param keep how many unexplained differences are kept. */
  constructor(readonly keep = 20) {
    for (const name of Object.keys(OPERATION_CLASSES) as OperationClass[])
      this.#counts.set(name, { matched: 0, explained: 0, differing: 0 });
  }

  count(name: OperationClass): Readonly<Count> {
    return this.#counts.get(name)!;
  }

  matched(name: OperationClass): void {
    this.#counts.get(name)!.matched += 1;
  }

  differed(name: OperationClass, difference: Difference): void {
    const count = this.#counts.get(name)!;
    const { explanation } = difference;
    if (explanation !== undefined) {
      count.explained += 1;
      this.explanations.set(explanation, (this.explanations.get(explanation) ?? 0) + 1);
      return;
    }
    count.differing += 1;
    if (this.differences.length < this.keep) this.differences.push(difference);
  }

  /** Adds what another run counted. */
  add(other: Tally): void {
    for (const [name, count] of this.#counts) {
      const { matched, explained, differing } = other.count(name);
      count.matched += matched;
      count.explained += explained;
      count.differing += differing;
    }
    for (const [id, times] of other.explanations)
      this.explanations.set(id, (this.explanations.get(id) ?? 0) + times);
    this.differences.push(...other.differences.slice(0, this.keep - this.differences.length));
  }

  /** The sum over one side, or both. */
  total(side?: Side): Count {
    const sum: Count = { matched: 0, explained: 0, differing: 0 };
    for (const [name, count] of this.#counts) {
      if (side !== undefined && OPERATION_CLASSES[name] !== side) continue;
      sum.matched += count.matched;
      sum.explained += count.explained;
      sum.differing += count.differing;
    }
    return sum;
  }
}
