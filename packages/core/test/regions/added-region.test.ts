import { FaultingBuffer } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import type { DeviceRegion, RegionOps } from '../../src/extension.js';
import { AddedRegion } from '../../src/regions/added-region.js';
import { Positions } from '../../src/regions/positions.js';

const EFAULT = 14;
const EINVAL = 22;
const VENDOR_TYPE = 0x80001234;

/** A region of 16 bytes that notes its accesses. */
function noted() {
  const bytes = Uint8Array.from({ length: 16 }, (_, i) => i);
  const log: string[] = [];
  const ops: RegionOps = {
    read(offset, size) {
      log.push(`R${size}@${offset}`);
      return bytes.subarray(offset, offset + size).reduceRight((sum, byte) => sum * 256 + byte, 0);
    },
    write(offset, size, value) {
      log.push(`W${size}@${offset}`);
      for (let i = 0; i < size; i += 1) bytes[offset + i] = value >>> (8 * i);
      return 0;
    },
  };
  return { bytes, log, ops };
}

const region = (ops: RegionOps, extra: Partial<DeviceRegion> = {}) =>
  new AddedRegion(
    '0000:00:03.0: region 9',
    9,
    { type: VENDOR_TYPE, subtype: 7, size: 16, flags: 3, ops, ...extra },
    new Positions(),
  );

describe('a region that a driver added', () => {
  it('[core:C2.17] tells its type first', () => {
    const ops = {
      ...noted().ops,
      capabilities: () => [{ id: 1, version: 1, body: new Uint8Array(8) }],
    };
    const info = region(ops).info();
    expect(info.capabilities.map(({ id, version }) => [id, version])).toEqual([
      [2, 1],
      [1, 1],
    ]);
    expect([...info.capabilities[0]!.body]).toEqual([0x34, 0x12, 0, 0x80, 7, 0, 0, 0]);
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 40 + 1])('is refused with a size of %d bytes', (size) => {
    expect(() => region(noted().ops, { size })).toThrow(
      expect.objectContaining({
        code: 'EINVAL',
        message: `0000:00:03.0: region 9: a size of ${size}; it takes whole bytes, at most 1099511627776`,
      }),
    );
  });

  it('may be as large as there is room between two of them', () => {
    expect(region(noted().ops, { size: 2 ** 40 }).info().size).toBe(2 ** 40);
  });

  it('is refused without somebody who answers for it', () => {
    const nothing = {} as unknown as RegionOps;
    expect(() => region(nothing)).toThrow(/its ops need read and write/);
    const { ops: _, ...bare } = { type: VENDOR_TYPE, subtype: 7, size: 16, flags: 3, ops: nothing };
    expect(
      () => new AddedRegion('region 9', 9, bare as unknown as DeviceRegion, new Positions()),
    ).toThrow(/its ops need read and write/);
  });

  it('gets aligned pieces that lie inside it', () => {
    const { ops, log } = noted();
    const bytes = new Uint8Array(9);
    expect(region(ops).pread(bytes, 3)).toBe(9);
    expect(log).toEqual(['R1@3', 'R4@4', 'R4@8']);
    expect([...bytes]).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it('is cut at its end', () => {
    const { ops } = noted();
    expect(region(ops).pread(new Uint8Array(8), 12)).toBe(4);
    expect(region(ops).pread(new Uint8Array(8), 16)).toBe(-EINVAL);
    expect(region(ops).read(14, 4)).toBe(-EINVAL);
    expect(region(ops).write(16, 1, 0)).toBe(-EINVAL);
  });

  it('passes errors of a piece on', () => {
    const { ops } = noted();
    expect(region({ ...ops, read: () => -5 }).pread(new Uint8Array(4), 0)).toBe(-5);
    expect(region({ ...ops, write: () => -5 }).write(0, 4, 0)).toBe(-5);
  });

  it('[core:C3.40] may take a transfer whole, with the position as the user gave it', () => {
    const seen: [number, number, boolean][] = [];
    const ops: RegionOps = {
      ...noted().ops,
      transfer(bytes, position, isWrite) {
        seen.push([bytes.length, position, isWrite]);
        return bytes.length;
      },
    };
    const added = region(ops);
    expect(added.pread(new Uint8Array(100), 5)).toBe(100);
    expect(added.pwrite(new Uint8Array(1), 0)).toBe(1);
    expect(seen).toEqual([
      [100, 9 * 2 ** 40 + 5, false],
      [1, 9 * 2 ** 40, true],
    ]);
  });

  it('makes single values of such transfers, which have to be whole', () => {
    const bytes = Uint8Array.of(0xef, 0xcd, 0xab, 0x89);
    const short = { count: 4 };
    const ops: RegionOps = {
      ...noted().ops,
      transfer(buffer, _position, isWrite) {
        if (isWrite) bytes.set(buffer as Uint8Array);
        else (buffer as Uint8Array).set(bytes.subarray(0, buffer.length));
        return short.count;
      },
    };
    const added = region(ops);
    expect(added.read(0, 4)).toBe(0x89abcdef);
    expect(added.write(0, 4, 0x01234567)).toBe(4);
    expect([...bytes]).toEqual([0x67, 0x45, 0x23, 0x01]);
    short.count = 3;
    expect(added.read(0, 4)).toBe(-EINVAL);
    short.count = -5;
    expect([added.read(0, 4), added.write(0, 4, 0)]).toEqual([-5, -5]);
  });

  it('can be mapped only if it says so', () => {
    const mapping = { length: 4096 } as never;
    const ops = { ...noted().ops, mmap: () => mapping };
    expect(region(ops).mmap(0, 4096)).toBe(-EINVAL);
    expect(region(ops, { flags: 7 }).mmap(0, 4096)).toBe(mapping);
    expect(region(noted().ops, { flags: 7 }).mmap(0, 4096)).toBe(-EINVAL);
  });

  it('is not asked for memory of a user that faults', () => {
    expect(region(noted().ops).pread(new FaultingBuffer(4), 0)).toBe(-EFAULT);
  });
});
