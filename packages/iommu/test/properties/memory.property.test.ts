// The user's memory is in pieces, of which some cannot be written and some are not there: every kind of IOMMU against a
// model that looks at it page by page.
import { POWERNV } from '@vfiokit/iommu';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EEXIST, EFAULT } from '../support/errno.js';
import { HOLE, type StubDevice, TestHost } from '../support/host.js';
import { OpenIommufd } from '../support/iommufd.js';

const PAGE = 0x1000;
const PAGES = 64;

/** Pages from, to, and whether they can be written. What is between them is not there. */
const PIECES = [
  [0, 12, true],
  [12, 20, false],
  [24, 40, true],
  [40, 64, true],
] as const;

interface Subject {
  readonly host: TestHost;
  readonly device: StubDevice;
  map(iova: number, vaddr: number, size: number, write: boolean): number;
  unmap(iova: number, size: number): void;
}

/** Maps the pieces into the process, each as a mapping of its own. */
function withPieces(host: TestHost): Map<number, { remove(): void }> {
  const pieces = new Map<number, { remove(): void }>();
  Object.assign(host.process.credentials, { ipcLock: false, memlock: 2 ** 40 });
  for (const [from, to, writable] of PIECES) {
    const mapping = host.process.memory.map({
      address: HOLE + from * PAGE,
      size: (to - from) * PAGE,
      writable,
    });
    pieces.set(from, { remove: () => host.process.memory.unmap(mapping) });
  }
  return pieces;
}

function type1(): Subject {
  const host = new TestHost();
  const device = host.device();
  const container = host.ready(3, device);
  return {
    host,
    device,
    map: (iova, vaddr, size, write) => container.map(iova, vaddr, size, { flags: write ? 3 : 1 }),
    unmap: (iova, size) => void container.unmap(iova, size),
  };
}

function spapr(): Subject {
  const host = new TestHost({ backends: ['spapr-tce'] });
  const device = host.device({ caps: { tce: POWERNV } });
  const container = host.ready(2, device);
  container.ioctl(0x3b73);
  // The window and its table are there, and count, from the first call on.
  container.unmap(0, PAGE);
  return {
    host,
    device,
    map: (iova, vaddr, size, write) => container.map(iova, vaddr, size, { flags: write ? 3 : 1 }),
    unmap: (iova, size) => void container.unmap(iova, size),
  };
}

function iommufd(): Subject {
  const host = new TestHost();
  const open = new OpenIommufd(host);
  open.option(0, 1);
  const ioas = open.ioasAlloc();
  const device = host.device();
  open.bind(device).attach(ioas);
  return {
    host,
    device,
    map: (iova, vaddr, size, write) => {
      const at = open.map(ioas, vaddr, size, { iova, flags: write ? 7 : 5 });
      return typeof at === 'bigint' ? 0 : at;
    },
    unmap: (iova, size) => void open.unmap(ioas, iova, size),
  };
}

const there = (page: number, write: boolean, gone: ReadonlySet<number>) =>
  PIECES.some(
    ([from, to, writable]) => page >= from && page < to && (writable || !write) && !gone.has(from),
  );

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('map' as const),
        slot: fc.nat(15),
        page: fc.nat(PAGES - 1),
        count: fc.integer({ min: 1, max: 12 }),
        write: fc.boolean(),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('unmap' as const), slot: fc.nat(15) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('gone' as const),
        piece: fc.constantFrom(...PIECES.map(([from]) => from)),
      }),
    },
  ),
  { maxLength: 50 },
);

describe.each([
  ['type1 v2', type1, true],
  ['iommufd', iommufd, true],
  ['spapr-tce v1', spapr, false],
] as const)('%s, over memory in pieces', (_name, make, counts) => {
  test('maps what is there, counts every page of it once, and forgets it again', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const subject = make();
        const { host, device } = subject;
        const pieces = withPieces(host);
        const before = host.process.lockedBytes;
        const gone = new Set<number>();
        /** What is mapped in each slot of sixteen pages. */
        const slots = new Map<number, { page: number; count: number; write: boolean }>();
        for (const step of list) {
          if (step.kind === 'gone') {
            if (!gone.has(step.piece)) pieces.get(step.piece)!.remove();
            gone.add(step.piece);
          } else if (step.kind === 'unmap') {
            const held = slots.get(step.slot);
            if (held) subject.unmap(step.slot * 16 * PAGE, held.count * PAGE);
            slots.delete(step.slot);
          } else {
            const { slot, page, count, write } = step;
            if (slots.has(slot) && !counts) continue;
            const pages = Array.from({ length: count }, (_, i) => page + i);
            const present = pages.every((at) => there(at, write, gone));
            const wanted = slots.has(slot) ? EEXIST : present ? 0 : EFAULT;
            const vaddr = HOLE + page * PAGE;
            expect(subject.map(slot * 16 * PAGE, vaddr, count * PAGE, write)).toBe(wanted);
            if (wanted === 0) slots.set(slot, { page, count, write });
          }
          if (!counts) continue;
          const mapped = [...slots.values()].reduce((sum, { count }) => sum + count, 0);
          expect(host.process.lockedBytes - before).toBe(mapped * PAGE);
        }
        for (const [slot, { page, count, write }] of slots) {
          const at = slot * 16 * PAGE + (count - 1) * PAGE;
          const hit = device.iommuGroup!.dma.translate(at, write ? 2 : 1);
          expect(hit!.memory!.address + hit!.offset).toBe(HOLE + (page + count - 1) * PAGE);
          subject.unmap(slot * 16 * PAGE, count * PAGE);
        }
        expect(host.process.lockedBytes).toBe(before);
      }),
      { numRuns: 150 },
    );
  });
});
