import { StubRegion } from '@vfiokit/testing';
import { describe, expect, it } from 'vitest';
import { FakeBarConfig, FakeBarRegister } from '../src/index.js';

const GIB = 2 ** 30;

function config(hasResmem = true) {
  const next = new StubRegion(256);
  next.bytes.fill(0x77);
  const resmem = hasResmem ? new FakeBarRegister(GIB) : undefined;
  return { next, config: new FakeBarConfig(next, resmem, new FakeBarRegister(128 * GIB)) };
}

const ONES = new Uint8Array(8).fill(0xff);
const read = (region: FakeBarConfig, offset: number, length: number) => {
  const bytes = new Uint8Array(length);
  expect(region.pread(bytes, offset)).toBe(length);
  return [...bytes];
};

describe('the registers of fake BARs', () => {
  it('[derived:152] give their size away when all ones are written', () => {
    const { config: space } = config();
    expect(space.write(0x20, 4, 0xffffffff)).toBe(4);
    expect(space.write(0x24, 4, 0xffffffff)).toBe(4);
    expect(space.read(0x20, 4)).toBe(0xc);
    expect(space.read(0x24, 4)).toBe(0xffffffe0);
    space.pwrite(ONES, 0x18);
    expect(read(space, 0x18, 8)).toEqual([0x0c, 0, 0, 0xc0, 0xff, 0xff, 0xff, 0xff]);
  });

  it('keep an address', () => {
    const { config: space } = config();
    space.write(0x18, 4, 0x8000_0004);
    space.write(0x1c, 4, 0x12);
    expect([space.read(0x18, 4), space.read(0x1c, 4), space.read(0x1b, 1)]).toEqual([
      0x8000_000c, 0x12, 0x80,
    ]);
  });

  it('[derived:153] take only their own bytes of a write, and say so', () => {
    const { config: space, next } = config();
    expect(
      space.pwrite(
        Uint8Array.from({ length: 12 }, (_, i) => i),
        0x14,
      ),
    ).toBe(8);
    expect(read(space, 0x1c, 4)).toEqual([8, 9, 10, 11]);
    expect(next.bytes[0x14]).toBe(0x77);
    expect(space.pwrite(new Uint8Array(4), 0x26)).toBe(2);
  });

  it('are shown one pair a read: the first that is touched', () => {
    const { config: space } = config();
    const bytes = read(space, 0x10, 0x18);
    expect(bytes.slice(8, 16)).toEqual([0x0c, 0, 0, 0, 0, 0, 0, 0]);
    expect(bytes.slice(16)).toEqual(Array.from({ length: 8 }, () => 0x77));
    expect(read(space, 0x20, 8)).toEqual([0x0c, 0, 0, 0, 0, 0, 0, 0]);
  });

  it("leave the hardware's BAR 2 alone where there is no uncached part", () => {
    const { config: space, next } = config(false);
    expect(read(space, 0x18, 16)).toEqual(Array.from({ length: 16 }, () => 0x77));
    expect(space.pwrite(Uint8Array.of(1), 0x18)).toBe(1);
    expect(next.bytes[0x18]).toBe(1);
    expect(space.write(0x18, 4, 5)).toBe(4);
    expect(space.read(0x18, 4)).toBe(5);
  });

  it('let everything else through', () => {
    const { config: space, next } = config();
    space.write(0x04, 2, 6);
    expect(space.read(0x28, 4)).toBe(0x77777777);
    expect(space.pwrite(Uint8Array.of(9), 0x28)).toBe(1);
    expect([next.bytes[4], next.bytes[0x28]]).toEqual([6, 9]);
  });
});
