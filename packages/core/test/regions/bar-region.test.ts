import { FaultingBuffer } from '@vfiokit/uapi';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openBar } from './bar-fixture.js';

const EIO = 5;
const ENOMEM = 12;
const EFAULT = 14;
const EBUSY = 16;
const EINVAL = 22;
const D3_HOT = 3;

describe('transfers of a BAR', () => {
  it.each([
    ['[core:C3.5]', 0, 8, 'R8@0'],
    ['[core:C3.6]', 4, 8, 'R4@4 R4@8'],
    ['[core:C3.8]', 3, 16, 'R1@3 R4@4 R8@8 R2@10 R1@12'],
    ['', 0, 3, 'R2@0 R1@2'],
    ['', 6, 2, 'R2@6'],
  ])('%s from %i of %i bytes are %s', (_id, offset, count, accesses) => {
    const { read } = openBar();
    expect(read(offset, count)).toMatchObject({ result: count, accesses });
  });

  it('[core:C3.7] of 7 bytes from 1 are a byte, a word and a dword', () => {
    expect(openBar().write(1, [1, 2, 3, 4, 5, 6, 7])).toEqual({
      result: 7,
      accesses: 'W1@1 W2@2 W4@4',
    });
  });

  it('[core:C3.3] can not start at the end', () => {
    expect(openBar().read(0x10000, 1).result).toBe(-EINVAL);
    expect(openBar().read(0x20000, 1).result).toBe(-EINVAL);
  });

  it('[core:C3.4] are cut at the end', () => {
    expect(openBar().read(0xfffc, 16).result).toBe(4);
    expect(openBar().write(0xfffe, [1, 2, 3, 4]).result).toBe(2);
  });

  it('[core:C3.18] of an absent BAR are invalid', () => {
    expect(openBar({ size: 0, start: 0n }).read(0, 4).result).toBe(-EINVAL);
    expect(openBar({ start: 0n }).read(0, 4).result).toBe(-EINVAL);
  });

  it('[core:C1.31] of a BAR that somebody else holds are busy', () => {
    const { read, bar } = openBar({ error: -EBUSY });
    expect(read(0, 4).result).toBe(-EBUSY);
    expect(bar.read(0, 4)).toBe(-EBUSY);
    expect(openBar({ error: -ENOMEM }).write(0, [1]).result).toBe(-ENOMEM);
  });

  it('[core:C3.9 core:C3.10 core:C3.11] of memory that is off: a write looks at the user first, a read at the device', () => {
    const device = openBar();
    device.memory = false;
    expect(device.read(0, 4)).toMatchObject({ result: -EIO, accesses: '' });
    expect(device.write(0, [1])).toEqual({ result: -EIO, accesses: '' });
    expect(device.bar.pwrite(new FaultingBuffer(4), 0)).toBe(-EFAULT);
    expect(device.bar.pread(new FaultingBuffer(4), 0)).toBe(-EIO);
    device.memory = true;
    expect(device.bar.pread(new FaultingBuffer(4), 0)).toBe(-EFAULT);
  });

  it('are refused in D3, whatever the user wrote to COMMAND', () => {
    const device = openBar({ noCommandMemory: true });
    device.memory = false;
    expect(device.read(0, 4).result).toBe(4);
    device.pdev.currentState = D3_HOT;
    expect(device.read(0, 4).result).toBe(-EIO);
  });

  it('[core:C3.12] of ports are let through with ports off', () => {
    const ports = openBar({ io: true, size: 32 });
    ports.ports = false;
    ports.memory = false;
    expect(ports.read(0, 4)).toMatchObject({ result: 4, accesses: 'R4@0' });
    expect(ports.write(0, [1, 2])).toEqual({ result: 2, accesses: 'W2@0' });
    ports.pdev.currentState = D3_HOT;
    expect(ports.read(0, 4)).toMatchObject({ result: 4, accesses: 'R4@0' });
  });

  it('of ports ask for their own bit where quirk W17 is mended', () => {
    const ports = openBar({ io: true, size: 32, testPorts: true });
    ports.memory = false;
    expect(ports.read(0, 4).result).toBe(-EIO);
    ports.ports = true;
    expect(ports.read(0, 4).result).toBe(4);
    ports.pdev.currentState = D3_HOT;
    expect(ports.read(0, 4).result).toBe(-EIO);
  });

  it('[core:C3.39] that fail half way hide what they did', () => {
    const device = openBar();
    const write = device.block.write.bind(device.block);
    device.block.write = (offset, size, value) => {
      write(offset, size, value);
      device.memory = false;
    };
    expect(device.write(0, [0xaa, 0xbb, 0xcc]).result).toBe(-EIO);
    expect([...device.block.bytes.subarray(0, 3)]).toEqual([0xaa, 0xbb, 2]);
  });
});

describe('the MSI-X table', () => {
  const msixTable = { bar: 0, offset: 0x2000, size: 0x40 };

  it('[core:C3.13 core:C3.14] is neither read nor written', () => {
    const device = openBar({ msixTable });
    const { result, bytes, accesses } = device.read(0x2000, 0x40);
    expect({ result, accesses }).toEqual({ result: 0x40, accesses: '' });
    expect(new Set(bytes)).toEqual(new Set([0xff]));
    expect(device.write(0x2000, Array(0x40).fill(0))).toEqual({ result: 0x40, accesses: '' });
    expect(device.bar.read(0x2004, 4)).toBe(0xffffffff);
    expect(device.bar.write(0x2004, 4, 0)).toBe(4);
  });

  it('[core:C3.15] reads as ones with memory off', () => {
    const device = openBar({ msixTable });
    device.memory = false;
    expect(device.read(0x2000, 4)).toEqual({
      result: 4,
      bytes: Uint8Array.of(0xff, 0xff, 0xff, 0xff),
      accesses: '',
    });
    expect(device.bar.read(0x2000, 4)).toBe(0xffffffff);
    expect(device.read(0x1ffc, 4).result).toBe(-EIO);
  });

  it('[core:C3.16 core:C3.17] ends where it ends', () => {
    const device = openBar({ msixTable });
    const { bytes, accesses } = device.read(0x1ff8, 16);
    expect(accesses).toBe('R8@1ff8');
    expect([...bytes]).toEqual([
      0xf8,
      0xf9,
      0xfa,
      0xfb,
      0xfc,
      0xfd,
      0xfe,
      0xff,
      ...Array(8).fill(0xff),
    ]);
    expect(device.read(0x2040, 8).accesses).toBe('R8@2040');
  });
});

describe('single accesses', () => {
  it('are what transfers of as many bytes are', () => {
    const device = openBar({ msixTable: { bar: 0, offset: 0x2000, size: 0x40 } });
    fc.assert(
      fc.property(fc.nat(0x10010), fc.constantFrom(1, 2, 4), fc.boolean(), (at, size, on) => {
        device.memory = on;
        const offset = at - (at % size);
        const { result, bytes } = device.read(offset, size);
        const value = device.bar.read(offset, size);
        if (result < 0) expect(value).toBe(result);
        else expect(value).toBe(bytes.reduceRight((sum, byte) => sum * 256 + byte, 0));
      }),
      { numRuns: 500 },
    );
  });

  it('have to be aligned', () => {
    expect(openBar().bar.read(2, 4)).toBe(-EINVAL);
  });
});

describe('mappings', () => {
  it('[core:C3.29] end with the last page of the BAR', () => {
    const { bar } = openBar();
    expect(bar.mmap(0xf000, 0x2000)).toBe(-EINVAL);
    expect(bar.mmap(0xf000, 0x1000)).toBeTypeOf('object');
  });

  it('[core:C3.28] of ports are refused', () => {
    expect(openBar({ io: true }).bar.mmap(0, 0x1000)).toBe(-EINVAL);
  });

  it('[core:C3.30] may cover the MSI-X table', () => {
    const msixTable = { bar: 0, offset: 0x2000, size: 0x40 };
    expect(openBar({ msixTable }).bar.mmap(0, 0x10000)).toBeTypeOf('object');
  });

  it('[core:C3.35] of a BAR that somebody else holds are busy', () => {
    expect(openBar({ error: -EBUSY }).bar.mmap(0, 0x1000)).toBe(-EBUSY);
  });

  it('[core:C3.34 core:C7.4] fault while memory is off or the device sleeps, and come back by themselves', () => {
    const device = openBar();
    const mapping = device.bar.mmap(0, 0x1000);
    if (typeof mapping === 'number') throw new RangeError(`${mapping}`);
    device.memory = false;
    expect(mapping.load(0, 4)).toBe('SIGBUS');
    device.memory = true;
    expect(mapping.load(0, 4)).toBe(0x03020100);
    device.memory = false;
    device.mappings.zap();
    expect(mapping.store(0, 4, 1)).toBe('SIGBUS');
    device.memory = true;
    device.low.engaged = true;
    expect(mapping.load(0, 4)).toBe('SIGBUS');
    device.low.engaged = false;
    expect(mapping.store(0, 4, 1)).toBeUndefined();
    expect(mapping.load(0, 4)).toBe(1);
    mapping.unmap();
    expect(device.mappings.size).toBe(0);
  });
});

describe('what is told of a BAR', () => {
  it('[core:C2.8 core:C2.10 core:C2.11 core:C2.12] is its size and what may be done with it', () => {
    expect(openBar({ size: 0, start: 0n }).bar.info()).toEqual({
      size: 0,
      flags: 0,
      capabilities: [],
    });
    expect(openBar().bar.info()).toEqual({ size: 0x10000, flags: 7, capabilities: [] });
    expect(openBar({ io: true, size: 32 }).bar.info()).toEqual({
      size: 32,
      flags: 3,
      capabilities: [],
    });
    const { bar } = openBar({ msixTable: { bar: 0, offset: 0, size: 16 } });
    expect(bar.info()).toMatchObject({ flags: 7, capabilities: [{ id: 3, version: 1 }] });
  });
});
