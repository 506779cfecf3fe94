import { DMA_READ, type DmaDomain, DmaPort, IdentityDomain } from '@vfiokit/iommu';
import { UserMemory } from '@vfiokit/uapi';
import { describe, expect, test } from 'vitest';
import { EFAULT } from '../support/errno.js';
import { ARENA, HOLE, TestHost } from '../support/host.js';

const GIB = 2 ** 30;

describe('a device’s DMA', () => {
  test.each([
    ['below 4 GiB', 0x1000],
    ['across 4 GiB', 2 ** 32 - 0x1000],
    ['far above', 2 ** 47],
  ])('reads and writes %s', (_title, iova) => {
    const host = new TestHost();
    const device = host.device();
    host.ready(3, device).map(iova, ARENA, 0x4000);
    const { dma } = device.iommuGroup!;
    const from = Uint8Array.from({ length: 0x2100 }, (_, i) => i & 0xff);
    expect(dma.write(iova + 0xfff, from)).toBe(from.length);
    const into = new Uint8Array(from.length);
    expect(dma.read(BigInt(iova + 0xfff), into)).toBe(from.length);
    expect(into).toEqual(from);
    expect(host.arena[0xfff]).toBe(0);
    expect(host.arena[0x1000]).toBe(1);
  });

  test('reaches every byte of the last page there is', () => {
    const host = new TestHost();
    const device = host.device({ caps: { aperture: { start: 0, end: 2 ** 64 } } });
    host.ready(3, device).map(0xffff_ffff_ffff_f000n, ARENA, 0x1000);
    const { dma } = device.iommuGroup!;
    expect(dma.write(0xffff_ffff_ffff_fffdn, Uint8Array.of(1, 2, 3))).toBe(3);
    expect([...host.arena.subarray(0xffd, 0x1000)]).toEqual([1, 2, 3]);
    expect(dma.write(0xffff_ffff_ffff_fffdn, Uint8Array.of(4, 5, 6, 7))).toBe(3);
  });

  test('takes a gigabyte as one range', () => {
    const host = new TestHost();
    const device = host.device();
    host.process.memory.map({ address: HOLE, size: GIB, writable: true });
    host.ready(3, device).map(0, HOLE, GIB);
    let translated = 0;
    const domain: DmaDomain = {
      name: 'counting',
      translate(iova, access, hit) {
        translated += 1;
        return device.iommuGroup!.domain.translate(iova, access, hit);
      },
    };
    const dma = new DmaPort(() => domain);
    expect(dma.read(0, new Uint8Array(16 << 20))).toBe(16 << 20);
    expect(translated).toBe(1);
    expect(dma.translate(0, DMA_READ)!.length).toBe(GIB);
  });

  test('tells how far it got before it faulted', () => {
    const host = new TestHost();
    const device = host.device();
    host.ready(3, device).map(0, ARENA, 0x1000);
    const { dma } = device.iommuGroup!;
    expect(dma.read(0xff0, new Uint8Array(64))).toBe(16);
    expect(dma.read(0x1000, new Uint8Array(64))).toBe(EFAULT);
    expect(dma.read(0x1000, new Uint8Array(0))).toBe(0);
  });

  test('without an IOMMU goes to physical addresses', () => {
    const memory = new UserMemory();
    memory.map({
      address: 0x1000,
      size: 0x1000,
      writable: false,
      bytes: new Uint8Array(0x1000).fill(9),
    });
    const dma = new DmaPort(() => new IdentityDomain(memory));
    const byte = new Uint8Array(1);
    expect([dma.read(0x1800, byte), byte[0], dma.write(0x1800, byte), dma.read(0, byte)]).toEqual([
      1,
      9,
      EFAULT,
      EFAULT,
    ]);
    expect(dma.translate(0x1800, DMA_READ)!.length).toBe(0x800);
    expect(`${dma}`).toBe('DMA through identity');
  });

  test('to memory without contents reads zeroes, and loses what it writes', () => {
    const host = new TestHost();
    const device = host.device();
    host.process.memory.map({ address: HOLE, size: 0x1000, writable: true });
    host.ready(3, device).map(0, HOLE, 0x1000);
    const { dma } = device.iommuGroup!;
    expect(dma.write(0, Uint8Array.of(5))).toBe(1);
    const byte = Uint8Array.of(7);
    expect([dma.read(0, byte), byte[0]]).toEqual([1, 0]);
  });
});
