import { StoredConfig } from '@vfiokit/testing';
import { describe, expect, it } from 'vitest';
import { openConfig, referenceFunction } from './reference-function.js';

/** A conventional function whose capabilities start at 0x40: `[position, id, next]`. */
function withCapabilities(...list: readonly (readonly [number, number, number])[]): StoredConfig {
  const hw = new StoredConfig(256);
  hw.set(0x06, 2, 0x0010).set(0x34, 1, list[0]?.[0] ?? 0);
  for (const [position, id, next] of list) hw.set(position, 1, id).set(position + 1, 1, next);
  return hw;
}

/** A PCI Express function whose extended capabilities are `[position, id, next]`. */
function withExtended(...list: readonly (readonly [number, number, number])[]): StoredConfig {
  const hw = new StoredConfig(4096);
  hw.set(0x06, 2, 0x0010).set(0x34, 1, 0x40).set(0x40, 1, 0x10).set(0x42, 2, 2);
  for (const [position, id, next] of list)
    hw.set(position, 4, (id | 0x10000 | (next * 2 ** 20)) >>> 0);
  return hw;
}

describe('the list of standard capabilities', () => {
  it('[core:C4.38] unlinks a null capability', () => {
    const { read } = openConfig(
      withCapabilities([0x40, 0x01, 0x50], [0x50, 0x00, 0x60], [0x60, 0x03, 0]),
    );
    expect(read(0x41, 1).value).toBe(0x60);
    expect(read(0x61, 1).value).toBe(0);
  });

  it('[core:C4.40] leaves the body of a hidden capability raw', () => {
    const { read, write, hw } = openConfig(withCapabilities([0x40, 0x0d, 0]));
    expect(write(0x44, 4, 0x12345678)).toEqual({ result: 4, hw: 'W32@44=12345678' });
    expect(read(0x44, 4)).toEqual({ value: 0x12345678, hw: 'R32@44' });
    expect(hw.read(0x44, 4)).toBe(0x12345678);
  });

  it('[core:C4.41] takes the list away if nothing of it is visible', () => {
    const { read } = openConfig(withCapabilities([0x40, 0x0d, 0x50], [0x50, 0x00, 0]));
    expect(read(0x06, 2).value).toBe(0);
    expect(read(0x34, 1).value).toBe(0);
  });

  it('[core:C4.42] leaves gaps raw', () => {
    const { write } = openConfig(withCapabilities([0x40, 0x01, 0]));
    expect(write(0x48, 4, 7).hw).toBe('W32@48=00000007');
  });

  it('[core:C4.43 core:C4.37] has links of its own, which nobody can change', () => {
    const { read, write } = openConfig(withCapabilities([0x40, 0x11, 0x60], [0x60, 0x03, 0]));
    write(0x41, 1, 0x77);
    write(0x34, 1, 0x77);
    expect(read(0x41, 1).value).toBe(0x60);
    expect(read(0x34, 1).value).toBe(0x40);
  });

  it.each([0x01, 0x02, 0x03, 0x05, 0x07, 0x08, 0x09, 0x10, 0x11, 0x12, 0x13])(
    '[core:C4.43] leads from capability %i over a hidden one to the next visible one',
    (id) => {
      const hw = withCapabilities([0x40, id, 0x90], [0x90, 0x0d, 0xa0], [0xa0, 0x01, 0]);
      const { read, write } = openConfig(hw.set(0x42, 1, 0x10));
      expect(read(0x41, 1).value).toBe(0xa0);
      expect(read(0x40, 2).value).toBe(0xa000 | id);
      write(0x41, 1, 0x77);
      write(0x40, 4, 0x7777);
      expect(read(0x41, 1).value).toBe(0xa0);
    },
  );

  it('gives up on a list that runs in circles', () => {
    const { capabilities } = openConfig(withCapabilities([0x40, 0x01, 0x50], [0x50, 0x03, 0x40]));
    expect(capabilities.length).toBe(48);
  });

  it('survives a list that leads into the header', () => {
    const { read } = openConfig(withCapabilities([0x40, 0x01, 0x10], [0x10, 0x09, 0]));
    expect(read(0x00, 4).value).toBe(0x56781234 & 0);
  });

  it('survives a capability that reaches past the end', () => {
    const { read } = openConfig(withCapabilities([0xfc, 0x11, 0]));
    expect(read(0xfc, 4).value).toBe(0x11);
  });

  it('[core:C4.102] reads a single id byte from the hardware, and both bytes of a word from the copy', () => {
    const { read, hw } = openConfig(withCapabilities([0x40, 0x11, 0]));
    hw.set(0x40, 1, 0x99);
    expect(read(0x40, 1)).toEqual({ value: 0x99, hw: 'R8@40' });
    expect(read(0x40, 2)).toEqual({ value: 0x0011, hw: 'R16@40' });
    expect(read(0x41, 1)).toEqual({ value: 0x00, hw: 'R8@41' });
  });
});

describe('the list of extended capabilities', () => {
  it('[core:C4.84] is raw if it starts with a zero dword', () => {
    const { write } = openConfig(withExtended());
    expect(write(0x100, 4, 5).hw).toBe('W32@100=00000005');
  });

  it('[core:C4.85] is raw without a capability that tells of it', () => {
    const hw = new StoredConfig(4096);
    hw.set(0x06, 2, 0x0010).set(0x34, 1, 0x40).set(0x40, 1, 0x01).set(0x100, 4, 0x00010003);
    expect(openConfig(hw).write(0x104, 4, 5).hw).toBe('W32@104=00000005');
  });

  it('[core:C4.86] keeps an anchor in place of a hidden first capability', () => {
    const { read, write } = openConfig(withExtended([0x100, 0x1b, 0x140], [0x140, 0x03, 0]));
    expect(read(0x100, 4).value).toBe(0x14000000);
    expect(write(0x100, 4, 0xffffffff).hw).toBe('');
    expect(write(0x104, 4, 1).hw).toBe('W32@104=00000001');
  });

  it('[core:C4.87] reads 0 if everything is hidden', () => {
    const { read } = openConfig(withExtended([0x100, 0x1b, 0x140], [0x140, 0x1e, 0]));
    expect(read(0x100, 4).value).toBe(0);
  });

  it('[core:C4.88] skips a hidden capability in the link before it', () => {
    const { read } = openConfig(
      withExtended([0x100, 0x03, 0x140], [0x140, 0x1e, 0x180], [0x180, 0x18, 0]),
    );
    expect(read(0x100, 4).value).toBe(0x18010003);
  });

  it('[core:C4.109] takes a list headed by a null capability for the header', () => {
    const { read } = openConfig(withExtended([0x100, 0x00, 0x140], [0x140, 0x03, 0]));
    expect(read(0x100, 4).value).toBe(0x14010000);
  });

  it('gives an unknown id above 255 the rules of its low byte', () => {
    const { write } = openConfig(withExtended([0x100, 0x0101, 0x140], [0x140, 0x03, 0]));
    expect(write(0x100, 4, 0xffffffff).hw).toBe('');
  });
});

describe('who owns a byte', () => {
  it('names capabilities, registers, virtual and writable bits', () => {
    const { space } = openConfig(referenceFunction());
    expect(space.describe(0x05)).toMatchObject({
      register: 'command',
      virtual: 0x04,
      writable: 0xff,
    });
    expect(space.describe(0xb2)).toMatchObject({ owner: 'raw', virtual: 0, writable: 0xff });
    expect(space.describe(0x3d)).toMatchObject({
      register: 'interrupt pin',
      virtual: 0xff,
      writable: 0,
    });
  });
});
