import {
  type DeviceOverride,
  getValue,
  type OpeningDevice,
  putValue,
  type Region,
  type RegionInfo,
  readByPread,
} from '@vfiokit/core';
import type { DeviceMapping } from '@vfiokit/uapi';
import { expect } from 'vitest';
import { StubRegion } from '../stub-region.js';
import { type ContractCases, type Declines, describeContract } from './contract.js';
import { alignedSweep, places, sweep } from './sweep.js';

/** An override under test, made anew for every case. */
export interface OverrideSubject {
  readonly override: DeviceOverride;
  readonly device: OpeningDevice;
  /** Indexes of the regions that it stands in front of. */
  readonly regions: readonly number[];
}

const SIZES = [1, 2, 4] as const;
const PAGE = 4096;
/** VFIO_REGION_INFO_FLAG_MMAP. */
const MMAP = 4;
const EINVAL = 22;
const ENOTTY = 25;
const UNKNOWN_COMMAND = 0x3bff;
/** The index behind those of the BARs. */
const ROM = 6;
/** Bytes after which what lies below repeats itself. */
const PATTERN = 0x1_0000;
/** Bytes of a BAR that are looked at. */
const LARGEST = 16 << 20;

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
        const next: Region = belowOf(device, index);
        const region = override.region?.(index, next, device);
        expect(region).toBeDefined();
        expect(region).not.toBe(next);
        const info = region!.info();
        if (typeof info === 'number') expect(info).toBeLessThan(0);
        else expect(info.size).toBeGreaterThanOrEqual(0);
      }
    },
    'never throws on the access path'() {
      for (const { region, size } of regionsOf(make()))
        for (const offset of [...sweep(Math.min(size, PAGE)), size, size + 1, 2 ** 40 - 4]) {
          const results = SIZES.flatMap((width) => [
            region.read(offset, width),
            region.write(offset, width, 0),
          ]);
          results.push(region.pread(new Uint8Array(3), offset));
          results.push(region.pwrite(new Uint8Array(3), offset));
          if (!results.every(Number.isInteger)) expect.fail(`at ${places([offset])}: ${results}`);
        }
    },
    'reads by pread what single reads show, at every width'() {
      for (const [single, whole] of pairsOf(make))
        for (const width of SIZES) {
          const wrong = alignedSweep(single.size, width).filter((offset) => {
            return single.region.read(offset, width) !== readByPread(whole.region, offset, width);
          });
          expect(places(wrong), `region ${single.index}, reads of ${width}`).toBe('');
        }
    },
    'shows the same bytes at every width'() {
      for (const [wide, narrow] of pairsOf(make)) {
        const wrong = alignedSweep(wide.size, 4).filter((offset) => {
          const value = wide.region.read(offset, 4);
          const bytes = [0, 1, 2, 3].map((i) => narrow.region.read(offset + i, 1));
          if (value < 0) return false;
          return bytes.reduceRight((whole, byte) => whole * 256 + byte, 0) !== value;
        });
        expect(places(wrong), `region ${wide.index}`).toBe('');
      }
    },
    'writes by pwrite what single writes do, at every width'() {
      for (const width of SIZES)
        for (const [single, whole] of pairsOf(make)) {
          const wrong = alignedSweep(single.size, width).filter((offset) => {
            const value = (0x5aa5c33c + offset * 7) >>> 0;
            const bytes = new Uint8Array(width);
            putValue(bytes, 0, width, value);
            const count = whole.region.pwrite(bytes, offset);
            return single.region.write(offset, width, getValue(bytes, 0, width)) !== count;
          });
          expect(places(wrong), `region ${single.index}, results for ${width}`).toBe('');
          const unlike = sweep(single.size).filter(
            (offset) => single.region.read(offset, 1) !== whole.region.read(offset, 1),
          );
          expect(places(unlike), `region ${single.index}, after writes of ${width}`).toBe('');
          expect(places(differences(single.below.bytes, whole.below.bytes))).toBe('');
        }
    },
    'can be mapped only where loads show what reads show'() {
      for (const [mapped, read] of pairsOf(make)) {
        const pages = alignedSweep(mapped.size, 4).filter((offset) => offset % PAGE === 0);
        for (const page of pages) {
          const mapping = mapped.region.mmap?.(page, PAGE) ?? -EINVAL;
          if (typeof mapping === 'number') continue;
          expect(mapped.flags & MMAP, `region ${mapped.index} can be mapped, and says so`).toBe(
            MMAP,
          );
          const wrong = alignedSweep(Math.min(PAGE, mapped.size - page), 4).filter((offset) => {
            const loaded = mapping.load(offset, 4);
            return loaded !== 'SIGBUS' && loaded !== read.region.read(page + offset, 4);
          });
          expect(places(wrong), `region ${mapped.index}, page 0x${page.toString(16)}`).toBe('');
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
      for (const { name, offset, length } of [...registers].sort((a, b) => a.offset - b.offset)) {
        expect(offset, `where ${name} starts`).toBeGreaterThanOrEqual(end);
        expect(length, `how long ${name} is`).toBeGreaterThan(0);
        end = offset + length;
        expect(end, `where ${name} ends`).toBeLessThanOrEqual(device.config.size);
      }
    },
  };
}

/** What lies below: bytes of which neighbours differ, all of which can be mapped. */
class Below extends StubRegion {
  constructor(size: number) {
    super(size);
    for (let at = 0; at < Math.min(size, PATTERN); at += 1)
      this.bytes[at] = 1 + ((at * 31 + (at >>> 8)) % 251);
    for (let at = PATTERN; at < size; at *= 2) this.bytes.copyWithin(at, 0, at);
  }

  override info(): RegionInfo {
    const info = super.info();
    return { ...info, flags: info.flags | MMAP };
  }

  mmap(offset: number, length: number): DeviceMapping | number {
    if (offset + length > this.bytes.length) return -EINVAL;
    return {
      length,
      memory: this.bytes.subarray(offset, offset + length),
      load: (at, size) => getValue(this.bytes, offset + at, size),
      store: (at, size, value) => void putValue(this.bytes, offset + at, size, value),
      unmap() {},
    };
  }
}

/** Below a BAR there is as much as the function has there, so that registers anywhere in it can be overridden. */
function belowOf({ pdev }: OpeningDevice, index: number): Below {
  const length = index < ROM ? (pdev.resources[index]?.length ?? 0) : 0;
  return new Below(Math.min(LARGEST, Math.max(2 * PAGE, length)));
}

/** A region that the override stands in front of, with what is below. */
interface Standing {
  readonly index: number;
  readonly below: StubRegion;
  readonly region: Region;
  /** Bytes, 0 where it is absent. */
  readonly size: number;
  readonly flags: number;
}

function regionsOf({ override, device, regions }: OverrideSubject): readonly Standing[] {
  return regions.map((index) => {
    const below = belowOf(device, index);
    const region = override.region?.(index, below, device) ?? below;
    const info = region.info();
    return {
      index,
      below,
      region,
      ...(typeof info === 'number'
        ? { size: 0, flags: 0 }
        : { size: info.size, flags: info.flags }),
    };
  });
}

/** The same region of two devices, so that accesses to one have no effect on those to the other. */
function pairsOf(make: () => OverrideSubject): readonly (readonly [Standing, Standing])[] {
  const others = regionsOf(make());
  return regionsOf(make()).map((standing, at) => [standing, others[at]!] as const);
}

function differences(a: Uint8Array, b: Uint8Array): number[] {
  return Buffer.compare(a, b) === 0 ? [] : [...a.keys()].filter((at) => a[at] !== b[at]);
}
