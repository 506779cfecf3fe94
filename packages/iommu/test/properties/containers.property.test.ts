import { KERNEL_QUIRKS, POWERNV } from '@vfiokit/iommu';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EEXIST, EINVAL, ENOENT, ENOSPC } from '../support/errno.js';
import {
  ARENA,
  getDeviceFd,
  le,
  type StubDevice,
  setContainer,
  TestHost,
} from '../support/host.js';
import { OpenIommufd } from '../support/iommufd.js';

const PAGE = 4096;
/** The naive models know so many pages. */
const PAGES = 48;
const LIMIT = 6;

interface Command {
  readonly map: boolean;
  readonly page: number;
  readonly count: number;
  readonly write: boolean;
  readonly from: number;
}

const commands = fc.array(
  fc.record({
    map: fc.boolean(),
    page: fc.nat(PAGES - 1),
    count: fc.integer({ min: 1, max: 10 }),
    write: fc.boolean(),
    from: fc.nat(PAGES),
  }),
  { maxLength: 60 },
);

/** What each page leads to: which mapping, and where. */
interface PageEntry {
  readonly mapping: number;
  readonly target: number;
  readonly write: boolean;
}

/** A page-by-page model: an array, walked from end to end for everything. */
class NaivePages {
  readonly pages: (PageEntry | undefined)[] = Array(PAGES + 16).fill(undefined);
  #mappings = 0;

  get mappings(): number {
    return new Set(this.pages.filter((page) => page !== undefined).map(({ mapping }) => mapping))
      .size;
  }

  /** How many pages lead somewhere. */
  get size(): number {
    return this.pages.filter((page) => page !== undefined).length;
  }

  within(page: number, count: number): PageEntry[] {
    return this.pages.slice(page, page + count).filter((entry) => entry !== undefined);
  }

  /** Whether the page before and the page at a place belong to one mapping. */
  bisected(page: number): boolean {
    const [before, at] = [this.pages[page - 1], this.pages[page]];
    return before !== undefined && before.mapping === at?.mapping;
  }

  set({ page, count, write, from }: Command): void {
    this.#mappings += 1;
    for (let i = 0; i < count; i += 1)
      this.pages[page + i] = { mapping: this.#mappings, target: from + i, write };
  }

  remove(mapping: number): number {
    let removed = 0;
    for (const [at, entry] of this.pages.entries())
      if (entry?.mapping === mapping) {
        this.pages[at] = undefined;
        removed += 1;
      }
    return removed;
  }

  /** What a device sees. */
  reaches(device: StubDevice): void {
    for (const [at, entry] of this.pages.entries()) {
      const { dma } = device.iommuGroup!;
      const hit = dma.translate(at * PAGE + 8, 1);
      const found = hit && (hit.memory!.address + hit.offset - ARENA - 8) / PAGE;
      expect(found).toBe(entry?.target);
      expect(dma.translate(at * PAGE, 2) !== undefined).toBe(entry?.write ?? false);
    }
  }
}

describe.each([
  [1, 'v1'],
  [3, 'v2'],
] as const)('type1 %i', (type, _name) => {
  const unmapNaively = (naive: NaivePages, { page, count }: Command): bigint | number => {
    const v2 = type === 3;
    if (v2 && (naive.bisected(page) || naive.bisected(page + count))) return EINVAL;
    // v1 stops at a mapping that starts before the range, if that is the first one it meets.
    if (!v2 && naive.bisected(page)) return 0n;
    let removed = 0;
    for (const { mapping } of naive.within(page, count)) removed += naive.remove(mapping);
    return BigInt(removed * PAGE);
  };

  test('answers and translates as a page-by-page model does', () => {
    fc.assert(
      fc.property(commands, (list) => {
        const host = new TestHost({ parameters: { dmaEntryLimit: LIMIT } });
        const device = host.device({
          reserved: [{ start: BigInt(40 * PAGE), end: BigInt(42 * PAGE - 1), type: 'reserved' }],
        });
        const container = host.ready(type, device);
        const naive = new NaivePages();
        for (const command of list) {
          const { page, count, from, write } = command;
          if (command.map) {
            const reserved = page < 42 && page + count > 40;
            const expected =
              naive.within(page, count).length > 0
                ? EEXIST
                : naive.mappings === LIMIT
                  ? ENOSPC
                  : reserved
                    ? EINVAL
                    : 0;
            const flags = write ? 3 : 1;
            expect(container.map(page * PAGE, ARENA + from * PAGE, count * PAGE, { flags })).toBe(
              expected,
            );
            if (expected === 0) naive.set(command);
          } else {
            const expected = unmapNaively(naive, command);
            expect(container.unmap(page * PAGE, count * PAGE)).toBe(expected);
          }
          expect(host.process.lockedBytes).toBe(naive.size * PAGE);
          expect(container.available()).toBe(LIMIT - naive.mappings);
        }
        naive.reaches(device);
      }),
      { numRuns: 50 },
    );
  });
});

describe('type1’s dirty pages', () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('write' as const),
      page: fc.nat(PAGES - 1),
      count: fc.integer({ min: 1, max: 4 }),
    }),
    fc.record({
      kind: fc.constant('pin' as const),
      page: fc.nat(PAGES - 1),
      count: fc.integer({ min: 1, max: 3 }),
    }),
    fc.record({
      kind: fc.constant('unpin' as const),
      page: fc.nat(PAGES - 1),
      count: fc.integer({ min: 1, max: 3 }),
    }),
    fc.record({
      kind: fc.constant('report' as const),
      page: fc.constant(0),
      count: fc.constant(PAGES),
    }),
  );

  test('are what was written since, and what is pinned', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const host = new TestHost({
          parameters: { quirks: { ...KERNEL_QUIRKS, staleDirtyBits: false } },
        });
        const device = host.emulated();
        const container = host.ready(3, device);
        container.group(device).getDevice(device.name, host.process);
        // Four mappings, of which none starts where a word of the bitmap does.
        for (const [start, count] of [
          [0, 5],
          [5, 20],
          [27, 3],
          [30, 18],
        ] as const)
          container.map(start * PAGE, ARENA + start * PAGE, count * PAGE);
        container.dirtyPages(1);
        const dma = device.door!.pages!;
        const mapped = (page: number) => page < 25 || page >= 27;
        const written = new Set<number>();
        const pins = new Map<number, number>();
        for (const { kind, page, count } of steps) {
          const pages = Array.from({ length: count }, (_, i) => page + i);
          if (kind === 'write') {
            const done = pages.findIndex((at) => !mapped(at) || at >= PAGES);
            dma.write(page * PAGE, new Uint8Array(count * PAGE));
            for (const at of done === -1 ? pages : pages.slice(0, done)) written.add(at);
          } else if (kind === 'pin') {
            if (typeof dma.pinPages(page * PAGE, count, 2) === 'number') {
              const upTo = pages.findIndex((at) => !mapped(at) || at >= PAGES);
              // Pages that were pinned before it failed count as written.
              for (const at of pages.slice(0, upTo)) if (!pins.has(at)) written.add(at);
            } else
              for (const at of pages) {
                if (!pins.has(at)) written.add(at);
                pins.set(at, (pins.get(at) ?? 0) + 1);
              }
          } else if (kind === 'unpin') {
            dma.unpinPages(page * PAGE, count);
            for (const at of pages) {
              if (!mapped(at) || at >= PAGES) break;
              const held = pins.get(at);
              if (held === 1) pins.delete(at);
              else if (held) pins.set(at, held - 1);
            }
          } else {
            const data = ARENA + 0x800000;
            host.process.memory.write(data, new Uint8Array(8));
            expect(container.getBitmap(0, PAGES * PAGE, { size: 8, data })).toBe(0);
            const bits = new DataView(host.process.memory.read(data, 8)!.buffer).getBigUint64(
              0,
              true,
            );
            const seen = pages.filter((at) => bits & (1n << BigInt(at)));
            expect(seen).toEqual(pages.filter((at) => written.has(at)));
            written.clear();
            for (const at of pins.keys()) written.add(at);
          }
        }
      }),
      { numRuns: 80 },
    );
  });
});

describe.each([
  [2, 'v1'],
  [7, 'v2'],
] as const)('sPAPR %i', (type, _name) => {
  /** Pages of the arena that are registered on v2; v1 reaches all of it. */
  const REGISTERED = 32;

  test('answers and translates as a page-by-page model does', () => {
    fc.assert(
      fc.property(commands, (list) => {
        const host = new TestHost({ backends: ['spapr-tce'] });
        const device = host.device({ caps: { tce: POWERNV } });
        const container = host.ready(type, device);
        if (type === 2) container.ioctl(0x3b73);
        else container.ioctl(0x3b75, le(24, [0, 4, 24], [8, 8, ARENA], [16, 8, REGISTERED * PAGE]));
        const naive = new NaivePages();
        for (const command of list) {
          const { page, count, from, write } = command;
          if (command.map) {
            const beyond = type === 7 && from + count > REGISTERED;
            const result = container.map(page * PAGE, ARENA + from * PAGE, count * PAGE, {
              flags: write ? 3 : 1,
            });
            expect(result).toBe(beyond ? EINVAL : 0);
            if (!beyond) naive.set(command);
            // What a failed call has set is cleared, and what was there before is lost.
            else naive.pages.fill(undefined, page, page + Math.max(0, REGISTERED - from));
          } else {
            expect(container.unmap(page * PAGE, count * PAGE)).toBe(BigInt(count * PAGE));
            naive.pages.fill(undefined, page, page + count);
          }
        }
        naive.reaches(device);
      }),
      { numRuns: 50 },
    );
  });
});

/** What an IOAS unmaps: whole areas, of which those before the first that is only partly meant are gone. */
function unmapAreas(naive: NaivePages, page: number, count: number): bigint | number {
  if (naive.within(page, count).length === 0) return ENOENT;
  let removed = 0;
  for (let at = page; at < page + count; at += 1) {
    const entry = naive.pages[at];
    if (entry === undefined) continue;
    const first = naive.pages.findIndex((other) => other?.mapping === entry.mapping);
    const length = naive.pages.filter((other) => other?.mapping === entry.mapping).length;
    if (first < page || first + length > page + count) return ENOENT;
    removed += naive.remove(entry.mapping);
  }
  return BigInt(removed * PAGE);
}

describe.each([
  [1, 'unmap page by page what was mapped in one'],
  [3, 'unmap whole mappings, and holes'],
] as const)('VFIO’s calls on an IOAS, as type %i', (type, title) => {
  test(title, () => {
    fc.assert(
      fc.property(commands, (list) => {
        const host = new TestHost();
        const iommufd = new OpenIommufd(host);
        const device = host.device();
        const file = host.openGroup(device);
        setContainer(file, iommufd.fd, host.process);
        iommufd.file.ioctl(0x3b66, type, host.process);
        getDeviceFd(file, device.name, host.process);
        const naive = new NaivePages();
        for (const command of list) {
          const { page, count, from, write } = command;
          const taken = naive.within(page, count).length;
          const [vaddr, iova, size] = [ARENA + from * PAGE, page * PAGE, count * PAGE];
          if (command.map) {
            const map = le(
              32,
              [0, 4, 32],
              [4, 4, write ? 3 : 1],
              [8, 8, vaddr],
              [16, 8, iova],
              [24, 8, size],
            );
            expect(iommufd.file.ioctl(0x3b71, map, host.process)).toBe(taken > 0 ? EEXIST : 0);
            if (taken === 0) naive.set(command);
          } else {
            const unmap = le(24, [0, 4, 24], [8, 8, iova], [16, 8, size]);
            const ret = iommufd.file.ioctl(0x3b72, unmap, host.process);
            const done = new DataView(unmap.buffer).getUint32(16, true);
            if (type === 1) {
              expect([ret, done]).toEqual([0, taken * PAGE]);
              naive.pages.fill(undefined, page, page + count);
            } else {
              const before = naive.size;
              const removed = taken === 0 ? 0n : unmapAreas(naive, page, count);
              expect(ret).toBe(typeof removed === 'number' ? removed : 0);
              // What was unmapped before an error is told as well.
              expect(done).toBe((before - naive.size) * PAGE);
            }
          }
        }
        naive.reaches(device);
      }),
      { numRuns: 50 },
    );
  });
});

describe('an IOAS', () => {
  test('answers and translates as a page-by-page model does', () => {
    const step = fc.record({
      map: fc.boolean(),
      copy: fc.boolean(),
      page: fc.nat(PAGES - 1),
      count: fc.integer({ min: 1, max: 10 }),
      write: fc.boolean(),
      from: fc.nat(PAGES - 1),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (list) => {
        const host = new TestHost();
        const iommufd = new OpenIommufd(host);
        const device = host.device();
        const ioas = iommufd.ioasAlloc();
        iommufd.bind(device).attach(ioas);
        const naive = new NaivePages();
        for (const command of list) {
          const { page, count, from, write } = command;
          const taken = naive.within(page, count).length > 0;
          if (command.map && command.copy) {
            const source = naive.pages.slice(from, from + count);
            const holes = source.some((entry) => entry === undefined);
            const result = iommufd.copy(
              [ioas, from * PAGE],
              [ioas, page * PAGE],
              count * PAGE,
              write ? 6 : 4,
            );
            const readOnly = write && source.some((entry) => !entry?.write);
            if (holes) expect(result).toBe(ENOENT);
            else if (taken) expect(result).toBe(EEXIST);
            else if (readOnly) expect(result).toBe(-1);
            else {
              expect(result).toBe(BigInt(page * PAGE));
              copyNaively(naive, source as PageEntry[], page, write);
            }
          } else if (command.map) {
            const flags = write ? 6 : 4;
            const result = iommufd.map(ioas, ARENA + from * PAGE, count * PAGE, {
              iova: page * PAGE,
              flags,
            });
            expect(result).toBe(taken ? EEXIST : BigInt(page * PAGE));
            if (!taken) naive.set(command);
          } else
            expect(iommufd.unmap(ioas, page * PAGE, count * PAGE)).toBe(
              unmapAreas(naive, page, count),
            );
        }
        naive.reaches(device);
      }),
      { numRuns: 50 },
    );
  });

  /** Copies keep the borders of what they are copied from, which the model gets by setting page by page. */
  function copyNaively(
    naive: NaivePages,
    source: readonly PageEntry[],
    page: number,
    write: boolean,
  ): void {
    let at = 0;
    while (at < source.length) {
      const { mapping, target } = source[at]!;
      let count = 1;
      while (source[at + count]?.mapping === mapping) count += 1;
      naive.set({ map: true, page: page + at, count, write, from: target });
      at += count;
    }
  }

  test('chooses places that are free, allowed and aligned', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ offset: fc.nat(0x3000), length: fc.integer({ min: 1, max: 0x5000 }) }),
          { maxLength: 30 },
        ),
        (wishes) => {
          const host = new TestHost();
          const iommufd = new OpenIommufd(host);
          const ioas = iommufd.ioasAlloc();
          const [start, last] = [0x100000, 0x13ffff];
          iommufd.allowIovas(ioas, [[start, last]]);
          const taken: { from: number; to: number }[] = [];
          for (const { offset, length } of wishes) {
            const found = iommufd.map(ioas, ARENA + offset, length);
            if (typeof found === 'number') {
              expect(found).toBe(ENOSPC);
              continue;
            }
            const [from, to] = [Number(found), Number(found) + length];
            expect([from >= start, to - 1 <= last, from % PAGE]).toEqual([
              true,
              true,
              (ARENA + offset) % PAGE,
            ]);
            expect(taken.some((other) => from < other.to && other.from < to)).toBe(false);
            taken.push({ from, to });
          }
        },
      ),
      { numRuns: 40 },
    );
  });
});
