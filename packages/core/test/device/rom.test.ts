import { MemoryBlock, PciResource } from '@vfiokit/pci';
import { describe, expect, it } from 'vitest';
import { type Adapter, type AdapterOptions, openAdapter } from './fixture.js';

const EINVAL = 22;
const EIO = 5;
const ENOMEM = 12;
const ROM = 6 * 2 ** 40;
const KIB = 1024;
const MEMORY_OFF = 0x0000;

/** A ROM with one image, whose bytes count up. */
function romImage(bytes: number, length: number): Uint8Array {
  const rom = Uint8Array.from({ length: bytes }, (_, at) => at);
  const view = new DataView(rom.buffer);
  const data = 0x1c;
  view.setUint16(0x00, 0xaa55, true);
  view.setUint16(0x18, data, true);
  rom.set(new TextEncoder().encode('PCIR'), data);
  view.setUint16(data + 0x0a, 0x18, true);
  view.setUint16(data + 0x10, length / 512, true);
  view.setUint8(data + 0x15, 0x80);
  return rom;
}

const withRom = (rom: Uint8Array, more: AdapterOptions = {}) =>
  openAdapter({ ...more, description: { rom } });

function read({ device }: Adapter, offset: number, length: number): number[] | number {
  const bytes = new Uint8Array(length);
  const count = device.pread(bytes, ROM + offset);
  return count < 0 ? count : [...bytes.subarray(0, count)];
}

describe('an expansion ROM', () => {
  it('is read-only', () => {
    using adapter = withRom(romImage(64 * KIB, 24 * KIB));
    expect(adapter.client.regionInfo(6)).toMatchObject({ size: 64 * KIB, flags: 1 });
  });

  it('[core:C3.19] takes no writes', () => {
    using adapter = withRom(romImage(64 * KIB, 24 * KIB));
    expect(adapter.device.pwrite(new Uint8Array(4), ROM)).toBe(-EINVAL);
    expect(adapter.device.write(6, 0, 4, 0)).toBe(-EINVAL);
  });

  it('[core:C3.20] reads as ones behind its images', () => {
    using adapter = withRom(romImage(64 * KIB, 24 * KIB));
    expect(read(adapter, 24 * KIB - 2, 4)).toEqual([0xfe, 0xff, 0xff, 0xff]);
    expect(read(adapter, 24 * KIB - 4, 3)).toEqual([0xfc, 0xfd, 0xfe]);
    expect(read(adapter, 24 * KIB, 4)).toEqual([0xff, 0xff, 0xff, 0xff]);
    expect(read(adapter, 64 * KIB - 1, 4)).toEqual([0xff]);
    expect(read(adapter, 64 * KIB, 4)).toBe(-EINVAL);
  });

  it('[core:C3.21] is read four bytes at a time at most', () => {
    using adapter = withRom(romImage(64 * KIB, 24 * KIB));
    const rom = new MemoryBlock(64 * KIB);
    const widths: number[] = [];
    adapter.pdev.romMapping.map = () => ({
      length: 24 * KIB,
      block: {
        read(offset, size) {
          widths.push(size);
          return rom.read(offset, size);
        },
        read64() {
          widths.push(8);
          return 0n;
        },
        write() {},
      },
    });
    read(adapter, 0, 16);
    read(adapter, 3, 8);
    expect(widths).toEqual([4, 4, 4, 4, 1, 4, 2, 1]);
  });

  it('[core:C3.22] without a valid image has size 0 and can not be read', () => {
    const rom = romImage(64 * KIB, 24 * KIB);
    rom[0] = 0x54;
    using adapter = withRom(rom);
    expect(adapter.client.regionInfo(6)).toMatchObject({ size: 0, flags: 0 });
    expect(read(adapter, 0, 4)).toBe(-ENOMEM);
  });

  it('[core:C3.23] is decoded while it is read, whatever the user enabled', () => {
    using adapter = withRom(romImage(64 * KIB, 24 * KIB));
    const { device, trace, pdev } = adapter;
    const address = pdev.config.read(0x30, 4) & ~1;
    for (const enabled of [0, 1]) {
      device.write(7, 0x30, 4, enabled);
      trace.take();
      read(adapter, 0, 4);
      const on = `W32@30=${((address + 1) >>> 0).toString(16)}`;
      const off = `W32@30=${(address >>> 0).toString(16)}`;
      expect(trace.take()).toEqual(['R32@30', on, 'R32@30', off]);
      expect(device.read(7, 0x30, 4) & 1).toBe(enabled);
    }
  });

  it('[core:C3.24] is looked at with memory decoding on for the moment', () => {
    using adapter = withRom(romImage(64 * KIB, 24 * KIB));
    const { device, trace, client } = adapter;
    device.write(7, 0x04, 2, MEMORY_OFF);
    trace.take();
    expect(client.regionInfo(6).size).toBe(64 * KIB);
    const commands = trace.take().filter((access) => access.startsWith('W16@4='));
    expect(commands).toEqual(['W16@4=0002', 'W16@4=0000']);
    device.write(7, 0x04, 2, 0x0002);
    trace.take();
    client.regionInfo(6);
    const again = trace.take().filter((access) => access.startsWith('W16@4='));
    expect(again).toEqual(['W16@4=0002']);
  });

  it('can not be read while memory is off (quirk W18)', () => {
    using adapter = withRom(romImage(64 * KIB, 24 * KIB));
    adapter.device.write(7, 0x04, 2, MEMORY_OFF);
    expect(read(adapter, 0, 4)).toBe(-ENOMEM);
  });

  it('is not there for a function without one', () => {
    using adapter = openAdapter();
    expect(adapter.client.regionInfo(6)).toMatchObject({ size: 0, flags: 0 });
    expect(read(adapter, 0, 4)).toBe(-EINVAL);
  });
});

describe('the image that firmware handed over', () => {
  const handedOver = (length: number) =>
    openAdapter({ facts: { romImage: romImage(length, length) } });

  it('[core:C3.25] is rounded up to a power of two, with ones behind it', () => {
    using adapter = handedOver(20 * KIB);
    expect(adapter.client.regionInfo(6)).toMatchObject({ size: 32 * KIB, flags: 1 });
    expect(read(adapter, 20 * KIB - 2, 4)).toEqual([0xfe, 0xff, 0xff, 0xff]);
    expect(read(adapter, 32 * KIB - 4, 16)).toEqual([0xff, 0xff, 0xff, 0xff]);
    expect(read(adapter, 32 * KIB, 1)).toBe(-EINVAL);
  });

  it('is read without touching the function', () => {
    using adapter = handedOver(20 * KIB);
    adapter.trace.take();
    read(adapter, 0, 64);
    expect(adapter.trace.take()).toEqual([]);
  });

  it('gives way to a ROM of the function itself', () => {
    using adapter = openAdapter({
      description: { rom: romImage(64 * KIB, 24 * KIB) },
      facts: { romImage: romImage(4 * KIB, 4 * KIB) },
    });
    expect(adapter.client.regionInfo(6).size).toBe(64 * KIB);
  });
});

describe("the boot display's copy in RAM", () => {
  const SHADOW = new PciResource(0xc0000n, 128 * KIB, 0x00000202);
  const NONE = new PciResource(0n, 0, 0);
  const withShadow = () =>
    openAdapter({
      config: [[0x04, 2, 0x0002]],
      facts: {
        resources: [...new Array(6).fill(NONE), SHADOW],
        romShadow: romImage(128 * KIB, 48 * KIB),
      },
    });

  it('is read without the enable bit', () => {
    using adapter = withShadow();
    adapter.trace.take();
    expect(adapter.client.regionInfo(6)).toMatchObject({ size: 128 * KIB, flags: 1 });
    expect(read(adapter, 48 * KIB - 1, 2)).toEqual([0xff, 0xff]);
    expect(read(adapter, 0x100, 2)).toEqual([0, 1]);
    expect(adapter.trace.take().filter((access) => access.includes('@30'))).toEqual([]);
  });

  it('obeys memory enable', () => {
    using adapter = withShadow();
    adapter.device.write(7, 0x04, 2, MEMORY_OFF);
    expect(read(adapter, 0, 4)).toBe(-EIO);
  });
});
