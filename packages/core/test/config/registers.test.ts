import { describe, expect, it } from 'vitest';
import type { ConfigRegister } from '../../src/extension.js';
import { openConfig, referenceFunction } from './reference-function.js';

/** A register of a derived driver that notes what it is asked and adds something to what the core would answer. */
function noted(name: string, offset: number, length: number, log: string[]): ConfigRegister {
  return {
    name,
    offset,
    length,
    read(at, size, next) {
      log.push(`${name} R${size}@${at.toString(16)}`);
      return next.read(at, size) ^ 0x11;
    },
    write(at, size, value, next) {
      log.push(`${name} W${size}@${at.toString(16)}=${value.toString(16)}`);
      return next.write(at, size, value);
    },
  };
}

/** Two registers: one dword, and two halves of dwords. */
function withRegisters() {
  const log: string[] = [];
  const config = openConfig(referenceFunction(), {
    registers: [noted('dword', 0x40, 4, log), noted('middle', 0x3a, 4, log)],
  });
  return { ...config, log };
}

describe('registers of a derived driver', () => {
  it('answer for their bytes alone, each in front of the core', () => {
    const plain = openConfig(referenceFunction());
    const { space, log } = withRegisters();
    expect(space.read(0x40, 4)).toBe((plain.space.read(0x40, 4) ^ 0x11) >>> 0);
    expect(space.read(0x3a, 2)).toBe(plain.space.read(0x3a, 2) ^ 0x11);
    expect(space.read(0x44, 4)).toBe(plain.space.read(0x44, 4));
    expect(log).toEqual(['dword R4@40', 'middle R2@3a']);
  });

  it('are asked for aligned pieces that lie inside them', () => {
    const { read, log } = withRegisters();
    read(0x38, 8);
    expect(log).toEqual(['middle R2@3a', 'middle R2@3c']);
    log.length = 0;
    read(0x3e, 6);
    expect(log).toEqual(['dword R4@40']);
  });

  it('may do what the core would do, writes too', () => {
    const { write, vconfig, log } = withRegisters();
    expect(write(0x3c, 1, 0x20).result).toBe(1);
    expect(vconfig[0x3c]).toBe(0x20);
    expect(write(0x3f, 2, 0).result).toBe(2);
    expect(log).toEqual(['middle W1@3c=20', 'dword W1@40=0']);
  });

  it('get writes that the core would drop without looking at them', () => {
    const registers = [noted('read-only', 0xbc, 4, [])];
    const [own, core] = [{ registers }, {}].map((options) =>
      openConfig(referenceFunction(), options),
    );
    expect([own!.space.copiesForWrite(0xbc), core!.space.copiesForWrite(0xbc)]).toEqual([
      true,
      false,
    ]);
  });
});
