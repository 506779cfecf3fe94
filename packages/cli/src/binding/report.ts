import type { TransactionResult } from '@vfiokit/binder';
import type { Io } from '../io.js';

const WORDS: Readonly<Record<TransactionResult['state'], string>> = {
  committed: 'done',
  released: 'undone',
  'rolled-back': 'failed; everything is as it was',
  'needs-attention': 'failed, and not all could be undone: look at it',
  unbinding: 'waiting for a user of the device; vfiokit restore finishes later',
  'in-use': 'refused, and nothing was changed; --wait unbinds all the same, and waits',
};

/** Whether every transaction ended as it was meant to. */
export function isFine(results: readonly TransactionResult[]): boolean {
  return results.every(({ state }) => state === 'committed' || state === 'released');
}

/** Prints how transactions ended. */
export function reportResults(io: Io, results: readonly TransactionResult[]): void {
  for (const { id, state, failures, notices } of results) {
    io.print(`${id}: ${WORDS[state]}`);
    for (const { message } of failures) io.warn(message);
    for (const notice of notices) io.print(`  ${notice}`);
  }
}
