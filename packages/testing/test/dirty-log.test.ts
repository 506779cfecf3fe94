import type { DirtyLogOps } from '@vfiokit/core';
import { dirtyLogCases } from '../src/contracts/dirty-log.js';
import { type DirtyLogSubject, describeDirtyLog } from '../src/index.js';
import { describeBroken } from './broken.js';

const PAGE = 4096n;

/** Logs pages of 4 KiB in a set. */
function logging(override: Partial<DirtyLogOps> = {}): DirtyLogSubject {
  const pages = new Set<bigint>();
  const log: DirtyLogOps = {
    start: () => PAGE,
    stop() {
      pages.clear();
      return 0;
    },
    readAndClear({ iova, length }, dirty) {
      for (const page of pages)
        if (page >= iova && page < iova + length) {
          dirty(page);
          pages.delete(page);
        }
      return 0;
    },
    ...override,
  };
  return { log, dirty: (iova) => pages.add(iova - (iova % PAGE)) };
}

describeDirtyLog('a set of pages', logging);

describeBroken('a dirty log', dirtyLogCases, {
  'chooses a page size that is a power of two': () => logging({ start: () => 5000n }),
  'reports written pages and clears them': () => logging({ readAndClear: () => 0 }),
  'reports only what lies in the range that was asked for'() {
    const { log, dirty } = logging();
    const everything = { iova: 0n, length: 1n << 40n };
    return {
      dirty,
      log: { ...log, readAndClear: (_range, report) => log.readAndClear(everything, report) },
    };
  },
  'can be stopped and started again with nothing left over': () => logging({ stop: () => 0 }),
});
