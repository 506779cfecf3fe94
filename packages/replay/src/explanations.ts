import type { Difference } from './difference.js';
import type { RecordedMachine } from './recorded-machine.js';

/** A reason for which a difference is no fault of the model's: something that the model can't know. */
export interface Explanation {
  readonly id: string;
  readonly reason: string;
  /** Looks at the structure of a difference, never at which device it was. */
  applies(difference: Difference, machine: RecordedMachine): boolean;
}

export const EXPLANATIONS: readonly Explanation[] = [];

/** The id of the first rule that explains a difference. */
export function explain(difference: Difference, machine: RecordedMachine): string | undefined {
  return EXPLANATIONS.find((rule) => rule.applies(difference, machine))?.id;
}
