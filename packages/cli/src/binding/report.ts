import type { StepFailure, TransactionResult } from '@vfiokit/binder';
import type { Machine } from '@vfiokit/host';
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
export function reportResults(
  io: Io,
  results: readonly TransactionResult[],
  machine?: Machine,
): void {
  for (const { id, state, failures, notices } of results) {
    io.print(`${id}: ${WORDS[state]}`);
    reportFailures(io, failures, machine);
    for (const notice of notices) io.print(`  ${notice}`);
  }
}

/**
 * Prints what failed. A write to sysfs can't say why; on a modelled machine the kernel's log is at hand, with what a driver had
 * to say.
 */
export function reportFailures(
  io: Io,
  failures: readonly StepFailure[],
  machine: Machine | undefined,
): void {
  const failed = new Set(failures.map(({ device }) => device));
  for (const { message } of failures) io.warn(message);
  const said = (machine?.core.log.lines ?? [])
    .filter(({ level, subject }) => level === 'warning' && failed.has(subject))
    .map(({ subject, text }) => `${subject}: ${text}`);
  // A driver that is asked again says the same again.
  for (const line of new Set(said)) io.warn(line);
}
