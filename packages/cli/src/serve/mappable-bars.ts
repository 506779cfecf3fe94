import type { Bar, MsixWindow, PciFunction } from '@vfiokit/pci';
import { type RegionArea, type SharedMemory, UnixTransport } from '@vfiokit/vfio-user';

/** What clients map in. */
const PAGE = 4096;
/** More is not to be had in one piece here. */
const LARGEST = 2 ** 30;

/**
 * Puts the plain RAM behind a function's BARs into memory that clients can map. Where MSI-X lies in a BAR, its pages stay
 * with the device.
 *
 * @returns by BAR; nothing where descriptors can't be passed.
 */
export function mappableBars(
  fn: PciFunction,
  transport: { readonly passesDescriptors: boolean },
): ReadonlyMap<number, SharedMemory> {
  const shared = new Map<number, SharedMemory>();
  if (!(transport instanceof UnixTransport)) return shared;
  for (const bar of fn.bars) {
    if (bar?.ram === undefined || bar.size < PAGE || bar.size > LARGEST) continue;
    const areas = mappableAreas(bar, fn.msix === undefined ? [] : [fn.msix.table, fn.msix.pba]);
    if (areas.length === 0) continue;
    const memory = transport.createMemory(bar.size);
    bar.ram.moveTo(memory.bytes);
    const whole = areas[0]!.size === bar.size;
    shared.set(bar.index, whole ? memory : { ...memory, areas });
  }
  return shared;
}

/** The pages of a BAR that hold nothing of MSI-X, in order. */
function mappableAreas(bar: Bar, windows: readonly MsixWindow[]): readonly RegionArea[] {
  const holes = windows
    .filter((window) => window.bar === bar.index)
    .map(({ offset, size }) => [floor(offset), floor(offset + size + PAGE - 1)] as const)
    .sort(([a], [b]) => a - b);
  const areas: RegionArea[] = [];
  let start = 0;
  for (const [from, to] of [...holes, [bar.size, bar.size] as const]) {
    if (from > start) areas.push({ offset: start, size: from - start });
    start = Math.max(start, to);
  }
  return areas;
}

const floor = (offset: number) => offset - (offset % PAGE);
