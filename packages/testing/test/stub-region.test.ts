import { FaultingBuffer } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { StubRegion } from '../src/index.js';

const EFAULT = 14;

describe('a region to stand below an override', () => {
  it('holds bytes and notes accesses', () => {
    const region = new StubRegion(64);
    expect(region.write(4, 2, 0xbeef)).toBe(2);
    expect(region.read(4, 4)).toBe(0x0000beef);
    expect(region.log).toEqual(['W2@4=beef', 'R4@4']);
    expect(region.info()).toEqual({ size: 64, flags: 3, capabilities: [] });
  });

  it('is an open bus behind its end', () => {
    const region = new StubRegion(2);
    region.write(0, 4, 0xffffffff);
    expect(region.read(0, 4)).toBe(0xffffffff);
    region.write(0, 2, 0);
    expect(region.read(0, 4)).toBe(0xffff0000);
  });

  it('takes whole transfers, from memory that is there', () => {
    const region = new StubRegion(8);
    expect(region.pwrite(Uint8Array.of(1, 2, 3), 6)).toBe(3);
    const bytes = new Uint8Array(4);
    expect(region.pread(bytes, 5)).toBe(4);
    expect([...bytes]).toEqual([0, 1, 2, 0xff]);
    expect(region.pread(new FaultingBuffer(4), 0)).toBe(-EFAULT);
    expect(region.pwrite(new FaultingBuffer(4), 0)).toBe(-EFAULT);
  });
});
