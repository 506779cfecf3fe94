import { describe, expect, test } from 'vitest';
import { PciFunction, readSysfsConfig } from '../src/index.js';
import { configOf, FULL, PM } from './helpers.js';

describe("sysfs's config", () => {
  test('of 256 or 4096 bytes is complete', () => {
    const read = readSysfsConfig(FULL, '0000:00:03.0');
    expect([read.truncated, read.problems.length, read.description.configSize]).toEqual([
      false,
      0,
      256,
    ]);
    expect(readSysfsConfig(new Uint8Array(4096), 'x').description.configSize).toBe(4096);
  });

  test('of 64 bytes, which is all that most users see, is cut off, and a list leads out of it', () => {
    const read = readSysfsConfig(FULL.subarray(0, 64), '0000:00:03.0');
    expect(read.truncated).toBe(true);
    expect(read.problems).toEqual([{ at: 0x40, problem: 'configuration space is cut off here' }]);
    expect(new PciFunction(read.description).config.read(0, 2)).toBe(0x1234);
  });

  test('of another length is a copy that was cut off', () => {
    const read = readSysfsConfig(new Uint8Array(300), 'x');
    expect([read.truncated, read.description.configSize]).toEqual([true, 4096]);
  });

  test('reports what is wrong with its lists', () => {
    const config = configOf({ capabilities: [PM], bytes: [[0x41, [0x40]]] });
    expect(readSysfsConfig(config, 'x').problems).toEqual([{ at: 0x40, problem: 'list loops' }]);
  });

  test.each([0, 63, 4097])('of %i bytes is refused', (length) => {
    expect(() => readSysfsConfig(new Uint8Array(length), 'a/config')).toThrow(
      expect.objectContaining({ code: 'EINVAL', message: expect.stringMatching(/^a\/config: /) }),
    );
  });
});
