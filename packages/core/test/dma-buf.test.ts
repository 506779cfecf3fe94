import { PciResource } from '@vfiokit/pci';
import { describe, expect, it } from 'vitest';
import { BarDmaBufProvider, type DmaBufImporter, DmaBufs } from '../src/dma-buf.js';

const EINVAL = 22;
const ENODEV = 19;
const EOPNOTSUPP = 95;
const EOVERFLOW = 75;
const RANGES = [{ iova: 0xf000_0000n, length: 0x1000n }] as const;

/** Whoever wants to be told, and what they were told. */
function importer(): DmaBufImporter & { readonly told: boolean[] } {
  const told: boolean[] = [];
  return { peerToPeer: true, told, moved: (usable) => told.push(usable) };
}

describe('a lent buffer', () => {
  it('is mapped as the ranges that it was lent with', () => {
    const buffer = new DmaBufs().export(RANGES, true);
    expect(buffer.attach(importer())).toBe(0);
    expect(buffer.map()).toEqual(RANGES);
  });

  it('starts revoked if memory is off', () => {
    const buffer = new DmaBufs().export(RANGES, false);
    expect(buffer.revoked).toBe(true);
    expect(buffer.attach(importer())).toBe(-ENODEV);
    expect(buffer.map()).toBe(-ENODEV);
  });

  it('is for importers that reach the device and can give it back', () => {
    const buffer = new DmaBufs().export(RANGES, true);
    expect(buffer.attach({ peerToPeer: false, moved: () => {} })).toBe(-EOPNOTSUPP);
    expect(buffer.attach({ peerToPeer: true })).toBe(-EOPNOTSUPP);
    const revoked = new DmaBufs().export(RANGES, false);
    expect(revoked.attach({ peerToPeer: false, moved: () => {} })).toBe(-EOPNOTSUPP);
  });

  it('tells its importers when it is revoked and when it can be used again, once each', () => {
    const buffers = new DmaBufs();
    const buffer = buffers.export(RANGES, true);
    const told = importer();
    const gone = importer();
    buffer.attach(told);
    buffer.attach(gone);
    buffer.detach(gone);
    buffers.move(true);
    buffers.move(true);
    expect(buffer.map()).toBe(-ENODEV);
    buffers.move(false);
    expect(buffer.map()).toEqual(RANGES);
    expect(told.told).toEqual([false, true]);
    expect(gone.told).toEqual([]);
  });
});

describe('the buffers of a device', () => {
  it('are forgotten when they are closed', () => {
    const buffers = new DmaBufs();
    const buffer = buffers.export(RANGES, true);
    buffers.export(RANGES, true);
    expect(buffers.size).toBe(2);
    buffer.close();
    expect(buffers.size).toBe(1);
  });

  it('are husks once the device is closed, whatever happens to it later', () => {
    const buffers = new DmaBufs();
    const buffer = buffers.export(RANGES, true);
    const told = importer();
    buffer.attach(told);
    buffers.abandon();
    expect([buffers.size, told.told, buffer.map()]).toEqual([0, [false], -ENODEV]);
    buffers.move(false);
    buffer.setUsable(true);
    expect(buffer.map()).toBe(-ENODEV);
    expect(buffer.attach(importer())).toBe(-ENODEV);
    buffer.close();
  });
});

describe('the memory behind a BAR', () => {
  const MEMORY = 0x200;
  const IO = 0x100;
  const ranges = (resource: PciResource, offset: bigint, length: bigint) =>
    new BarDmaBufProvider({ resources: [resource] } as never).physicalRanges(0, offset, length);

  it('is where the host has put it', () => {
    const bar = new PciResource(0x40_0000_0000n, 0x10000, MEMORY);
    expect(ranges(bar, 0x1000n, 0x2000n)).toEqual([{ iova: 0x40_0000_1000n, length: 0x2000n }]);
    expect(ranges(bar, 0n, 0x10000n)).toEqual([{ iova: 0x40_0000_0000n, length: 0x10000n }]);
  });

  it('ends with the BAR', () => {
    const bar = new PciResource(0xf000_0000n, 0x10000, MEMORY);
    expect(ranges(bar, 0xf000n, 0x2000n)).toBe(-EINVAL);
    expect(ranges(bar, 2n ** 40n, 0x1000n)).toBe(-EINVAL);
  });

  it('is no memory behind ports', () => {
    expect(ranges(new PciResource(0x1000n, 0x1000, IO), 0n, 0x1000n)).toBe(-EINVAL);
  });

  it('does not wrap around', () => {
    const bar = new PciResource(0xffff_ffff_ffff_0000n, 0x10000, MEMORY);
    expect(ranges(bar, 0n, 0x20000n)).toBe(-EOVERFLOW);
    expect(ranges(bar, 0x8000n, 0x10000n)).toBe(-EOVERFLOW);
    expect(ranges(bar, 0n, 0x10000n)).toHaveLength(1);
  });
});
