import { MemoryBlock } from '@vfiokit/pci';
import { describe, expect, it } from 'vitest';
import { StubOpening } from '../src/index.js';
import { plugFunction } from './function.js';

describe('a device that is being opened, in a test', () => {
  const open = () => new StubOpening(plugFunction());

  it('shows the configuration space of its function', () => {
    const device = open();
    expect([...device.vconfig.subarray(0, 4)]).toEqual([0x34, 0x12, 0xe8, 0x11]);
    expect(device.config).toBe(device.pdev.config);
    expect(device.name).toBe('0000:00:03.0');
  });

  it('undoes what was deferred once, last first', () => {
    const device = open();
    const undone: string[] = [];
    device.defer(() => undone.push('first'));
    device.defer(() => undone.push('second'));
    device.close();
    device.close();
    expect(undone).toEqual(['second', 'first']);
  });

  it('can be taken apart, as the one of the core can', () => {
    const device = open();
    const { defer, fixedRegion, mapBar } = device;
    const undone: string[] = [];
    defer(() => undone.push('deferred'));
    expect(fixedRegion(0).read(0, 4)).toBe(0);
    expect(mapBar(0)).toBe(device.pdev.barMemory(0));
    device.close();
    expect(undone).toEqual(['deferred']);
  });

  it('has the same nine regions every time', () => {
    const device = open();
    device.fixedRegion(2).write(0, 4, 7);
    expect(device.fixedRegion(2).read(0, 4)).toBe(7);
    expect(device.fixedRegion(3).read(0, 4)).toBe(0);
  });

  it('maps the BARs that there are', () => {
    const device = open();
    expect(device.mapBar(0)).toBe(device.pdev.barMemory(0));
    expect(() => device.mapBar(1)).toThrow(expect.objectContaining({ code: 'ENODEV' }));
  });

  it('maps memory, under the rule that is given', () => {
    const block = new MemoryBlock(0x2000);
    let accessible = true;
    const mapping = open().mapMemory({
      block,
      offset: 0x1000,
      length: 0x1000,
      accessible: () => accessible,
    });
    mapping.store(4, 4, 0xcafe);
    expect([block.read(0x1004, 4), mapping.load(4, 4)]).toEqual([0xcafe, 0xcafe]);
    expect(mapping.memory).toHaveLength(0x1000);
    accessible = false;
    expect([mapping.load(4, 4), mapping.store(4, 4, 1)]).toEqual(['SIGBUS', 'SIGBUS']);
    mapping.unmap();
  });
});
