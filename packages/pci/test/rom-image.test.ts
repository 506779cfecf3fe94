import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryBlock, PciResource, PciTopology, romImageLength } from '../src/index.js';
import { Analyser, configOf } from './helpers.js';

/** An image of so many units of 512 bytes, with its data structure at 0x1c. */
function image(units: number, isLast = true): Uint8Array {
  const bytes = new Uint8Array(units * 512);
  bytes.set([0x55, 0xaa], 0);
  bytes.set([0x1c, 0x00], 0x18);
  bytes.set([0x50, 0x43, 0x49, 0x52], 0x1c);
  bytes.set([0x18, 0x00], 0x1c + 0x0a);
  bytes.set([units, 0], 0x1c + 0x10);
  bytes[0x1c + 0x15] = isLast ? 0x80 : 0;
  return bytes;
}

function length(window: number, ...images: Uint8Array[]): number {
  const bytes = new Uint8Array(window).fill(0xff);
  let at = 0;
  for (const one of images) {
    bytes.set(one, at);
    at += one.length;
  }
  return romImageLength(new MemoryBlock(bytes), window);
}

const patched = (at: number, ...bytes: number[]) => {
  const changed = image(2);
  changed.set(bytes, at);
  return changed;
};

describe('length of ROM images', () => {
  test('is that of a single image', () => {
    expect(length(4096, image(3))).toBe(1536);
  });

  test('is the sum of all up to the last', () => {
    expect(length(4096, image(1, false), image(2), image(1))).toBe(1536);
  });

  test('ends before an image that makes no sense', () => {
    expect(length(4096, image(2, false))).toBe(1024);
  });

  test.each<[string, Uint8Array]>([
    ['its signature', patched(0, 0x55, 0xab)],
    ['an unaligned pointer', patched(0x18, 0x1d)],
    ['a pointer out of the window', patched(0x18, 0xfc, 0xff)],
    ['"PCIR"', patched(0x1c, 0x51)],
    ['a data structure of at least 24 bytes', patched(0x26, 0x17)],
    ['a data structure that is there', patched(0x26, 0xff, 0xff)],
  ])('is 0 for an image without %s', (_, bytes) => {
    expect(length(4096, bytes)).toBe(0);
  });

  test('is 0 for a data structure at a place that is no multiple of 4', () => {
    const crooked = image(2);
    crooked.copyWithin(0x1d, 0x1c, 0x1c + 0x18);
    crooked[0x18] = 0x1d;
    expect(length(4096, crooked)).toBe(0);
  });

  test.each([
    ['shortest data structure', 0x18, 0x33],
    ['data structure as it says', 0x40, 0x5b],
  ])('is 0 where the %s ends behind the window', (_, size, window) => {
    const rom = new MemoryBlock(patched(0x26, size, 0));
    expect([romImageLength(rom, window), romImageLength(rom, window + 1)]).toEqual([0, window + 1]);
  });

  test('ends at an image of no length, though it is not the last', () => {
    const endless = image(1, false);
    endless[0x1c + 0x10] = 0;
    expect(length(4096, image(1, false), endless, image(1))).toBe(512);
  });

  test('never exceeds the window', () => {
    expect(length(2048, image(1, false), patched(0x2c, 200))).toBe(2048);
  });

  test('ends at an image of length 0', () => {
    expect(length(2048, patched(0x2c, 0))).toBe(0);
  });

  test('of anything is found without end or error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2048 }), (bytes) => {
        bytes.set([0x55, 0xaa].slice(0, bytes.length), 0);
        const found = romImageLength(new MemoryBlock(bytes), bytes.length);
        expect(found).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});

describe('mapping the ROM', () => {
  const ROM = new Uint8Array(2048);
  ROM.set(image(2));

  function traced(rom: Uint8Array | number = ROM) {
    const analyser = new Analyser();
    const topology = new PciTopology({ platform: analyser.platform() });
    const device = topology.add('0000:00:03.0', { config: configOf(), rom });
    device.config.write(0x04, 2, 2);
    analyser.take();
    return { analyser, device };
  }

  test('turns it on at its address and off again', () => {
    const { analyser, device } = traced();
    const address = Number(device.resources[6]!.start).toString(16);
    const mapped = device.romMapping.map();
    expect(mapped?.length).toBe(1024);
    expect(mapped?.block.read(0, 2)).toBe(0xaa55);
    expect(analyser.take()).toBe(`R32@30 W32@30=${address.slice(0, -1)}1`);
    device.romMapping.unmap();
    expect(analyser.take()).toBe(`R32@30 W32@30=${address}`);
    expect(device.function.rom!.read(0, 2)).toBe(0xffff);
  });

  test('gives nothing, with the ROM off, where there is no valid image', () => {
    const { device } = traced(2048);
    expect(device.romMapping.map()).toBeUndefined();
    expect(device.config.read(0x30, 4) & 1).toBe(0);
  });

  test('gives nothing while memory is not decoded', () => {
    const { device } = traced();
    device.config.write(0x04, 2, 0);
    expect(device.romMapping.map()).toBeUndefined();
  });

  test('gives nothing where there is no ROM', () => {
    const device = new PciTopology().add('0000:00:03.0', { config: configOf() });
    expect(device.romMapping.map()).toBeUndefined();
  });

  test('of a copy in RAM touches no register', () => {
    const analyser = new Analyser();
    const shadow = new PciResource(0xc0000n, 0x20000, 0x202);
    const resources = Array.from({ length: 7 }, (_, index) =>
      index === 6 ? shadow : new PciResource(0n, 0, 0),
    );
    const device = new PciTopology({ platform: analyser.platform() }).add(
      '0000:00:02.0',
      { config: configOf() },
      { resources, romShadow: ROM },
    );
    analyser.take();
    expect(device.romIsShadow).toBe(true);
    expect(device.romMapping.map()?.length).toBe(1024);
    device.romMapping.unmap();
    expect(analyser.take()).toBe('');
  });

  test('leaves it on where the machine keeps it on', () => {
    const rom = new PciResource(0xfe000000n, 2048, 0x201);
    const resources = Array.from({ length: 7 }, (_, index) =>
      index === 6 ? rom : new PciResource(0n, 0, 0),
    );
    const device = new PciTopology().add(
      '0000:00:02.0',
      { config: configOf(), rom: ROM },
      { resources },
    );
    device.config.write(0x04, 2, 2);
    device.romMapping.map();
    device.romMapping.unmap();
    expect(device.config.read(0x30, 4)).toBe(0xfe000001);
  });
});
