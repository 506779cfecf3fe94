import { describe, expect, it } from 'vitest';
import { openAdapter, type Registers } from './fixture.js';

const CONFIG = 7;
const DEVICE_CONTROL = 0x78;
const FLR = 0x8000;
const TRANSACTION_PENDING_AND_FLR = 3;

/** ADAPTER with Advanced Features at 0xc0 in place of the FLR of PCI Express. */
const advancedFeatures = (capabilities: number): Registers => [
  [0x74, 4, 0x00008000],
  [0xb0, 2, 0xc011],
  [0xc0, 4, (capabilities << 24) | 0x00060013],
];

describe('a register that resets', () => {
  /** The resets that the function sees when a user writes this. */
  function resets(config: Registers, at: number, value: number) {
    const done: string[] = [];
    using adapter = openAdapter({ config, description: { onReset: (kind) => done.push(kind) } });
    const { device } = adapter;
    const mapping = device.mmap({ position: 0, length: 4096, shared: true });
    if (typeof mapping === 'number') throw new RangeError(`mmap: ${mapping}`);
    done.length = 0;
    device.write(CONFIG, 0x0c, 1, 0x10);
    expect(device.write(CONFIG, at, 2, value)).toBe(2);
    expect(device.read(CONFIG, at, 2) & value).toBe(0);
    // What a reset clears is there again.
    expect(adapter.pdev.function.config.bytes[0x0c]).toBe(0x10);
    expect(mapping.load(0, 4)).toBe(0xffffffff);
    // Closing resets it too.
    return [...done];
  }

  it('[core:C4.62 core:C4.63] is Device Control, of a function that has FLR', () => {
    expect(resets([], DEVICE_CONTROL, FLR)).toEqual(['flr']);
    expect(resets([[0x74, 4, 0x00008000]], DEVICE_CONTROL, FLR)).toEqual([]);
  });

  it.each([
    [0, []],
    [1, []],
    [2, []],
    [TRANSACTION_PENDING_AND_FLR, ['flr']],
  ])('[core:C4.67 core:C4.68] is AF control, with capabilities %i', (capabilities, done) => {
    expect(resets(advancedFeatures(capabilities), 0xc4, 1)).toEqual(done);
  });
});

describe('the read request size', () => {
  it('[core:C4.59] is never less than the payload size at the function, and what was written for the user', () => {
    // 256 bytes of payload, 512 of read requests.
    using adapter = openAdapter({ config: [[DEVICE_CONTROL, 2, 0x2030]] });
    const { device, pdev } = adapter;
    const hardware = () => (pdev.function.config.peek16(DEVICE_CONTROL) & 0x7000) >> 12;
    for (const [asked, given] of [
      [0, 1],
      [1, 1],
      [5, 5],
      [0, 1],
      [2, 2],
    ] as const) {
      device.write(CONFIG, DEVICE_CONTROL, 2, (asked << 12) | 0x0030);
      expect([hardware(), device.read(CONFIG, DEVICE_CONTROL, 2) >> 12]).toEqual([given, asked]);
    }
  });
});
