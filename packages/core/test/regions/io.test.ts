import { FaultingBuffer } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { doIoRw } from '../../src/regions/io.js';
import { NotedBlock } from './bar-fixture.js';

const EFAULT = 14;

/** 64 bytes of which those from 16 to 32 are a hole. */
const window = () => ({
  block: new NotedBlock(64),
  maxWidth: 8 as const,
  holeStart: 16,
  holeEnd: 32,
  gate: undefined,
});

describe('the hole of a window', () => {
  it('reads as ones, which a pointer that faults can not take', () => {
    const io = window();
    const bytes = new Uint8Array(8);
    expect(doIoRw(io, bytes, 16, 8, false)).toBe(8);
    expect([...bytes]).toEqual(Array(8).fill(0xff));
    expect(doIoRw(io, new FaultingBuffer(8), 16, 8, false)).toBe(-EFAULT);
    expect(io.block.log).toEqual([]);
  });

  it('swallows writes without looking at them', () => {
    const io = window();
    expect(doIoRw(io, new FaultingBuffer(8), 16, 8, true)).toBe(8);
    expect(doIoRw(io, new FaultingBuffer(8), 28, 8, true)).toBe(-EFAULT);
    expect(io.block.log).toEqual([]);
  });
});
