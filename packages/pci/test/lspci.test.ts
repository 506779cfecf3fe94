import { describe, expect, test } from 'vitest';
import { PciFunction, readLspci } from '../src/index.js';
import { configOf, PM, words } from './helpers.js';

/** What lspci prints of a configuration space. */
function dump(config: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < config.length; at += 16) {
    const bytes = [...config.subarray(at, at + 16)].map((byte) =>
      byte.toString(16).padStart(2, '0'),
    );
    lines.push(`${at.toString(16).padStart(config.length > 256 ? 3 : 2, '0')}: ${bytes.join(' ')}`);
  }
  return lines.join('\n');
}

const CONFIG = configOf({ capabilities: [PM], bytes: [[0x10, words(0xfea0000c, 0, 0xc001)]] });

describe('lspci text', () => {
  test('with -xxx gives a function with its title', () => {
    const [read, ...others] = readLspci(
      `00:03.0 Ethernet controller: Somebody (rev 02)\n${dump(CONFIG)}\n\n`,
      'x',
    );
    expect(others).toEqual([]);
    expect(read!.address.toString()).toBe('0000:00:03.0');
    expect(read!.title).toBe('Ethernet controller: Somebody (rev 02)');
    expect(read!.description.config).toEqual(CONFIG);
  });

  test('with -D -n -xxxx gives several functions with domains and 4096 bytes', () => {
    const large = configOf({ extended: [{ at: 0x100, id: 1 }] });
    const text = `0000:00:03.0 0200: 8086:10d3\n${dump(CONFIG)}\n\n10001:e1:00.0 0108: 1b36:0010 (rev 02)\n${dump(large)}\n`;
    const read = readLspci(text, 'x');
    expect(read.map(({ address }) => `${address}`)).toEqual(['0000:00:03.0', '10001:e1:00.0']);
    expect(read[1]!.description.configSize).toBe(4096);
    expect(read[1]!.description.config).toEqual(large);
  });

  test('with -v says how large the BARs are', () => {
    const text = [
      '00:03.0 Ethernet controller: Somebody',
      '\tSubsystem: Somebody',
      '\tFlags: bus master, fast devsel, latency 0, IRQ 11',
      '\tI/O ports at c000 [size=32]',
      '\tMemory at fe000000 (32-bit, non-prefetchable) [size=4K]',
      '\tMemory at fea00000 (64-bit, prefetchable) [size=16K]',
      '\tCapabilities: [40] Power Management version 3',
      dump(CONFIG),
    ].join('\n');
    const silicon = new PciFunction(readLspci(text, 'x')[0]!.description);
    expect(silicon.bars[0]).toMatchObject({ size: 0x4000, is64Bit: true, prefetchable: true });
    expect(silicon.bars[2]).toMatchObject({ size: 32, kind: 'io' });
  });

  test('with -vv says how large the ROM is', () => {
    const config = configOf({ bytes: [[0x30, words(0xfe700000)]] });
    const text = `00:03.0 VGA\n\tExpansion ROM at fe700000 [disabled] [size=64K]\n${dump(config)}`;
    expect(new PciFunction(readLspci(text, 'x')[0]!.description).romSize).toBe(0x10000);
  });

  test('with -x ends after the header, which is reported', () => {
    const [read] = readLspci(`00:03.0 VGA\n${dump(CONFIG.subarray(0, 64))}`, 'x');
    expect(read!.truncated).toBe(true);
  });

  test.each([
    ['00: 86 80', 'line 1: a dump without a function'],
    [`00:03.0 VGA\n00: 86 8x\n`, 'line 2: "00: 86 8x" is not a line of a dump'],
    [`00:03.0 VGA\n00: 86 80\n10: 00\n`, 'line 3: the dump goes on at 0x10, but 0x2 is missing'],
    [`00:03.0 VGA\n${dump(CONFIG)}\n00:03.0 VGA\n`, 'line 18: 0000:00:03.0 is there already'],
    ['00:03.0 VGA\n00: 86 80\n', '0000:00:03.0: configuration space of 2 bytes'],
    ['00:03.0 VGA\n\tMemory at f0000000 [size=1K]\n', 'no dump in it'],
    ['', 'no dump in it'],
  ])('is refused where it is %j', (text, message) => {
    expect(() => readLspci(text, 'dump.txt')).toThrow(`dump.txt: ${message}`);
    expect(() => readLspci(text, 'dump.txt')).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});
