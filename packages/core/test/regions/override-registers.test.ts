import { StubRegion } from '@vfiokit/testing';
import { FaultingBuffer } from '@vfiokit/uapi';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { overrideRegisters, type Region, type RegionRegister } from '../../src/index.js';

const EIO = 5;
const EFAULT = 14;
const EINVAL = 22;
const SIZE = 64;

/** 64 bytes, each its own number, with registers in front. */
function standing(...registers: RegionRegister[]) {
  const below = new StubRegion(SIZE);
  below.bytes.forEach((_, at) => {
    below.bytes[at] = at;
  });
  return { below, region: overrideRegisters(below, registers) };
}

/** A register that keeps what is written. */
function storage(offset: number, length: 1 | 2 | 4, value = 0) {
  const register = {
    offset,
    length,
    value,
    read: () => register.value,
    write(written: number) {
      register.value = written;
      return 0;
    },
  };
  return register;
}

const preadOf = (region: Region, offset: number, length: number) => {
  const bytes = new Uint8Array(length);
  const count = region.pread(bytes, offset);
  return count < 0 ? count : [...bytes.subarray(0, count)];
};

describe('registers in front of a region', () => {
  it('are read whole, in part and together with their neighbours', () => {
    const { region } = standing(storage(0x10, 4, 0xf1e2d3c4));
    expect(region.read(0x10, 4)).toBe(0xf1e2d3c4);
    expect(region.read(0x12, 2)).toBe(0xf1e2);
    expect(region.read(0x11, 1)).toBe(0xd3);
    expect(region.read(0x14, 4)).toBe(0x17161514);
    const { region: narrow } = standing(storage(0x11, 1, 0xee));
    expect(narrow.read(0x10, 4)).toBe(0x1312ee10);
  });

  it('are written whole, in part and together with their neighbours', () => {
    const register = storage(0x10, 4, 0x44332211);
    const { region, below } = standing(register);
    expect(region.write(0x12, 1, 0xff)).toBe(1);
    expect(register.value).toBe(0x44ff2211);
    expect(region.write(0x10, 4, 0xdeadbeef)).toBe(4);
    expect(register.value).toBe(0xdeadbeef);
    expect(region.pwrite(Uint8Array.of(1, 2, 3, 4, 5, 6), 0x0f)).toBe(6);
    expect(register.value).toBe(0x05040302);
    expect([...below.bytes.subarray(0x0e, 0x16)]).toEqual([14, 1, 16, 17, 18, 19, 6, 21]);
    const low = storage(0x20, 1);
    const other = standing(low);
    expect(other.region.write(0x20, 4, 0xaabbccdd)).toBe(4);
    expect(low.value).toBe(0xdd);
    expect([...other.below.bytes.subarray(0x20, 0x24)]).toEqual([0x20, 0xcc, 0xbb, 0xaa]);
  });

  it('show by read(2) what single accesses show', () => {
    const { region } = standing(storage(0x10, 4, 0x11223344), storage(0x14, 2, 0x5566));
    expect(preadOf(region, 0x0e, 10)).toEqual([
      14, 15, 0x44, 0x33, 0x22, 0x11, 0x66, 0x55, 0x16, 0x17,
    ]);
    expect(preadOf(region, 0x11, 2)).toEqual([0x33, 0x22]);
  });

  it('agree on every way in, whatever the registers and the range', () => {
    const lengths = fc.constantFrom<1 | 2 | 4>(1, 2, 4);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: SIZE / 4 - 1 }), { maxLength: 5 }),
        fc.array(lengths, { minLength: 5, maxLength: 5 }),
        fc.integer({ min: 0, max: SIZE - 1 }),
        fc.uint8Array({ minLength: 1, maxLength: SIZE }),
        (dwords, sizes, offset, data) => {
          const registers = () =>
            dwords.map((dword, i) => storage(4 * dword, sizes[i]!, 0xa5 + dword));
          const whole = standing(...registers());
          const single = standing(...registers());
          const count = Math.min(data.length, SIZE - offset);
          // The stub takes what lies behind its end; a BAR does not.
          expect(whole.region.pwrite(data.subarray(0, count), offset)).toBe(count);
          for (const [i, byte] of data.subarray(0, count).entries())
            expect(single.region.write(offset + i, 1, byte)).toBe(1);
          const bytes = preadOf(whole.region, 0, SIZE) as number[];
          for (const size of [1, 2, 4])
            for (let at = 0; at < SIZE; at += size)
              expect(single.region.read(at, size)).toBe(
                bytes.slice(at, at + size).reduceRight((value, byte) => value * 256 + byte, 0),
              );
        },
      ),
    );
  });

  it('may ask what is below', () => {
    const { region, below } = standing({
      offset: 0x10,
      length: 2,
      read: (next) => next() + 1,
      write: (value, next) => next(value ^ 0xffff),
    });
    expect(region.read(0x10, 2)).toBe(0x1111);
    expect(region.write(0x10, 2, 0x00ff)).toBe(2);
    expect([...below.bytes.subarray(0x10, 0x12)]).toEqual([0x00, 0xff]);
  });

  it('refuse with an errno, and drop writes that they have no use for', () => {
    const { region, below } = standing(
      { offset: 0x10, length: 4, read: () => -EIO, write: () => -EIO },
      { offset: 0x20, length: 4, read: () => 7 },
    );
    expect(region.read(0x10, 4)).toBe(-EIO);
    expect(region.read(0x12, 1)).toBe(-EIO);
    expect(region.write(0x10, 4, 0)).toBe(-EIO);
    expect(region.write(0x12, 1, 0)).toBe(-EIO);
    expect(preadOf(region, 0x0c, 12)).toBe(-EIO);
    expect(region.pwrite(new Uint8Array(12), 0x10)).toBe(-EIO);
    expect(region.write(0x20, 4, 9)).toBe(4);
    expect(region.read(0x20, 4)).toBe(7);
    expect(below.bytes[0x20]).toBe(0x20);
  });

  it('leave the ends of a region as they are', () => {
    const { region } = standing(storage(SIZE - 4, 4, 0xffffffff));
    expect(preadOf(region, SIZE - 6, 16)).toEqual([58, 59, 255, 255, 255, 255]);
    expect(region.read(SIZE - 3, 2)).toBe(-EINVAL);
    expect(region.write(SIZE - 3, 2, 0)).toBe(-EINVAL);
  });

  it('come to a stop where what is below does', () => {
    const below = Object.assign(new StubRegion(SIZE), { pread: () => 1, pwrite: () => 1 });
    const region = overrideRegisters(below, [storage(0, 4)]);
    expect(region.pread(new Uint8Array(12), 0)).toBe(5);
    expect(region.pwrite(new Uint8Array(12), 0)).toBe(5);
  });

  it('can not be copied through a pointer that faults', () => {
    const { region } = standing(storage(0, 4));
    expect(region.pread(new FaultingBuffer(4), 0)).toBe(-EFAULT);
    expect(region.pwrite(new FaultingBuffer(4), 0)).toBe(-EFAULT);
  });

  it('take mapping from the region, and what it says of it', () => {
    const capability = (id: number) => ({ id, version: 1, body: new Uint8Array(0) });
    const mappable = Object.assign(new StubRegion(SIZE), {
      info: () => ({ size: SIZE, flags: 7, capabilities: [1, 2, 3].map(capability) }),
      mmap: () => -EIO,
    });
    const region = overrideRegisters(mappable, [storage(0, 4)]);
    expect(region.mmap).toBeUndefined();
    expect(region.info()).toEqual({ size: SIZE, flags: 3, capabilities: [capability(2)] });
    expect(overrideRegisters(mappable, [])).toBe(mappable);
    const absent = Object.assign(new StubRegion(SIZE), { info: () => -EINVAL });
    expect(() => overrideRegisters(absent, [storage(0, 4)])).toThrow(/0 bytes/);
  });

  it.each([
    [[storage(2, 4)], /0x2: is not aligned to its 4 bytes/],
    [[storage(4, 4), storage(6, 2)], /0x6: lies on another one/],
    [[storage(SIZE, 4)], /4 bytes there are outside of its region/],
  ])('have a place of their own, aligned and inside', (registers, message) => {
    expect(() => standing(...registers)).toThrow(
      expect.objectContaining({ code: 'EINVAL', message: expect.stringMatching(message) }),
    );
  });
});
