import type { Container, Type1 } from '@vfiokit/iommu';
import { BenchHost, MEMORY } from './host.js';
import { nanoseconds, randomPages, rate, times, usedBytes } from './measure.js';

const PAGE = 4096;
const COUNT = 65535;
const LOOKUPS = 5_000_000;
const MAP_DMA = 0x3b71;
const UNMAP_DMA = 0x3b72;
const IOVAS = randomPages(COUNT, 2 ** 28).map((page) => page * PAGE);

/** The obvious way: an array of mappings in order, searched by halves, with room made for each newcomer. */
class SortedArray {
  readonly #starts: number[] = [];
  readonly #targets: number[] = [];

  #at(iova: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle]! < iova) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  map(iova: number, target: number): void {
    const at = this.#at(iova);
    this.#starts.splice(at, 0, iova);
    this.#targets.splice(at, 0, target);
  }

  unmap(iova: number): void {
    const at = this.#at(iova);
    this.#starts.splice(at, 1);
    this.#targets.splice(at, 1);
  }
}

/** The other obvious way: an entry for each page. */
class PageMap {
  readonly #pages = new Map<number, { readonly target: number; readonly access: number }>();

  map(iova: number, target: number): void {
    this.#pages.set(iova / PAGE, { target, access: 3 });
  }

  unmap(iova: number): void {
    this.#pages.delete(iova / PAGE);
  }

  translate(iova: number): number {
    const entry = this.#pages.get(Math.floor(iova / PAGE));
    return entry === undefined ? -1 : entry.target + (iova % PAGE);
  }
}

const mapAll = (type1: Type1, { process }: BenchHost) => {
  for (const iova of IOVAS)
    if (type1.map({ iova, size: PAGE, vaddr: MEMORY + (iova % 2 ** 39), access: 3 }, process) !== 0)
      throw new Error('a map fails');
};

/** 65,535 mappings at random places: made, looked up, taken away, and what they weigh. */
export function bench(report: (line: string) => void): void {
  const host = new BenchHost();
  const map = nanoseconds(
    COUNT,
    () => host.type1().type1,
    (type1) => mapAll(type1, host),
  );
  const filled = () => {
    const { type1 } = host.type1();
    mapAll(type1, host);
    return type1;
  };
  const unmap = nanoseconds(COUNT, filled, (type1) => {
    for (const iova of IOVAS)
      if (type1.unmap(iova, PAGE) !== PAGE) throw new Error('an unmap fails');
  });
  const both = (map + unmap) / 2;
  const sorted = nanoseconds(2 * COUNT, () => new SortedArray(), churn, 2);
  const paged = nanoseconds(2 * COUNT, () => new PageMap(), churn, 3);
  report(
    `map and unmap 4 KiB at random   ${rate(both)} [at least 1 M/s; ${map.toFixed(0)} ns, ${unmap.toFixed(0)} ns]`,
  );
  report(`  a sorted array takes          ${times(both, sorted)} as long`);
  report(`  a Map with an entry per page  ${times(both, paged)} as long, without any check`);
  const called = ioctls(host);
  report(
    `  by ioctl, structures and all  ${rate(called)} [at least 1 M/s; ${times(both, called)} as long]`,
  );

  lookups(report, host);
  weights(report, host, filled);
  scaling(report, host);
}

function churn(subject: SortedArray | PageMap): void {
  for (const iova of IOVAS) subject.map(iova, iova);
  for (const iova of IOVAS) subject.unmap(iova);
}

function ioctls(host: BenchHost): number {
  const argument = new Uint8Array(32);
  const view = new DataView(argument.buffer);
  const call = (container: Container, command: number, at: number, iova: number) => {
    view.setBigUint64(at, BigInt(iova), true);
    view.setBigUint64(at + 8, BigInt(PAGE), true);
    container.ioctl(command, argument, host.process);
  };
  return nanoseconds(
    2 * COUNT,
    () => host.type1().container,
    (container) => {
      view.setUint32(0, 32, true);
      view.setUint32(4, 3, true);
      view.setBigUint64(8, BigInt(MEMORY), true);
      for (const iova of IOVAS) call(container, MAP_DMA, 16, iova);
      view.setUint32(4, 0, true);
      for (const iova of IOVAS) call(container, UNMAP_DMA, 8, iova);
    },
  );
}

/** Translating: again and again in one mapping, and in all of them at random. */
function lookups(report: (line: string) => void, host: BenchHost): void {
  const { type1, group } = host.type1();
  mapAll(type1, host);
  const pages = new PageMap();
  for (const iova of IOVAS) pages.map(iova, iova);
  const { dma } = group;
  let sum = 0;
  const warm = nanoseconds(
    LOOKUPS,
    () => IOVAS[0]!,
    (iova) => {
      for (let i = 0; i < LOOKUPS; i += 1) sum += dma.translate(iova + (i & 4095), 1)!.offset;
    },
  );
  const warmPages = nanoseconds(
    LOOKUPS,
    () => IOVAS[0]!,
    (iova) => {
      for (let i = 0; i < LOOKUPS; i += 1) sum += pages.translate(iova + (i & 4095));
    },
  );
  const cold = nanoseconds(
    COUNT * 4,
    () => IOVAS,
    (iovas) => {
      for (let round = 0; round < 4; round += 1)
        for (const iova of iovas) sum += dma.translate(iova, 1)!.offset;
    },
  );
  report(`translate, warm range           ${rate(warm)} [at least 20 M/s]`);
  report(`  a Map with an entry per page  ${times(warm, warmPages)} as long`);
  report(`translate, at random            ${rate(cold)}   [checksum ${sum % 2}]`);
}

function weights(report: (line: string) => void, host: BenchHost, filled: () => Type1): void {
  const before = usedBytes();
  const kept = Array.from({ length: 8 }, filled);
  const bytes = (usedBytes() - before) / (kept.length * COUNT);
  report(`memory of a mapping             ${bytes.toFixed(0)} bytes [under 100]`);

  const many: Type1[] = [];
  const start = usedBytes();
  const took = nanoseconds(
    1_000_000,
    () => 0,
    () => {
      for (let i = 0; i < 1000; i += 1) {
        const { type1 } = host.type1();
        for (let page = 0; page < 1000; page += 1)
          type1.map(
            { iova: page * 2 * PAGE, size: PAGE, vaddr: MEMORY + page * PAGE, access: 3 },
            host.process,
          );
        many.push(type1);
      }
    },
    1,
  );
  const each = (usedBytes() - start) / 1_000_000;
  const live = many.reduce((sum, { mappings }) => sum + mappings.tree.size, 0);
  report(
    `1,000 containers of 1,000       ${live.toLocaleString('en')} mappings live, ${each.toFixed(0)} bytes each, ${rate(took)}`,
  );
}

/** Ten times as many mappings take ten times as long, give or take a logarithm. */
function scaling(report: (line: string) => void, host: BenchHost): void {
  const cost = (count: number) =>
    nanoseconds(
      count,
      () => host.type1().type1,
      (type1) => {
        for (let i = 0; i < count; i += 1)
          type1.map({ iova: IOVAS[i]!, size: PAGE, vaddr: MEMORY, access: 3 }, host.process);
      },
    );
  const [few, some, all] = [655, 6553, COUNT].map(cost);
  report(`a map among 655, 6,553, 65,535  1x, ${times(few!, some!)}, ${times(few!, all!)}`);
}
