import { MemoryBlock } from '@vfiokit/pci';
import type { DeviceMapping } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { type Adapter, type AdapterOptions, openAdapter } from './fixture.js';

const EBUSY = 16;
const ENODEV = 19;
const EINVAL = 22;
const GET_REGION_INFO = 0x3b6c;

function map({ device }: Adapter, region: number, length = 4096, offset = 0, shared = true) {
  return device.mmap({ position: region * 2 ** 40 + offset, length, shared });
}

const flags = (adapter: Adapter, region: number) =>
  adapter.ioctl(GET_REGION_INFO, 32, 0, region, 0, 0, 0, 0, 0)[2];

const memory = (size: number) => ({ kind: 'memory', size, block: new MemoryBlock(size) }) as const;

/** A 64 KiB BAR, ports, a ROM and VGA. */
const display = (): Adapter =>
  openAdapter({
    config: [[0x08, 4, 0x03000000]],
    description: { bars: [memory(0x10000), { kind: 'io', size: 0x1000 }], rom: 0x10000 },
  });

describe('mmap of a device', () => {
  it('[core:C3.26] is shared', () => {
    using adapter = display();
    expect(map(adapter, 0, 4096, 0, false)).toBe(-EINVAL);
    expect(map(adapter, 0)).toMatchObject({ length: 4096 });
  });

  it.each([
    ['the ROM', 6],
    ['configuration space', 7],
    ['legacy VGA', 8],
  ])('[core:C3.27] does not reach %s', (_name, region) => {
    using adapter = display();
    expect(map(adapter, region)).toBe(-EINVAL);
  });

  it.each([
    ['ports', 1],
    ['an absent BAR', 2],
    ['a region that there is not', 9],
  ])('[core:C3.28] does not reach %s', (_name, region) => {
    using adapter = display();
    expect(map(adapter, region)).toBe(-EINVAL);
  });

  it('[core:C3.29] ends with the BAR', () => {
    using adapter = display();
    expect(map(adapter, 0, 0x10000)).toMatchObject({ length: 0x10000 });
    expect(map(adapter, 0, 0x10001)).toBe(-EINVAL);
    expect(map(adapter, 0, 0x1000, 0xf000)).toMatchObject({ length: 0x1000 });
    expect(map(adapter, 0, 0x2000, 0xf000)).toBe(-EINVAL);
    expect(map(adapter, 0, 4096, 0x800)).toBe(-EINVAL);
    expect(map(adapter, 0, 0)).toBe(-EINVAL);
  });

  it('[core:C3.30] includes the MSI-X table', () => {
    const bar = memory(0x10000);
    using adapter = openAdapter({ description: { bars: [bar] } });
    const mapping = map(adapter, 0, 0x10000) as DeviceMapping;
    expect(mapping.length).toBe(0x10000);
    // Behind the table, where nobody but the device looks at what is stored.
    mapping.store(0x2100, 4, 0xcafe);
    expect([bar.block.read(0x2100, 4), mapping.load(0x2100, 4)]).toEqual([0xcafe, 0xcafe]);
    expect(mapping.load(0x2000, 4)).toBe(adapter.pdev.barMemory(0).read(0x2000, 4));
    expect(mapping.load(0x2000, 4)).not.toBe('SIGBUS');
  });

  it('shows what reads and writes see', () => {
    using adapter = display();
    const mapping = map(adapter, 0, 0x1000, 0x1000) as DeviceMapping;
    mapping.store(8, 4, 0xcafe);
    expect(adapter.device.read(0, 0x1008, 4)).toBe(0xcafe);
    adapter.device.write(0, 0x100c, 4, 0xbeef);
    expect(mapping.load(12, 4)).toBe(0xbeef);
  });

  it('[core:C3.34] is SIGBUS while memory is off, and works again without another mmap', () => {
    using adapter = display();
    const mapping = map(adapter, 0) as DeviceMapping;
    mapping.store(0, 4, 7);
    adapter.device.write(7, 0x04, 2, 0x0000);
    expect(mapping.load(0, 4)).toBe('SIGBUS');
    expect(mapping.store(0, 4, 8)).toBe('SIGBUS');
    adapter.device.write(7, 0x04, 2, 0x0002);
    expect(mapping.load(0, 4)).toBe(7);
  });

  it('[core:C3.35] is EBUSY for a BAR that somebody else holds', () => {
    using adapter = openAdapter({
      platform: { reserveBar: () => -EBUSY },
      description: { bars: [memory(0x10000)] },
    });
    expect(map(adapter, 0)).toBe(-EBUSY);
  });
});

describe('a BAR that is smaller than a page', () => {
  const open = (sizes: readonly number[], more: AdapterOptions = {}) =>
    openAdapter({
      ...more,
      config: [[0xb4, 4, 5]],
      description: { bars: sizes.map(memory) },
    });

  it('[core:C3.31] can be mapped, as its whole page, if the page is its own', () => {
    using adapter = open([256]);
    expect(adapter.pdev.resources[0]!.start % 4096n).toBe(0n);
    expect(flags(adapter, 0)).toBe(7);
    expect(map(adapter, 0, 4096)).toMatchObject({ length: 4096 });
    expect(map(adapter, 0, 256)).toMatchObject({ length: 4096 });
    expect(map(adapter, 0, 4097)).toBe(-EINVAL);
  });

  it('[core:C3.31] keeps the rest of its page from others until the device is closed', () => {
    using adapter = open([256]);
    expect(adapter.pdev.reservations.remainder(0)).toBeDefined();
    adapter.device.close();
    expect(adapter.pdev.reservations.remainder(0)).toBeUndefined();
  });

  it('[core:C3.32] can not be mapped if it does not start with a page', () => {
    using adapter = open([256, 256]);
    expect(adapter.pdev.resources[1]!.start % 4096n).toBe(256n);
    expect(flags(adapter, 1)).toBe(3);
    expect(map(adapter, 1, 4096)).toBe(-EINVAL);
    expect(map(adapter, 1, 256)).toBe(-EINVAL);
  });

  it('[core:C3.33] can not be mapped if something else is in its page', () => {
    using adapter = open([256, 256]);
    expect(adapter.pdev.resources[0]!.start % 4096n).toBe(0n);
    expect(flags(adapter, 0)).toBe(3);
    expect(map(adapter, 0, 4096)).toBe(-EINVAL);
    using outside = open([256], { platform: { pageRemainderFree: () => false } });
    expect(flags(outside, 0)).toBe(3);
  });

  it('is measured with the pages of the machine', () => {
    using adapter = open([4096], {
      kernel: { pageSize: 65536 },
      platform: { pageSize: 65536, pageRemainderFree: () => true },
    });
    expect(map(adapter, 0, 65536)).toMatchObject({ length: 65536 });
  });
});

describe('a function whose BARs the CPU can not map', () => {
  it('has BARs with a size that can be neither mapped nor accessed', () => {
    using adapter = openAdapter({
      config: [[0xb4, 4, 5]],
      facts: { nonMappableBars: true },
    });
    expect(flags(adapter, 0)).toBe(3);
    expect(map(adapter, 0)).toBe(-EINVAL);
    expect(adapter.device.pread(new Uint8Array(4), 0)).toBe(-ENODEV);
  });
});

describe('a kernel that is built without mmap', () => {
  it('has BARs that can be accessed and not mapped', () => {
    using adapter = openAdapter({
      kernel: { mmap: false },
      description: { bars: [memory(0x10000)] },
    });
    expect(flags(adapter, 0)).toBe(3);
    expect(map(adapter, 0)).toBe(-EINVAL);
    expect(adapter.device.read(0, 0, 4)).toBe(0);
  });
});
