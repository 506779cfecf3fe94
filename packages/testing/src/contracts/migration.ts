import { arcs, type MigrationOps, type MigrationStream, nextState } from '@vfiokit/core';
import type { MigrationState } from '@vfiokit/uapi';
import { expect } from 'vitest';
import { type ContractCases, type Declines, describeContract } from './contract.js';

/** A migratable device under test, made anew for every case. */
export interface MigrationSubject {
  readonly ops: MigrationOps;
  /** Gives the device a state worth moving. */
  fill(): void;
  /** What has to be equal on both sides after a move. */
  snapshot(): unknown;
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
  };
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
