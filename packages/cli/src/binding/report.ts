import type { TransactionResult } from '@vfiokit/binder';
import { EXIT_NO, EXIT_OK } from '../command.js';
import type { Io } from '../io.js';

const WORDS: Readonly<Record<TransactionResult['state'], string>> = {
  committed: 'done',
  released: 'undone',
  'rolled-back': 'failed; everything is as it was',
  'needs-attention': 'failed, and not all could be undone: look at it',
  unbinding: 'waiting for a user of the device; vfiokit restore finishes later',
};

/** Prints how transactions ended; the exit status. */
export function reportResults(io: Io, results: readonly TransactionResult[]): number {
  for (const { id, state, failures, notices } of results) {
    io.print(`${id}: ${WORDS[state]}`);
    for (const { message } of failures) io.warn(message);
    for (const notice of notices) io.print(`  ${notice}`);
  }
  const fine = results.every(({ state }) => state === 'committed' || state === 'released');
  return fine ? EXIT_OK : EXIT_NO;
}
