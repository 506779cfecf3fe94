import { describe, expect, test } from 'vitest';
import { PciFunction } from '../src/index.js';
import { configOf, MSI } from './helpers.js';

const FLAGS = 0x52;
const MASK = 0x60;
const PENDING = 0x64;

/** A function with four vectors, bus mastering and a message, and what it sends. */
function armed(body: readonly number[] = MSI.body) {
  const silicon = new PciFunction({ config: configOf({ capabilities: [{ ...MSI, body }] }) });
  const sent: number[][] = [];
  silicon.connect({ message: (...message) => sent.push(message) });
  silicon.config.write(0x04, 2, 4);
  silicon.config.write(0x54, 4, 0xfee01000);
  return { silicon, sent };
}

describe('MSI', () => {
  test('sends its message with the vector in the low bits of the data', () => {
    const { silicon, sent } = armed();
    silicon.config.write(0x58, 4, 1);
    silicon.config.write(0x5c, 2, 0x4040);
    silicon.config.write(FLAGS, 2, 0x21);
    expect(silicon.raise(3)).toBe(true);
    expect(sent).toEqual([[0xfee01000, 1, 0x4043, 3]]);
  });

  test('has its data earlier, and no upper address, in the 32-bit form', () => {
    const { silicon, sent } = armed([0x04, 0]);
    silicon.config.write(0x58, 2, 0x1234);
    silicon.config.write(FLAGS, 2, 1);
    silicon.raise(0);
    expect(sent).toEqual([[0xfee01000, 0, 0x1234, 0]]);
  });

  test('folds vectors that software did not grant', () => {
    const { silicon, sent } = armed();
    silicon.config.write(FLAGS, 2, 0x11);
    silicon.raise(3);
    expect(sent.map(([, , data]) => data)).toEqual([1]);
  });

  test('sends nothing while disabled', () => {
    const { silicon, sent } = armed();
    expect(silicon.raise(0)).toBe(false);
    expect(sent).toEqual([]);
  });

  test('sends nothing without bus mastering', () => {
    const { silicon, sent } = armed();
    silicon.config.write(FLAGS, 2, 1);
    silicon.config.write(0x04, 2, 0);
    silicon.raise(0);
    expect(sent).toEqual([]);
  });

  test('remembers a masked vector as pending and sends it when it is unmasked', () => {
    const { silicon, sent } = armed();
    silicon.config.write(FLAGS, 2, 0x21);
    silicon.config.write(MASK, 4, 0x0a);
    silicon.raise(1);
    silicon.raise(1);
    silicon.raise(3);
    expect(sent).toEqual([]);
    expect(silicon.config.read(PENDING, 4)).toBe(0x0a);
    silicon.config.write(MASK, 4, 0x08);
    expect(sent.map(([, , data]) => data)).toEqual([1]);
    expect(silicon.config.read(PENDING, 4)).toBe(0x08);
  });
});
