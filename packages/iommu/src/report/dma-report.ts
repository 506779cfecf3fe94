import { hex } from '../address/address.js';
import type { DmaMapping, DmaSnapshot } from '../address/dma-snapshot.js';

const UNITS = ['', 'K', 'M', 'G', 'T', 'P', 'E'] as const;

/** A number of bytes that is a power of two, as `4K`. */
function unit(bytes: bigint): string {
  let value = bytes;
  let index = 0;
  while (value >= 1024n && value % 1024n === 0n) {
    value /= 1024n;
    index += 1;
  }
  return `${value}${UNITS[index] ?? ''}`;
}

/** The sizes in a bitmap; runs of powers of two as `4K…8E`. */
export function renderPageSizes(sizes: bigint): string {
  const runs: bigint[][] = [];
  for (let bit = 0n; bit < 64n; bit += 1n) {
    const size = 1n << bit;
    if (!(sizes & size)) continue;
    const run = runs.at(-1);
    if (run?.at(-1) === size / 2n) run.push(size);
    else runs.push([size]);
  }
  return runs
    .map((run) =>
      run.length > 2 ? `${unit(run[0]!)}…${unit(run.at(-1)!)}` : run.map(unit).join(' '),
    )
    .join(' ');
}

function renderMapping({ iova, size, target, read, write }: DmaMapping): string {
  const access = `${read ? 'r' : '-'}${write ? 'w' : '-'}`;
  return `  ${hex(iova)}-${hex(iova + size - 1n)} ${access} -> ${hex(target)} (${unit(size)})`;
}

/**
 * A DMA address space as text: its limits, where mappings can lie, and the mappings.
 *
 * @param most how many mappings are listed.
 */
export function renderDma(dma: DmaSnapshot, most = 32): string {
  const { kind, pageSizes, available, ranges, mappings } = dma;
  const left = mappings.length - most;
  const count = `${mappings.length} mapping${mappings.length === 1 ? '' : 's'}`;
  return [
    `${kind}: pages ${renderPageSizes(pageSizes) || 'none'}; ${count}, ${available === null ? 'no limit' : `${available} more can be made`}`,
    ...ranges.map(({ start, last }) => `  range ${hex(start)}-${hex(last)}`),
    ...mappings.slice(0, most).map(renderMapping),
    ...(left > 0 ? [`  and ${left} more`] : []),
  ].join('\n');
}
