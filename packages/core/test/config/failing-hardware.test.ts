import { StoredConfig } from '@vfiokit/testing';
import { describe, expect, it } from 'vitest';
import { openConfig, referenceFunction } from './reference-function.js';

const EIO = 5;
const COMMAND = 0x04;

/** The reference function, of which accesses to some position fail once it is open. */
function failing(kind: 'read' | 'write', position: number, size?: number) {
  const hw = referenceFunction();
  const config = openConfig(hw);
  const { read, write } = hw;
  const fails = (at: number, width: number) => at === position && width === (size ?? width);
  if (kind === 'read')
    hw.read = (at, width) => (fails(at, width) ? -EIO : read.call(hw, at, width));
  else
    hw.write = (at, width, value) => (fails(at, width) ? -EIO : write.call(hw, at, width, value));
  return config;
}

/** The same with a capability at 0x40 in place of its own. */
function failingCapability(id: number, set: (hw: StoredConfig) => void, position: number) {
  const hw = new StoredConfig(256);
  hw.set(0x06, 2, 0x0010).set(0x34, 1, 0x40).set(0x40, 1, id);
  set(hw);
  const config = openConfig(hw);
  const { read } = hw;
  hw.read = (at, width) => (at === position ? -EIO : read.call(hw, at, width));
  return config;
}

describe('a write whose hardware access fails', () => {
  it.each([
    ['a dword', 0x0c, 4],
    ['a word', 0x0c, 2],
    ['a byte', 0x0d, 1],
  ])('answers with that, of %s, and writes nothing that it could not read', (_, position, size) => {
    const { write } = failing('read', position);
    expect(write(position, size, 0)).toMatchObject({ result: -EIO });
    expect(write(position, size, 0).hw).not.toMatch(/W/);
  });

  it('answers with that of a single value too', () => {
    const { space, traced } = failing('read', 0x0c);
    expect([4, 2, 1].map((size) => space.write(0x0c, size, 0))).toEqual([-EIO, -EIO, -EIO]);
    expect(traced.take().join(' ')).toBe('R32@c R16@c R8@c');
  });

  it('to COMMAND answers with it before anything has changed', () => {
    const { write, vconfig } = failing('read', COMMAND, 2);
    expect(write(COMMAND, 2, 0)).toEqual({ result: -EIO, hw: 'R16@4' });
    expect(vconfig[COMMAND]).toBe(0x03);
  });

  it('to COMMAND leaves the virtual enables and the mask of INTx as they were', () => {
    const { write, vconfig, command } = failing('write', COMMAND, 2);
    const { result, hw } = write(COMMAND, 2, 0x0404);
    expect(result).toBe(-EIO);
    expect(hw).not.toMatch(/unrevoke|mask/);
    expect([(vconfig[COMMAND] ?? 0) & 0x03, command.virqDisabled]).toEqual([0x03, false]);
  });
});

describe('a reset that is asked for by a register', () => {
  it('does not happen if the function can not say that it is able to: PCI Express', () => {
    const { write } = failingCapability(0x10, (hw) => hw.set(0x42, 2, 2), 0x44);
    expect(write(0x48, 2, 0x8000).hw).not.toMatch(/reset/);
  });

  it('does not happen if the function can not say that it is able to: AF', () => {
    const { write } = failingCapability(0x13, () => {}, 0x43);
    expect(write(0x44, 1, 0x01).hw).not.toMatch(/reset/);
  });

  it.each([0x01, 0x02])('wants both capability bits of AF, not %i alone', (capabilities) => {
    const hw = new StoredConfig(256);
    hw.set(0x06, 2, 0x0010).set(0x34, 1, 0x40).set(0x40, 1, 0x13).set(0x43, 1, capabilities);
    expect(openConfig(hw).write(0x44, 1, 0x01).hw).not.toMatch(/reset/);
  });
});

describe('Vital Product Data', () => {
  /** VPD at a position that is no multiple of 4, as a pointer may say. */
  const crooked = () => {
    const hw = new StoredConfig(256);
    hw.set(0x06, 2, 0x0010).set(0x34, 1, 0x42).set(0x42, 1, 0x03);
    return openConfig(hw);
  };

  it('is asked for by the flag alone, wherever the capability lies', () => {
    const { write } = crooked();
    expect(write(0x46, 2, 0xffff).hw).toBe('');
    expect(write(0x44, 2, 0x0010).hw).toBe('VPD read 10');
  });

  it('is not written if fewer than four bytes were taken', () => {
    const { read, write, effects } = openConfig(referenceFunction());
    effects.writeVpd = () => 2;
    write(0xce, 2, 0x8010);
    expect(read(0xce, 2).value).toBe(0x8010);
  });
});
