import type { DirtyLogOps } from '@vfiokit/core';
import { expect } from 'vitest';
import { type ContractCases, type Declines, describeContract } from './contract.js';

/** A logging device under test, made anew for every case. */
export interface DirtyLogSubject {
  readonly log: DirtyLogOps;
  /** Lets the device's DMA write one byte at an IOVA. */
  dirty(iova: bigint): void;
}

const PAGE = 4096n;
const RANGE = { iova: 0x10_0000n, length: 64n * PAGE };

/** The contract of {@link DirtyLogOps}: every written page is reported once, others are not, unless it says that it guesses. */
export function describeDirtyLog(
  name: string,
  make: () => DirtyLogSubject,
  declines: Declines = {},
): void {
  describeContract(`${name} as a dirty log`, dirtyLogCases(make), declines);
}

/** The cases by title, to be run by {@link describeDirtyLog}. */
export function dirtyLogCases(make: () => DirtyLogSubject): ContractCases {
  const report = (log: DirtyLogOps, range = RANGE): bigint[] => {
    const pages: bigint[] = [];
    expect(log.readAndClear(range, (page) => pages.push(page))).toBe(0);
    return pages.sort((a, b) => Number(a - b));
  };
  return {
    'chooses a page size that is a power of two'() {
      const { log } = make();
      const page = log.start([RANGE], PAGE);
      expect(page).toBeTypeOf('bigint');
      expect(page).toBeGreaterThan(0n);
      expect((page as bigint) & ((page as bigint) - 1n)).toBe(0n);
    },
    'reports written pages and clears them'() {
      const { log, dirty } = make();
      log.start([RANGE], PAGE);
      dirty(RANGE.iova + 5n * PAGE + 17n);
      dirty(RANGE.iova);
      expect(report(log)).toEqual([RANGE.iova, RANGE.iova + 5n * PAGE]);
      expect(report(log)).toEqual([]);
    },
    'reports only what lies in the range that was asked for'() {
      const { log, dirty } = make();
      log.start([RANGE], PAGE);
      dirty(RANGE.iova);
      dirty(RANGE.iova + 10n * PAGE);
      expect(report(log, { iova: RANGE.iova, length: PAGE })).toEqual([RANGE.iova]);
      expect(report(log)).toEqual([RANGE.iova + 10n * PAGE]);
    },
    'can be stopped and started again with nothing left over'() {
      const { log, dirty } = make();
      log.start([RANGE], PAGE);
      dirty(RANGE.iova);
      expect(log.stop()).toBe(0);
      log.start([RANGE], PAGE);
      expect(report(log)).toEqual([]);
    },
  };
}
