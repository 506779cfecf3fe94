import { MemoryBlock } from '@vfiokit/pci';
import { describeDriver, describeOverride, StubOpening } from '@vfiokit/testing';
import { describe, expect, it } from 'vitest';
import { type IsmInstructions, ismDriver } from '../src/index.js';
import { ismRegions } from '../src/ism/ism-regions.js';
import { open, pfOf, refusal } from './pf-with-vf.js';

const EINVAL = 22;
const IDS = { vendor: 0x1014, device: 0x04ed };
const BAR = 2 ** 48;
const at = (region: number, offset = 0) => region * 2 ** 48 + offset;

class Instructions implements IsmInstructions {
  constructor(readonly maxstbl = 4096) {}
  readonly log: string[] = [];
  readonly memory = new Uint8Array(16384);

  load(_: number, offset: number, size: number, into: Uint8Array): number {
    this.log.push(`load ${size}@${offset}`);
    into.set(this.memory.subarray(offset, offset + size));
    return 0;
  }

  storeBlock(_: number, offset: number, from: Uint8Array): number {
    this.log.push(`store ${from.length}@${offset}`);
    this.memory.set(from, offset);
    return 0;
  }
}

const bars = [{ size: BAR, kind: 'memory', is64Bit: true, block: new MemoryBlock(4096) }] as const;
const ism = (instructions = new Instructions()) =>
  open(
    pfOf(IDS, bars),
    ismDriver(() => instructions),
  );

describeDriver('ism', () => ({
  driver: ismDriver(() => new Instructions()),
  pdev: pfOf(IDS, bars),
}));

describeOverride('ism', () => ({
  override: ismRegions(new Instructions()),
  device: new StubOpening(pfOf(IDS, [{ size: 16384, kind: 'memory' }])),
  regions: [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11],
}));

describe('an ISM device', () => {
  it('[derived:190] has regions that are 2^48 apart', () => {
    using device = ism();
    expect(device.client.regionInfo(0)).toMatchObject({ position: 0, size: BAR, flags: 3 });
    expect(device.client.regionInfo(7).position).toBe(7 * 2 ** 48);
    expect([...device.client.readRegion(7, 0, 4)]).toEqual([0x14, 0x10, 0xed, 0x04]);
    expect(device.client.regionInfo(2)).toMatchObject({ size: 0, flags: 0 });
  });

  it('[derived:191] can not be mapped, and has no ROM', () => {
    using device = ism();
    expect(device.device.mmap({ position: 0, length: 4096, shared: true })).toBe(-EINVAL);
    expect(() => device.client.regionInfo(6)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => device.client.regionInfo(8)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  it('[derived:192] is written by store blocks, within their limits', () => {
    const instructions = new Instructions();
    using device = ism(instructions);
    const write = (offset: number, length: number) =>
      device.device.pwrite(new Uint8Array(length), at(0, offset));
    expect(write(0, 4097)).toBe(-EINVAL);
    expect(write(4000, 97)).toBe(-EINVAL);
    expect(write(4000, 96)).toBe(96);
    expect(write(8192, 4096)).toBe(4096);
    expect(instructions.log).toEqual(['store 96@4000', 'store 4096@8192']);
    using modest = ism(new Instructions(128));
    expect(modest.device.pwrite(new Uint8Array(129), at(0))).toBe(-EINVAL);
    expect(modest.device.pwrite(new Uint8Array(128), at(0))).toBe(128);
  });

  it('[derived:193] is read by naturally aligned loads', () => {
    const instructions = new Instructions();
    using device = ism(instructions);
    instructions.memory.set([1, 2, 3, 4, 5, 6, 7, 8, 9], 3);
    const bytes = new Uint8Array(20);
    expect(device.device.pread(bytes, at(0, 3))).toBe(20);
    expect(instructions.log).toEqual([
      'load 1@3',
      'load 4@4',
      'load 8@8',
      'load 4@16',
      'load 2@20',
      'load 1@22',
    ]);
    expect([...bytes.subarray(0, 9)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(device.device.read(0, 4, 4)).toBe(0x05040302);
  });

  it('is refused where there are no instructions for it', () => {
    expect(
      refusal(
        pfOf(IDS, bars),
        ismDriver(() => undefined),
      ),
    ).toBe('ENODEV');
  });
});
