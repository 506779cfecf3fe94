import type { DeviceOverride, OpeningDevice, Region } from '@vfiokit/core';
import { expect } from 'vitest';
import { StubRegion } from '../stub-region.js';
import { type ContractCases, type Declines, describeContract } from './contract.js';

/** An override under test, made anew for every case. */
export interface OverrideSubject {
  readonly override: DeviceOverride;
  readonly device: OpeningDevice;
  /** Indexes of the regions that it stands in front of. */
  readonly regions: readonly number[];
}

const ENOTTY = 25;
const UNKNOWN_COMMAND = 0x3bff;

/** The contract of {@link DeviceOverride}: it changes what it says it changes, and nothing else. */
export function describeOverride(
  name: string,
  make: () => OverrideSubject,
  declines: Declines = {},
): void {
  describeContract(`${name} as an override`, overrideCases(make), declines);
}

/** The cases by title, to be run by {@link describeOverride}. */
export function overrideCases(make: () => OverrideSubject): ContractCases {
  return {
    'hands regions that it leaves alone back as they are'() {
      const { override, device, regions } = make();
      for (let index = 0; index < 12; index += 1) {
        if (regions.includes(index)) continue;
        const next: Region = new StubRegion(4096);
        expect(override.region?.(index, next, device) ?? next).toBe(next);
      }
    },
    'answers for the regions that it stands in front of'() {
      const { override, device, regions } = make();
      for (const index of regions) {
        const next: Region = new StubRegion(4096);
        const region = override.region?.(index, next, device);
        expect(region).toBeDefined();
        expect(region).not.toBe(next);
        const info = region!.info();
        if (typeof info === 'number') expect(info).toBeLessThan(0);
        else expect(info.size).toBeGreaterThanOrEqual(0);
      }
    },
    'never throws on the access path'() {
      const { override, device, regions } = make();
      for (const index of regions) {
        const region = override.region!(index, new StubRegion(4096), device);
        for (const offset of [0, 1, 2, 4, 0x3c, 4095, 4096, 2 ** 40 - 4]) {
          expect(typeof region.read(offset, 1)).toBe('number');
          expect(typeof region.write(offset, 1, 0)).toBe('number');
          expect(typeof region.pread(new Uint8Array(3), offset)).toBe('number');
          expect(typeof region.pwrite(new Uint8Array(3), offset)).toBe('number');
        }
      }
    },
    'passes ioctls on that it does not know'() {
      const { override, device } = make();
      const asked: number[] = [];
      const next = (command: number) => {
        asked.push(command);
        return -ENOTTY;
      };
      const handler = override.ioctl?.(next, device) ?? next;
      expect(handler(UNKNOWN_COMMAND, undefined, undefined as never)).toBe(-ENOTTY);
      expect(asked).toEqual([UNKNOWN_COMMAND]);
    },
    'keeps its configuration registers inside configuration space and apart'() {
      const { override, device } = make();
      const registers = override.configRegisters?.(device) ?? [];
      let end = 0;
      for (const { offset, length } of [...registers].sort((a, b) => a.offset - b.offset)) {
        expect(offset).toBeGreaterThanOrEqual(end);
        expect(length).toBeGreaterThan(0);
        end = offset + length;
      }
      expect(end).toBeLessThanOrEqual(device.config.size);
    },
  };
}
