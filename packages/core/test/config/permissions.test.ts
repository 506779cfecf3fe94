import { StoredConfig } from '@vfiokit/testing';
import { describe, expect, it } from 'vitest';
import { openConfig } from './reference-function.js';

/** A function with one standard capability at 0x40. */
function withStandard(id: number, flags = 0): StoredConfig {
  const hw = new StoredConfig(256);
  return hw.set(0x06, 2, 0x0010).set(0x34, 1, 0x40).set(0x40, 1, id).set(0x42, 2, flags);
}

/** A register as `describe` tells it: of each byte, which bits are virtual and which may be written. */
function bits(hw: StoredConfig, position: number, size: number) {
  const { space } = openConfig(hw);
  const bytes = Array.from({ length: size }, (_, i) => space.describe(position + i));
  const joined = (of: (byte: (typeof bytes)[number]) => number) =>
    bytes.reduceRight((sum, byte) => sum * 256 + of(byte), 0);
  return [joined(({ virtual }) => virtual), joined(({ writable }) => writable)];
}

describe('the bits of a register: virtual, writable', () => {
  it.each([
    ['vendor and device id', 0x00, 4, 0xffffffff, 0],
    ['command', 0x04, 2, 0x0400, 0xffff],
    ['status', 0x06, 2, 0x0010, 0],
    ['revision and class', 0x08, 4, 0, 0],
    ['cache line size', 0x0c, 1, 0, 0xff],
    ['latency timer', 0x0d, 1, 0, 0xff],
    ['header type', 0x0e, 1, 0, 0],
    ['BIST', 0x0f, 1, 0, 0xff],
    ['BAR 0', 0x10, 4, 0xffffffff, 0xffffffff],
    ['BAR 5', 0x24, 4, 0xffffffff, 0xffffffff],
    ['CardBus CIS', 0x28, 4, 0, 0],
    ['subsystem ids', 0x2c, 4, 0, 0],
    ['ROM BAR', 0x30, 4, 0xffffffff, 0xffffffff],
    ['capability pointer and what is reserved', 0x34, 4, 0x000000ff, 0],
    ['reserved', 0x38, 4, 0, 0],
    ['interrupt line and pin', 0x3c, 2, 0xffff, 0x00ff],
    ['min grant, max latency', 0x3e, 2, 0, 0],
  ])('of the header: %s', (_, position, size, virtual, writable) => {
    expect(bits(new StoredConfig(256), position, size)).toEqual([virtual, writable]);
  });

  it.each([
    ['PMC', 0x01, 0, 0x42, 2, 0xf800, 0],
    ['PMCSR', 0x01, 0, 0x44, 4, 0x00008100, 0xffff7efc],
    ['VPD address', 0x03, 0, 0x42, 2, 0xffff, 0xffff],
    ['VPD data', 0x03, 0, 0x44, 4, 0xffffffff, 0xffffffff],
    ['PCI-X command', 0x07, 0x1000, 0x42, 2, 0, 0xffff],
    ['PCI-X status', 0x07, 0x1000, 0x44, 4, 0, 0],
    ['PCI-X ECC control', 0x07, 0x1000, 0x48, 4, 0, 0xffffffff],
    ['PCI Express device control', 0x10, 2, 0x48, 2, 0xf0e0, 0xfdff],
    ['PCI Express device status', 0x10, 2, 0x4a, 2, 0, 0],
    ['PCI Express link control', 0x10, 2, 0x50, 4, 0, 0],
    ['PCI Express device control 2', 0x10, 2, 0x68, 2, 0, 0xffdf],
    ['AF control', 0x13, 0, 0x44, 1, 0x01, 0x01],
    ['MSI flags', 0x05, 0x0180, 0x42, 2, 0x00ff, 0x00ff],
    ['MSI address', 0x05, 0x0180, 0x44, 4, 0xffffffff, 0xffffffff],
    ['MSI upper address', 0x05, 0x0180, 0x48, 4, 0xffffffff, 0xffffffff],
    ['MSI data', 0x05, 0x0180, 0x4c, 2, 0xffff, 0xffff],
    ['what is behind MSI data', 0x05, 0x0180, 0x4e, 2, 0, 0],
    ['MSI mask bits', 0x05, 0x0180, 0x50, 4, 0, 0xffffffff],
    ['MSI pending bits', 0x05, 0x0180, 0x54, 4, 0, 0xffffffff],
    ['MSI data of 32 bits', 0x05, 0x0100, 0x48, 2, 0xffff, 0xffff],
    ['MSI mask bits of 32 bits', 0x05, 0x0100, 0x4c, 4, 0, 0xffffffff],
    ['MSI pending bits of 32 bits', 0x05, 0x0100, 0x50, 4, 0, 0xffffffff],
  ])('of a capability: %s', (_, id, flags, position, size, virtual, writable) => {
    expect(bits(withStandard(id, flags), position, size)).toEqual([virtual, writable]);
  });

  it.each([0x01, 0x03, 0x05, 0x07, 0x10, 0x13])('of capability %i: its id and next', (id) => {
    expect(bits(withStandard(id), 0x40, 2)).toEqual([0xff00, 0]);
  });
});
