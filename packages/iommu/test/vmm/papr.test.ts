import { type IommuEvent, PaprHostBridge, PaprTceHypercalls } from '@vfiokit/iommu';
import { describe, expect, test } from 'vitest';

const [H_SUCCESS, H_PARAMETER] = [0, -4];
const LIOBN = 0x8000_0000;

/** A bridge and its hypercalls; guest memory is a page of bytes. */
function bridge(options: Partial<ConstructorParameters<typeof PaprHostBridge>[0]> = {}) {
  const list = new Uint8Array(0x2000);
  const calls = new PaprTceHypercalls((guest, length) =>
    guest + length <= list.length ? list.subarray(guest, guest + length) : undefined,
  );
  const made = new PaprHostBridge({ index: 0, ...options }, calls);
  const events: IommuEvent[] = [];
  made.tables[0]!.subscribe((event) => events.push(event));
  return { bridge: made, calls, events, list: new DataView(list.buffer) };
}

const unit = (made: PaprHostBridge) => [0, Math.floor(made.buid / 2 ** 32), made.buid % 2 ** 32];

describe('TCE hypercalls in the monitor', () => {
  test('[iommu:221] know the tables of its bridges only', () => {
    const { calls } = bridge();
    expect([1, LIOBN + 2 ** 32].map((liobn) => calls.put(liobn, 0, 3n))).toEqual([
      H_PARAMETER,
      H_PARAMETER,
    ]);
    expect(calls.get(1, 0)).toBe(H_PARAMETER);
  });

  test('[iommu:222] tell of an unmap where no permission is left, from the start of the window', () => {
    const { calls, events } = bridge();
    calls.put(LIOBN, 0x3000, 0x12345003n);
    calls.put(LIOBN, 0x3000, 0x777000n);
    expect(events).toEqual([
      { iova: 0x3000, size: 0x1000, target: 0x12345000, access: 3 },
      { iova: 0x3000, size: 0x1000, target: 0x777000, access: 0 },
    ]);
  });

  test('[iommu:222] tell of it from the start of a window that does not start at 0, too', () => {
    const { bridge: made, calls } = bridge();
    const [, liobn] = made.createWindow([...unit(made), 16, 24], 4);
    const events: IommuEvent[] = [];
    made.tables[1]!.subscribe((event) => events.push(event));
    const start = 2 ** 59;
    expect(calls.put(liobn!, start + 0x30000, 0x50003n)).toBe(H_SUCCESS);
    expect(calls.put(liobn!, start + 0x30000, 0n)).toBe(H_SUCCESS);
    expect(events.map(({ iova, size, access }) => [iova, size, access])).toEqual([
      [0x30000, 0x10000, 3],
      [0x30000, 0x10000, 0],
    ]);
  });

  test('round an address down to its page, and mask the target', () => {
    const { calls, events } = bridge();
    expect(calls.put(LIOBN, 0x3fff, 0x12345ff1n)).toBe(H_SUCCESS);
    expect(events).toEqual([{ iova: 0x3000, size: 0x1000, target: 0x12345000, access: 1 }]);
    expect(calls.get(LIOBN, 0x3123)).toBe(0x12345ff1n);
  });

  test('[iommu:223] take lists of 1 to 512 entries from a page', () => {
    const { calls, list } = bridge();
    for (let i = 0; i < 512; i += 1) list.setBigUint64(0x1000 + i * 8, 3n, false);
    expect(calls.putIndirect(LIOBN, 0, 0x1000, 513)).toBe(H_PARAMETER);
    expect(calls.putIndirect(LIOBN, 0, 0x1000, 0)).toBe(H_PARAMETER);
    expect(calls.putIndirect(LIOBN, 0, 0x1008, 1)).toBe(H_PARAMETER);
    expect(calls.putIndirect(LIOBN, 0, 0x5000, 1)).toBe(H_PARAMETER);
    expect(calls.putIndirect(LIOBN, 0, 0x1000, 512)).toBe(H_SUCCESS);
  });

  test('[iommu:224] stop at the first entry that is out of range; those before it stay', () => {
    const { calls, list, events } = bridge();
    for (let i = 0; i < 3; i += 1) list.setBigUint64(i * 8, 3n, false);
    expect(calls.putIndirect(LIOBN, 0x4000_0000 - 0x2000, 0, 3)).toBe(H_PARAMETER);
    expect(events.map(({ iova }) => iova)).toEqual([0x3fff_e000, 0x3fff_f000]);
  });

  test('[iommu:225] stuff as many entries as asked for', () => {
    const { calls, events } = bridge();
    expect(calls.stuff(LIOBN, 0, 0n, 5)).toBe(H_SUCCESS);
    expect(events.map(({ iova, access }) => [iova, access])).toEqual(
      [0, 1, 2, 3, 4].map((page) => [page * 0x1000, 0]),
    );
    expect(calls.stuff(LIOBN, 0, 0n, 0)).toBe(H_PARAMETER);
    expect(calls.stuff(LIOBN, 0, 0n, 0x40001)).toBe(H_PARAMETER);
    expect(calls.stuff(LIOBN, 0, 0x1003n, 2)).toBe(H_SUCCESS);
  });

  test('tell a newcomer of what is mapped already', () => {
    const { bridge: made, calls } = bridge();
    calls.put(LIOBN, 0x3000, 0x5003n);
    calls.put(LIOBN, 0x4000, 0x5000n);
    const seen: IommuEvent[] = [];
    const stop = made.tables[0]!.subscribe((event) => seen.push(event));
    stop();
    calls.put(LIOBN, 0x5000, 3n);
    expect(seen).toEqual([{ iova: 0x3000, size: 0x1000, target: 0x5000, access: 3 }]);
  });
});

describe('DMA windows of a host bridge', () => {
  test('[iommu:227] are two, of which one is there', () => {
    const { bridge: made } = bridge();
    expect(made.queryWindows(unit(made), 5)).toEqual([0, 1, 0x8000_0000, 0b11, 0]);
  });

  test('[iommu:228] want pages no larger than themselves, and room', () => {
    const { bridge: made } = bridge();
    expect(made.createWindow([...unit(made), 16, 12], 4)).toEqual([-3]);
    expect(made.createWindow([...unit(made), 24, 30], 4)).toEqual([-3]);
    expect(made.createWindow([...unit(made), 16, 35], 4)).toEqual([0, LIOBN + 1, 0x800_0000, 0]);
    expect(made.createWindow([...unit(made), 16, 35], 4)).toEqual([-1]);
  });

  test('[iommu:229] are the default one after a reset', () => {
    const { bridge: made } = bridge();
    made.removeWindow([LIOBN], 1);
    made.createWindow([...unit(made), 16, 40], 4);
    made.reset();
    expect(made.tables.map(({ start, size, pageShift }) => [start, size, pageShift])).toEqual([
      [0, 0x4000_0000, 12],
    ]);
    expect(made.resetWindows(unit(made), 1)).toEqual([0]);
  });

  test('take the place of the default one once that is removed', () => {
    const { bridge: made, calls } = bridge();
    expect(made.removeWindow([LIOBN], 1)).toEqual([0]);
    expect(calls.put(LIOBN, 0, 3n)).toBe(H_PARAMETER);
    expect(made.createWindow([...unit(made), 12, 30], 4)).toEqual([0, LIOBN, 0, 0]);
    expect(made.removeWindow([LIOBN + 1], 1)).toEqual([-3]);
  });

  test('of another bridge, with other arguments or without the feature are refused', () => {
    const { bridge: made } = bridge();
    const { bridge: fixed } = bridge({ ddw: false });
    expect(made.queryWindows([0, 0, 1], 5)).toEqual([-3]);
    expect(made.queryWindows(unit(made), 6)).toEqual([-3]);
    expect(made.resetWindows(unit(made).slice(1), 1)).toEqual([-3]);
    expect(fixed.queryWindows(unit(fixed), 5)).toEqual([-3]);
    expect(fixed.removeWindow([LIOBN], 1)).toEqual([-3]);
  });

  test('of two bridges have numbers of their own', () => {
    expect(bridge({ index: 3 }).bridge.tables[0]!.liobn).toBe(0x8000_0300);
  });
});
