import { MemoryBlock, type RegisterBlock } from '@vfiokit/pci';
import { describe, expect, it } from 'vitest';
import { type Adapter, type AdapterOptions, openAdapter } from './fixture.js';

const EINVAL = 22;
const VGA = 8 * 2 ** 40;

/** Legacy memory and ports of a display, and the accesses to them. */
class LegacyVga implements RegisterBlock {
  readonly log: string[] = [];
  readonly #memory = new MemoryBlock(0xc0000);

  read(offset: number, size: 1 | 2 | 4): number {
    this.log.push(`R${size}@${offset.toString(16)}`);
    return this.#memory.read(offset, size);
  }

  read64(offset: number): bigint {
    this.log.push(`R8@${offset.toString(16)}`);
    return 0n;
  }

  write(offset: number, size: 1 | 2 | 4, value: number): void {
    this.log.push(`W${size}@${offset.toString(16)}`);
    this.#memory.write(offset, size, value);
  }
}

function display(options: AdapterOptions = {}) {
  const vga = new LegacyVga();
  const adapter = openAdapter({
    ...options,
    config: [[0x08, 4, 0x03000000]],
    description: { vga },
  });
  return { ...adapter, vga };
}

const read = ({ device }: Pick<Adapter, 'device'>, offset: number, length: number) =>
  device.pread(new Uint8Array(length), VGA + offset);

describe('the VGA region', () => {
  it('[core:C3.36] has two windows of ports', () => {
    using adapter = display();
    expect(read(adapter, 0x3af, 4)).toBe(-EINVAL);
    expect(read(adapter, 0x3b0, 4)).toBe(4);
    expect(read(adapter, 0x3bb, 4)).toBe(1);
    expect(read(adapter, 0x3bc, 4)).toBe(-EINVAL);
    expect(read(adapter, 0x3bf, 1)).toBe(-EINVAL);
    expect(read(adapter, 0x3c0, 64)).toBe(32);
    expect(read(adapter, 0x3e0, 1)).toBe(-EINVAL);
  });

  it('[core:C3.37] has one window of memory', () => {
    using adapter = display();
    expect(read(adapter, 0x9ffff, 1)).toBe(-EINVAL);
    expect(read(adapter, 0xa0000, 8)).toBe(8);
    expect(read(adapter, 0xbfffc, 8)).toBe(4);
    expect(read(adapter, 0xc0000, 1)).toBe(-EINVAL);
  });

  it('[core:C3.38] does not ask whether memory is enabled', () => {
    using adapter = display();
    const { device } = adapter;
    device.write(7, 0x04, 2, 0x0000);
    expect(device.write(8, 0xa0000, 2, 0x0741)).toBe(2);
    expect(device.read(8, 0xa0000, 2)).toBe(0x0741);
    expect(device.pwrite(Uint8Array.of(0x0f), VGA + 0x3d4)).toBe(1);
    expect(device.read(8, 0x3d4, 1)).toBe(0x0f);
  });

  it('is accessed four bytes at a time at most, aligned to the start of the window', () => {
    using adapter = display();
    read(adapter, 0xa0002, 16);
    expect(adapter.vga.log).toEqual(['R2@a0002', 'R4@a0004', 'R4@a0008', 'R4@a000c', 'R2@a0010']);
  });

  it('can not be mapped', () => {
    using adapter = display();
    expect(adapter.device.mmap({ position: VGA + 0xa0000, length: 4096, shared: true })).toBe(
      -EINVAL,
    );
  });

  it.each([
    ['the parameter disable_vga is set', { parameters: { disable_vga: true } }],
    ['the kernel is built without VGA', { kernel: { vga: false } }],
  ] as const)('is not there if %s', (_why, options) => {
    using adapter = display(options);
    expect(read(adapter, 0xa0000, 4)).toBe(-EINVAL);
    expect(adapter.vga.log).toEqual([]);
    expect(() => adapter.client.regionInfo(8)).toThrow(/EINVAL/);
  });

  it('is there for VGA functions only', () => {
    using network = openAdapter();
    expect(read(network, 0xa0000, 4)).toBe(-EINVAL);
    expect(network.device.write(8, 0x3c0, 1, 0)).toBe(-EINVAL);
  });
});
