import { type MigrationOps, type MigrationStream, nextState } from '@vfiokit/core';
import { type MigrationState, VfioError } from '@vfiokit/uapi';
import { expect } from 'vitest';

/** Saves a device, while it runs first if it can; how far it got, and what could be read. */
export function save(ops: MigrationOps): { state: MigrationState; bytes: readonly number[] } {
  const bytes: number[] = [];
  let state: MigrationState = 'RUNNING';
  let stream: MigrationStream | undefined;
  const goals: readonly MigrationState[] = ops.support.preCopy
    ? ['PRE_COPY', 'STOP_COPY']
    : ['STOP_COPY'];
  try {
    for (const goal of goals) {
      while (state !== goal) {
        const next: MigrationState = nextState(ops.support, state, goal)!;
        stream = ops.arc(state, next) ?? stream;
        state = next;
      }
      const error = readAll(stream!, bytes);
      if (error < 0 && state === 'STOP_COPY') return { state, bytes };
    }
  } catch (error) {
    if (!(error instanceof VfioError)) throw error;
  }
  return { state, bytes };
}

/** Reads as long as there is something; what ended it, 0 or a negated errno. */
function readAll(stream: MigrationStream, bytes: number[]): number {
  const buffer = new Uint8Array(1000);
  for (;;) {
    const count = stream.read!(buffer);
    if (count <= 0) return count;
    bytes.push(...buffer.subarray(0, count));
  }
}

/** What there is to read now. */
export function drain(stream: MigrationStream): readonly number[] {
  const bytes: number[] = [];
  readAll(stream, bytes);
  return bytes;
}

/** Lets a fresh device take a transfer and run; whether it did. */
export function receive(ops: MigrationOps, bytes: Uint8Array): boolean {
  const PIECE = 1000;
  try {
    const stream = goTo(ops, 'RESUMING')!;
    for (let at = 0; at < bytes.length; ) {
      const count = stream.write!(bytes.subarray(at, at + PIECE));
      if (count <= 0) return false;
      at += count;
    }
    walk(ops, 'RESUMING', 'RUNNING');
    return true;
  } catch (error) {
    if (!(error instanceof VfioError)) throw error;
    return false;
  }
}

/** Takes a fresh device from RUNNING to a state; the stream of the last transfer that began on the way. */
export function goTo(ops: MigrationOps, target: MigrationState): MigrationStream | undefined {
  return walk(ops, 'RUNNING', target);
}

/** The same from any state. */
export function walk(
  ops: MigrationOps,
  start: MigrationState,
  target: MigrationState,
): MigrationStream | undefined {
  let stream: MigrationStream | undefined;
  for (let state = start; state !== target; ) {
    const next = nextState(ops.support, state, target);
    if (next === undefined) throw new RangeError(`no way from ${start} to ${target}`);
    stream = ops.arc(state, next) ?? stream;
    state = next;
  }
  return stream;
}

/** Copies a transfer in pieces until the source says that there is no more. */
export function pour(from: MigrationStream, to: MigrationStream, piece: number): void {
  const buffer = new Uint8Array(piece);
  for (let turns = 0; turns < 10_000_000; turns += 1) {
    const count = from.read!(buffer);
    if (count === 0) return;
    expect(count).toBeGreaterThan(0);
    for (let done = 0; done < count; ) {
      const taken = to.write!(buffer.subarray(done, count));
      expect(taken).toBeGreaterThan(0);
      done += taken;
    }
  }
  throw new RangeError('a transfer that never ends');
}
