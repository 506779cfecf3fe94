import {
  DMA_READ,
  DMA_WRITE,
  KvmTceHypercalls,
  type KvmTceTable,
  KvmVfio,
  KvmVm,
  POWERNV,
} from '@vfiokit/iommu';
import { describe, expect, test } from 'vitest';
import { ARENA, le, TestHost } from '../support/host.js';

const [H_SUCCESS, H_PARAMETER, H_TOO_HARD] = [0, -4, 9999];
const LIOBN = 0x8000_0000;
const GUEST = 0x10000000;

/** A guest of 16 MiB whose table is tied to the default window of a v2 container. */
function guest(pageShift = 12) {
  const host = new TestHost({ backends: ['spapr-tce'] });
  const device = host.device({ caps: { tce: POWERNV } });
  const container = host.ready(7, device);
  container.ioctl(0x3b75, le(24, [0, 4, 24], [8, 8, ARENA], [16, 8, 0x800000]));
  container.map(0, ARENA, 0x1000);
  container.unmap(0, 0x1000);
  const vm = new KvmVm(host.process);
  vm.memory.add({ guest: GUEST, size: 0x1000000, address: ARENA });
  const vfio = vm.createVfioDevice() as KvmVfio;
  const table = vm.createTceTable({
    liobn: LIOBN,
    pageShift,
    offset: 0,
    size: 0x4000_0000 / 2 ** pageShift,
  }) as KvmTceTable;
  const fd = container.groupFds.get(device)!;
  vfio.setAttribute(1, 1, le(4, [0, 4, fd]), host.process);
  vfio.setAttribute(1, 3, le(8, [0, 4, fd], [4, 4, host.fd(table)]), host.process);
  return { host, device, container, vm, vfio, fd, table, calls: new KvmTceHypercalls(vm) };
}

const reaches = ({ device }: ReturnType<typeof guest>, iova: number, access = DMA_READ) => {
  const hit = device.iommuGroup!.dma.translate(iova, access);
  return hit?.offset;
};

describe('TCE hypercalls in the kernel', () => {
  test('[iommu:221] leave unknown tables to the monitor', () => {
    const { calls } = guest();
    expect(calls.put(1, 0, 3n)).toBe(H_TOO_HARD);
    expect(calls.putIndirect(1, 0, 0, 1)).toBe(H_TOO_HARD);
    expect(calls.stuff(1, 0, 0n, 1)).toBe(H_TOO_HARD);
    expect(calls.get(1, 0)).toBe(H_TOO_HARD);
  });

  test('set hardware entries, which devices see at once', () => {
    const set = guest();
    expect(set.calls.put(LIOBN, 0x3000, BigInt(GUEST + 0x5000) | 1n)).toBe(H_SUCCESS);
    expect(reaches(set, 0x3010)).toBe(0x5010);
    expect(reaches(set, 0x3010, DMA_WRITE)).toBeUndefined();
    expect(set.calls.get(LIOBN, 0x3000)).toBe(BigInt(GUEST + 0x5000) | 1n);
  });

  test('take a guest’s large page as many small ones', () => {
    const set = guest(16);
    expect(set.calls.put(LIOBN, 0x10000, BigInt(GUEST + 0x20000) | 3n)).toBe(H_SUCCESS);
    expect([0x10000, 0x1f000].map((iova) => reaches(set, iova))).toEqual([0x20000, 0x2f000]);
  });

  test('keep a value without permission as it is, and clear the entry', () => {
    const set = guest();
    set.calls.put(LIOBN, 0, BigInt(GUEST) | 3n);
    expect(set.calls.put(LIOBN, 0, 0xdead0n)).toBe(H_SUCCESS);
    expect(set.calls.get(LIOBN, 0)).toBe(0xdead0n);
    expect(reaches(set, 0)).toBeUndefined();
  });

  test('refuse what is not in the table, or not a page of it', () => {
    const { calls } = guest();
    expect(calls.put(LIOBN, 0x4000_0000, 3n)).toBe(H_PARAMETER);
    expect(calls.put(LIOBN, 0x800, 3n)).toBe(H_PARAMETER);
    expect(calls.get(LIOBN, 0x4000_0000)).toBe(H_PARAMETER);
  });

  test('leave to the monitor what is not aligned, not memory, or not registered', () => {
    const { calls } = guest();
    const targets = [GUEST + 0x800, 0x5000_0000, GUEST + 0x800000];
    expect(targets.map((target) => calls.put(LIOBN, 0, BigInt(target) | 3n))).toEqual(
      Array(3).fill(H_TOO_HARD),
    );
  });

  test('take lists of up to 512 from a page of the guest, none of them first if one is bad', () => {
    const set = guest();
    const list = new DataView(set.host.arena.buffer, 0x1000, 0x1000);
    for (let i = 0; i < 512; i += 1)
      list.setBigUint64(i * 8, BigInt(GUEST + i * 0x1000) | 3n, false);
    expect(set.calls.putIndirect(LIOBN, 0, GUEST + 0x1000, 513)).toBe(H_PARAMETER);
    expect(set.calls.putIndirect(LIOBN, 0, GUEST + 0x1008, 1)).toBe(H_PARAMETER);
    expect(set.calls.putIndirect(LIOBN, 0, GUEST + 0x1000, 0)).toBe(H_SUCCESS);
    expect(set.calls.putIndirect(LIOBN, 0, GUEST + 0x1000, 512)).toBe(H_SUCCESS);
    expect(reaches(set, 511 * 0x1000)).toBe(511 * 0x1000);
    list.setBigUint64(8, 0x5000_0003n, false);
    expect(set.calls.putIndirect(LIOBN, 0x1000000, GUEST + 0x1000, 2)).toBe(H_TOO_HARD);
    expect(reaches(set, 0x1000000)).toBeUndefined();
    expect(set.calls.putIndirect(LIOBN, 0, 0x5000_0000, 1)).toBe(H_TOO_HARD);
  });

  test('[iommu:226] stuff entries only with values that give no access', () => {
    const set = guest();
    set.calls.put(LIOBN, 0x2000, BigInt(GUEST) | 3n);
    expect(set.calls.stuff(LIOBN, 0, 3n, 4)).toBe(H_PARAMETER);
    expect(set.calls.stuff(LIOBN, 0, 0n, 0x40001)).toBe(H_PARAMETER);
    expect(set.calls.stuff(LIOBN, 0, 0n, 0)).toBe(H_SUCCESS);
    expect(set.calls.stuff(LIOBN, 0, 0n, 4)).toBe(H_SUCCESS);
    expect(reaches(set, 0x2000)).toBeUndefined();
  });

  test('stop to reach a table once its group is taken from the machine', () => {
    const set = guest();
    set.calls.put(LIOBN, 0, BigInt(GUEST) | 3n);
    set.vfio.setAttribute(1, 2, le(4, [0, 4, set.fd]), set.host.process);
    expect(set.table.links).toEqual([]);
    set.calls.put(LIOBN, 0x1000, BigInt(GUEST) | 3n);
    expect([reaches(set, 0), reaches(set, 0x1000)]).toEqual([0, undefined]);
  });
});
