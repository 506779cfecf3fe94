import { arcs, type MigrationOps, type MigrationStream, nextState } from '@vfiokit/core';
import { type MigrationState, VfioError } from '@vfiokit/uapi';
import { expect } from 'vitest';
import { type ContractCases, type Declines, describeContract } from './contract.js';

/** A migratable device under test, made anew for every case. */
export interface MigrationSubject {
  readonly ops: MigrationOps;
  /** Gives the device a state worth moving. */
  fill(): void;
  /** What has to be equal on both sides after a move. */
  snapshot(): unknown;
  /**
   * Lets something fail that the driver asks of its hardware or its PF: after so many that succeed the next one, and only
   * that; none for a negative number. Without it the cases that need it have to be declined.
   *
   * @returns whether it has come to that.
   */
  failAfter?(count: number): () => boolean;
}

/** The contract of {@link MigrationOps}: every arc works, data files come when they have to, a state survives the move. */
export function describeMigration(
  name: string,
  make: () => MigrationSubject,
  declines: Declines = {},
): void {
  describeContract(`${name} as a migratable device`, migrationCases(make), declines);
}

/** The cases by title, to be run by {@link describeMigration}. */
export function migrationCases(make: () => MigrationSubject): ContractCases {
  return {
    'carries out every arc of what it supports'() {
      for (const [from, to] of arcs(make().ops.support)) {
        const { ops } = make();
        goTo(ops, from);
        expect(() => ops.arc(from, to), `${from} -> ${to}`).not.toThrow();
      }
    },
    'hands out a stream on exactly the arcs that begin a transfer'() {
      for (const [from, to] of arcs(make().ops.support)) {
        const { ops } = make();
        goTo(ops, from);
        const stream = ops.arc(from, to);
        expect(stream !== undefined, `${from} -> ${to}`).toBe(beginsTransfer(from, to));
      }
    },
    'gives streams the direction of their transfer'() {
      const { ops } = make();
      const saving = goTo(ops, 'STOP_COPY');
      expect(saving?.read).toBeTypeOf('function');
      const { ops: other } = make();
      expect(goTo(other, 'RESUMING')?.write).toBeTypeOf('function');
    },
    'moves its state to another device'() {
      const source = make();
      source.fill();
      const target = make();
      const saving = goTo(source.ops, 'STOP_COPY')!;
      const resuming = goTo(target.ops, 'RESUMING')!;
      pour(saving, resuming, 1000);
      walk(target.ops, 'RESUMING', 'RUNNING');
      expect(target.snapshot()).toEqual(source.snapshot());
    },
    'moves its state in single bytes just as well'() {
      const source = make();
      source.fill();
      const target = make();
      const saving = goTo(source.ops, 'STOP_COPY')!;
      const resuming = goTo(target.ops, 'RESUMING')!;
      pour(saving, resuming, 1);
      walk(target.ops, 'RESUMING', 'RUNNING');
      expect(target.snapshot()).toEqual(source.snapshot());
    },
    'keeps its state when a move is given up'() {
      const subject = make();
      subject.fill();
      const before = subject.snapshot();
      goTo(subject.ops, 'STOP_COPY')?.read?.(new Uint8Array(7));
      walk(subject.ops, 'STOP_COPY', 'RUNNING');
      expect(subject.snapshot()).toEqual(before);
    },
    'estimates its size in any state'() {
      for (const state of ['RUNNING', 'STOP', 'STOP_COPY', 'RESUMING'] as const) {
        const { ops } = make();
        goTo(ops, state);
        const size = ops.dataSize();
        if (typeof size === 'number') expect(size).toBeLessThan(0);
        else expect(size).toBeGreaterThanOrEqual(0n);
      }
    },
    'refuses a stream that is cut short, or lets it be completed later'() {
      const source = make();
      source.fill();
      const target = make();
      const saving = goTo(source.ops, 'STOP_COPY')!;
      const resuming = goTo(target.ops, 'RESUMING')!;
      const first = new Uint8Array(3);
      const count = saving.read!(first);
      resuming.write!(first.subarray(0, count));
      expect(() => target.ops.arc('RESUMING', 'STOP')).toThrow();
    },
    'keeps its own state or takes all of the new one when a stream is cut short anywhere'() {
      const { stream, source } = saved(make);
      for (const end of places(stream.length)) {
        const target = make();
        const before = target.snapshot();
        receive(target.ops, stream.subarray(0, end));
        expect([before, source.snapshot()], `of ${end} bytes`).toContainEqual(target.snapshot());
      }
    },
    'notices every change of a stream'() {
      const { stream } = saved(make);
      for (const at of places(stream.length)) {
        const changed = stream.slice();
        changed[at] = changed[at]! ^ 0x10;
        expect(receive(make().ops, changed), `byte ${at}`).toBe(false);
      }
    },
    'keeps its own state when it refuses a stream'() {
      const { stream } = saved(make);
      for (const at of places(stream.length)) {
        const changed = stream.slice();
        changed[at] = changed[at]! ^ 0x10;
        const target = make();
        const before = target.snapshot();
        if (!receive(target.ops, changed)) expect(target.snapshot(), `byte ${at}`).toEqual(before);
      }
    },
    'is what it was at the source, and runs again, wherever something fails'() {
      forEveryFailure(make, (source, before) => {
        const reached = save(source.ops);
        source.failAfter?.(-1);
        walk(source.ops, reached.state, 'RUNNING');
        expect(source.snapshot()).toEqual(before);
      });
    },
    'keeps its own state or takes all of the new one at the target wherever something fails'() {
      const { stream, source } = saved(make);
      forEveryFailure(make, (target, before) => {
        receive(target.ops, stream);
        expect([before, source.snapshot()]).toContainEqual(target.snapshot());
      });
    },
  };
}

/** The whole transfer of a device with a state, and the device. */
function saved(make: () => MigrationSubject): { stream: Uint8Array; source: MigrationSubject } {
  const source = make();
  source.fill();
  const { bytes, state } = save(source.ops);
  expect(state).toBe('STOP_COPY');
  return { stream: Uint8Array.from(bytes), source };
}

/** The first and the last places of so many, and others between them. */
function places(length: number): readonly number[] {
  const step = Math.max(1, Math.floor(length / 60));
  const all = Array.from({ length }, (_, at) => at);
  return all.filter((at) => at < 20 || at % step === 0 || at >= length - 20);
}

/** Lets one thing fail after the other, each on a device of its own with a state. */
function forEveryFailure(
  make: () => MigrationSubject,
  run: (subject: MigrationSubject, before: unknown) => void,
): void {
  expect(make().failAfter, 'nothing of it can be made to fail').toBeTypeOf('function');
  for (let count = 0; ; count += 1) {
    const subject = make();
    subject.fill();
    const before = subject.snapshot();
    const failed = subject.failAfter!(count);
    run(subject, before);
    if (!failed()) return;
  }
}

/** Saves a device, while it runs first if it can; how far it got, and what could be read. */
function save(ops: MigrationOps): { state: MigrationState; bytes: readonly number[] } {
  const bytes: number[] = [];
  const buffer = new Uint8Array(1000);
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
      for (;;) {
        const count = stream!.read!(buffer);
        if (count < 0 && state === 'STOP_COPY') return { state, bytes };
        if (count <= 0) break;
        bytes.push(...buffer.subarray(0, count));
      }
    }
  } catch (error) {
    if (!(error instanceof VfioError)) throw error;
  }
  return { state, bytes };
}

/** Lets a fresh device take a transfer and run; whether it did. */
function receive(ops: MigrationOps, bytes: Uint8Array): boolean {
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

function beginsTransfer(from: MigrationState, to: MigrationState): boolean {
  return (
    (from === 'STOP' && (to === 'STOP_COPY' || to === 'RESUMING')) ||
    (from === 'RUNNING' && to === 'PRE_COPY') ||
    (from === 'RUNNING_P2P' && to === 'PRE_COPY_P2P')
  );
}

/** Takes a fresh device from RUNNING to a state; the stream of the last transfer that began on the way. */
function goTo(ops: MigrationOps, target: MigrationState): MigrationStream | undefined {
  return walk(ops, 'RUNNING', target);
}

function walk(
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
function pour(from: MigrationStream, to: MigrationStream, piece: number): void {
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
