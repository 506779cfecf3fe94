import { describe, expect, test } from 'vitest';
import { MemoryBlock, PciFunction } from '../src/index.js';
import { configOf, MSIX, words } from './helpers.js';

const CONTROL = 0x72;
const ENABLE = 0x8000;
const MASK_ALL = 0x4000;

function armed() {
  const silicon = new PciFunction({
    config: configOf({ capabilities: [MSIX] }),
    bars: [{ size: 0x4000, kind: 'memory', block: new MemoryBlock(0x4000) }],
  });
  const sent: number[][] = [];
  silicon.connect({ message: (...message) => sent.push(message) });
  silicon.config.write(0x04, 2, 6);
  const bar = silicon.bars[0]!.decoded;
  const setEntry = (vector: number, ...entry: readonly number[]) => {
    for (const [word, value] of entry.entries())
      bar.write(0x1000 + 16 * vector + 4 * word, 4, value);
  };
  return { silicon, sent, bar, setEntry };
}

describe('MSI-X', () => {
  test('sends the message of the table entry', () => {
    const { silicon, sent, setEntry } = armed();
    setEntry(2, 0xfee02000, 1, 0x77, 0);
    silicon.config.write(CONTROL, 2, ENABLE);
    expect(silicon.raise(2)).toBe(true);
    expect(sent).toEqual([[0xfee02000, 1, 0x77, 2]]);
  });

  test('comes up with every entry masked and empty', () => {
    const { bar } = armed();
    const first = [0, 4, 8, 12].map((word) => bar.read(0x1000 + word, 4));
    expect(first).toEqual([0, 0, 0, 1]);
    expect(bar.read(0x103c, 4)).toBe(1);
  });

  test.each([
    ['of its entry', 1, ENABLE],
    ['of the function', 0, ENABLE | MASK_ALL],
  ])('sets the pending bit under the mask %s and sends when that goes', (_, control, flags) => {
    const { silicon, sent, bar, setEntry } = armed();
    setEntry(3, 0xfee00000, 0, 9, control);
    silicon.config.write(CONTROL, 2, flags);
    silicon.raise(3);
    expect(bar.read(0x2000, 4)).toBe(8);
    expect(sent).toEqual([]);
    setEntry(3, 0xfee00000, 0, 9, 0);
    silicon.config.write(CONTROL, 2, ENABLE);
    expect(sent).toEqual([[0xfee00000, 0, 9, 3]]);
    expect(bar.read(0x2000, 4)).toBe(0);
  });

  test('has no pending bits that software could write', () => {
    const { bar } = armed();
    bar.write(0x2000, 4, 0xf);
    expect(bar.read(0x2000, 4)).toBe(0);
  });

  test('leaves the rest of its BAR to what is there', () => {
    const { bar } = armed();
    bar.write(0x1040, 4, 0x11);
    bar.write(0x0ffc, 4, 0x22);
    expect([bar.read(0x1040, 4), bar.read(0x0ffc, 4)]).toEqual([0x11, 0x22]);
    expect(bar.memory).toBeUndefined();
  });

  test('knows no vector beyond its table, and nothing while disabled', () => {
    const { silicon } = armed();
    expect(silicon.raise(0)).toBe(false);
    silicon.config.write(CONTROL, 2, ENABLE);
    expect(silicon.raise(4)).toBe(false);
  });

  test('is emptied by a reset', () => {
    const { silicon, bar, setEntry } = armed();
    setEntry(0, 0xfee00000, 0, 1, 0);
    silicon.reset('flr');
    silicon.config.write(0x04, 2, 2);
    expect([0, 8, 12].map((word) => bar.read(0x1000 + word, 4))).toEqual([0, 0, 1]);
    expect(silicon.msix?.enabled).toBe(false);
  });

  test('of 2048 vectors has its last pending bit in its last byte', () => {
    const body = [0xff, 0x07, ...words(0, 0x8000)];
    const silicon = new PciFunction({
      config: configOf({ capabilities: [{ ...MSIX, body }] }),
      bars: [{ size: 0x10000, kind: 'memory' }],
    });
    silicon.config.write(0x04, 2, 6);
    silicon.config.write(CONTROL, 2, ENABLE);
    silicon.raise(2047);
    expect(silicon.bars[0]!.decoded.read(0x8000 + 255, 1)).toBe(0x80);
    expect(silicon.msix?.table).toEqual({ bar: 0, offset: 0, size: 0x8000 });
  });
});
