import { StoredConfig } from '@vfiokit/testing';
import { describe, expect, it } from 'vitest';
import { openConfig } from './reference-function.js';

/** A function with one standard capability at 0x40, and how many bytes of it are not raw. */
function standardLength(id: number, set: (hw: StoredConfig) => void = () => {}): number {
  const hw = new StoredConfig(4096);
  hw.set(0x06, 2, 0x0010).set(0x34, 1, 0x40).set(0x40, 1, id);
  set(hw);
  return owned(hw, 0x40);
}

/** The same for an extended capability behind a PCI Express one; it stands at 0x110, so that it can be hidden. */
function extendedLength(id: number, set: (hw: StoredConfig) => void = () => {}): number {
  const hw = new StoredConfig(4096);
  hw.set(0x06, 2, 0x0010).set(0x34, 1, 0x40).set(0x40, 1, 0x10).set(0x42, 2, 2);
  hw.set(0x100, 4, 0x11010003).set(0x110, 4, 0x00010000 | id);
  set(hw);
  return owned(hw, 0x110);
}

function owned(hw: StoredConfig, start: number): number {
  const { space } = openConfig(hw);
  let length = 0;
  while (space.describe(start + length).owner !== 'raw') length += 1;
  return length;
}

describe('standard capabilities', () => {
  it.each([
    [0x01, 8],
    [0x02, 12],
    [0x03, 8],
    [0x11, 12],
    [0x13, 6],
  ])('id %i is %i bytes long', (id, length) => {
    expect(standardLength(id)).toBe(length);
  });

  it.each([
    [0x0000, 10],
    [0x0080, 14],
    [0x0100, 20],
    [0x0180, 24],
  ])('[core:C4.70] MSI with flags %i is %i bytes long', (flags, length) => {
    expect(standardLength(0x05, (hw) => hw.set(0x42, 2, flags))).toBe(length);
  });

  it.each([
    [0x0001, 20],
    [0x0002, 52],
    [0x0091, 12],
    [0x0092, 44],
  ])('[core:C4.66] PCI Express with flags %i is %i bytes long', (flags, length) => {
    expect(standardLength(0x10, (hw) => hw.set(0x42, 2, flags))).toBe(length);
  });

  it.each([
    [0x0000, 8],
    [0x1000, 24],
    [0x2000, 24],
  ])('PCI-X with command %i is %i bytes long', (command, length) => {
    expect(standardLength(0x07, (hw) => hw.set(0x42, 2, command))).toBe(length);
  });

  it.each([
    [0x00, 28],
    [0x20, 24],
    [0x80, 24],
  ])('HyperTransport of type %i is %i bytes long', (type, length) => {
    expect(standardLength(0x08, (hw) => hw.set(0x43, 1, type))).toBe(length);
  });

  it.each([
    [0x0f, 16],
    [0x04, 8],
  ])('SATA with location %i is %i bytes long', (location, length) => {
    expect(standardLength(0x12, (hw) => hw.set(0x44, 1, location))).toBe(length);
  });

  it('[core:C4.81] a vendor capability says its own length, and 0 hides it', () => {
    expect(standardLength(0x09, (hw) => hw.set(0x42, 1, 33))).toBe(33);
    expect(standardLength(0x09, (hw) => hw.set(0x42, 1, 0))).toBe(0);
  });

  it.each([0x00, 0x04, 0x06, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x14, 0x15, 0xff])(
    '[core:C4.39] id %i is hidden',
    (id) => {
      const hw = new StoredConfig(256);
      hw.set(0x06, 2, 0x0010).set(0x34, 1, 0x40).set(0x40, 1, id).set(0x41, 1, 0x50);
      hw.set(0x50, 1, 0x01);
      const { read, space } = openConfig(hw);
      expect(read(0x34, 1).value).toBe(0x50);
      expect(space.describe(0x42).owner).toBe('raw');
    },
  );
});

describe('extended capabilities', () => {
  it.each([
    [0x01, 0x2c],
    [0x03, 12],
    [0x04, 16],
    [0x0e, 8],
    [0x0f, 8],
    [0x10, 64],
    [0x12, 40],
    [0x13, 16],
    [0x18, 8],
  ])('id %i is %i bytes long', (id, length) => {
    expect(extendedLength(id)).toBe(length);
  });

  it.each([0x1b, 0x1e, 0x1f, 0x1d, 0x19, 0x2e])('[core:C4.89] id %i is hidden', (id) => {
    expect(extendedLength(id)).toBe(0);
  });

  it('[core:C4.95] a DVSEC says its length in the upper bits of its second dword', () => {
    expect(extendedLength(0x23, (hw) => hw.set(0x114, 4, 0x01401234))).toBe(20);
    expect(extendedLength(0x0b, (hw) => hw.set(0x114, 4, 0x02c00000))).toBe(44);
    expect(extendedLength(0x23, (hw) => hw.set(0x114, 4, 0x00001234))).toBe(0);
  });

  it('[core:C4.96] ACS with egress control and no vector size is 40 bytes long', () => {
    expect(extendedLength(0x0d, (hw) => hw.set(0x114, 1, 0x20).set(0x115, 1, 0))).toBe(40);
    expect(extendedLength(0x0d, (hw) => hw.set(0x114, 1, 0x20).set(0x115, 1, 33))).toBe(16);
    expect(extendedLength(0x0d, (hw) => hw.set(0x114, 1, 0x1f).set(0x115, 1, 33))).toBe(8);
  });

  it('[core:C4.97] Resizable BAR with three BARs is 28 bytes long', () => {
    expect(extendedLength(0x15, (hw) => hw.set(0x118, 1, 3 << 5))).toBe(28);
  });

  it('[core:C4.98] DPA with a highest substate of 4 is 21 bytes long', () => {
    expect(extendedLength(0x16, (hw) => hw.set(0x114, 1, 4))).toBe(21);
  });

  it('[core:C4.99] TPH with its table inside is as long as the table makes it', () => {
    expect(extendedLength(0x17, (hw) => hw.set(0x114, 4, 0x200 | (7 << 16)))).toBe(28);
    expect(extendedLength(0x17, (hw) => hw.set(0x114, 4, 0x400 | (7 << 16)))).toBe(12);
  });

  it('[core:C4.100 core:C4.101] virtual channels are as long as channels and arbitration tables make them', () => {
    expect(extendedLength(0x02, (hw) => hw.set(0x114, 4, 1).set(0x118, 4, 2))).toBe(64);
    expect(extendedLength(0x02)).toBe(28);
    expect(extendedLength(0x09, (hw) => hw.set(0x118, 4, 8))).toBe(32 + 64);
    expect(extendedLength(0x08, (hw) => hw.set(0x114, 4, 7).set(0x118, 4, 4))).toBe(112 + 32);
  });
});
