import { arcs, type MigrationOps } from '@vfiokit/core';
import type { MigrationState } from '@vfiokit/uapi';
import { expect } from 'vitest';
import { type ContractCases, type Declines, describeContract } from './contract.js';
import { drain, goTo, pour, receive, save, walk } from './transfer.js';

/** A migratable device under test, made anew for every case. */
export interface MigrationSubject {
  readonly ops: MigrationOps;
  /** Gives the device another state, worth moving, as it would come by one itself: also while it is being copied. */
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
        // Nothing was written between them.
        const given =
          from === 'RESUMING' ? ', a move that was given up: it keeps its own state' : '';
        expect(() => ops.arc(from, to), `${from} -> ${to}${given}`).not.toThrow();
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
    'moves what changed while it was copied as well'(skip) {
      const source = make();
      if (!source.ops.support.preCopy) return skip('it is copied only when it stands still');
      const stream = goTo(source.ops, 'PRE_COPY')!;
      const early = drain(stream);
      source.fill();
      walk(source.ops, 'PRE_COPY', 'STOP_COPY');
      const target = make();
      expect(receive(target.ops, Uint8Array.from([...early, ...drain(stream)]))).toBe(true);
      expect(target.snapshot()).toEqual(source.snapshot());
    },
    'tells what there is to read while it runs'(skip) {
      const { ops } = make();
      if (!ops.support.preCopy) return skip('it is copied only when it stands still');
      const stream = goTo(ops, 'PRE_COPY')!;
      for (const v2 of [false, true]) {
        const info = stream.precopyInfo?.(v2);
        expect(info, 'precopyInfo of the stream from PRE_COPY on').toBeDefined();
        if (typeof info === 'number') expect(info).toBeLessThan(0);
        else
          for (const bytes of [info!.initialBytes, info!.dirtyBytes])
            expect(bytes).toBeGreaterThanOrEqual(0n);
      }
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
        expect(
          receive(make().ops, changed),
          `whether a transfer is taken of which byte ${at} was changed`,
        ).toBe(false);
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
  if (make().failAfter === undefined)
    expect.fail(
      'nothing of it can be made to fail: give the subject failAfter, or decline the case',
    );
  for (let count = 0; ; count += 1) {
    const subject = make();
    subject.fill();
    const before = subject.snapshot();
    const failed = subject.failAfter!(count);
    run(subject, before);
    if (!failed()) return;
  }
}

function beginsTransfer(from: MigrationState, to: MigrationState): boolean {
  return (
    (from === 'STOP' && (to === 'STOP_COPY' || to === 'RESUMING')) ||
    (from === 'RUNNING' && to === 'PRE_COPY') ||
    (from === 'RUNNING_P2P' && to === 'PRE_COPY_P2P')
  );
}
