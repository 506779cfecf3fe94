import { DEVICE_REGIONS, type DeviceRegion, openFunction, PLATFORM_HOOKS } from '@vfiokit/core';
import type { VfioDevice } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { bringing, IDS } from './bringing.js';
import { open, pfOf } from './pf-with-vf.js';

const ENODEV = 19;
const EINVAL = 22;
const DEVICE_INFO = 0x3b6b;
const REGION_INFO = 0x3b6c;

function region(
  log: string[],
  name: string,
  more: Partial<DeviceRegion['ops']> = {},
): DeviceRegion {
  return {
    type: 0x80001234,
    subtype: 1,
    size: 64,
    flags: 7,
    ops: {
      read: (offset) => {
        log.push(`read ${name} ${offset}`);
        return 0;
      },
      write: () => 0,
      release: () => log.push(`release ${name}`),
      ...more,
    },
  };
}

const withRegions = (regions: () => readonly DeviceRegion[]) =>
  bringing((container) => container.register(DEVICE_REGIONS, { useValue: { regions } }));

/** GET_REGION_INFO or GET_INFO with a buffer of this size: the result, and the buffer. */
function info(device: VfioDevice, command: number, argsz: number, index = 0) {
  const bytes = new Uint8Array(256).fill(0xcc, argsz);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, argsz, true);
  view.setUint32(8, index, true);
  return { result: device.ioctl(command, bytes, undefined as never), view, bytes };
}

describe('regions of a driver and their capabilities', () => {
  it('[derived:16 derived:29] begin at index 9, at 9 << 40, and may be alike', () => {
    using opened = open(
      pfOf(IDS),
      withRegions(() => [region([], 'a'), region([], 'b')]),
    );
    expect([9, 10].map((index) => opened.client.regionInfo(index).position)).toEqual([
      9 * 2 ** 40,
      10 * 2 ** 40,
    ]);
    expect(opened.client.regionInfo(9).type).toEqual(opened.client.regionInfo(10).type);
  });

  it('[derived:17 derived:18] count for one open only', () => {
    let regions = [region([], 'a')];
    const pdev = pfOf(IDS);
    const driver = withRegions(() => regions);
    const first = open(pdev, driver);
    expect(first.client.info().numRegions).toBe(10);
    expect(info(first.device, REGION_INFO, 32, 10).result).toBe(-EINVAL);
    first[Symbol.dispose]();
    regions = [];
    using second = open(pdev, driver);
    expect(second.client.info().numRegions).toBe(9);
    expect(info(second.device, REGION_INFO, 32, 9).result).toBe(-EINVAL);
  });

  it('[derived:19 derived:20 derived:23] have TYPE first, the others in order, at multiples of 8 and padded with zeroes', () => {
    const capabilities = () => [
      { id: 4, version: 1, body: Uint8Array.of(1, 2, 3) },
      { id: 5, version: 1, body: Uint8Array.of(4) },
    ];
    using opened = open(
      pfOf(IDS),
      withRegions(() => [region([], 'a', { capabilities })]),
    );
    const { result, view, bytes } = info(opened.device, REGION_INFO, 200, 9);
    expect(result).toBe(0);
    const entry = (at: number) => [
      view.getUint16(at, true),
      view.getUint16(at + 2, true),
      view.getUint32(at + 4, true),
    ];
    expect(view.getUint32(12, true)).toBe(32);
    expect([entry(32), entry(48), entry(64)]).toEqual([
      [2, 1, 48],
      [4, 1, 64],
      [5, 1, 0],
    ]);
    expect([...bytes.subarray(56, 64)]).toEqual([1, 2, 3, 0, 0, 0, 0, 0]);
    expect([...bytes.subarray(72, 80)]).toEqual([4, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('[derived:21 derived:22] are announced to a caller with too little room, and argsz has a minimum', () => {
    using opened = open(
      pfOf(IDS),
      withRegions(() => [region([], 'a')]),
    );
    const { result, view } = info(opened.device, REGION_INFO, 32, 9);
    expect([result, view.getUint32(0, true), view.getUint32(12, true)]).toEqual([0, 48, 0]);
    expect(view.getUint32(4, true) & 8).toBe(8);
    expect(info(opened.device, REGION_INFO, 31, 9).result).toBe(-EINVAL);
  });

  it('[derived:24 derived:25] are mapped only with a way to do it, the flag, and shared', () => {
    const mmap = () => -1;
    const flagless = { ...region([], 'b', { mmap }), flags: 3 };
    using opened = open(
      pfOf(IDS),
      withRegions(() => [region([], 'a'), flagless, region([], 'c', { mmap })]),
    );
    const map = (index: number, shared = true) =>
      opened.device.mmap({ position: index * 2 ** 40, length: 64, shared });
    expect([map(9), map(10), map(11), map(11, false)]).toEqual([-EINVAL, -EINVAL, -1, -EINVAL]);
  });

  it('[derived:26] are not asked for nothing', () => {
    const log: string[] = [];
    using opened = open(
      pfOf(IDS),
      withRegions(() => [region(log, 'a')]),
    );
    expect(opened.device.pread(new Uint8Array(0), 9 * 2 ** 40)).toBe(0);
    expect(opened.device.pwrite(new Uint8Array(0), 9 * 2 ** 40)).toBe(0);
    expect(log).toEqual([]);
  });

  it('[derived:27 derived:28] are released in order, also when the open fails later', () => {
    const log: string[] = [];
    open(
      pfOf(IDS),
      withRegions(() => [region(log, 'a'), region(log, 'b')]),
    )[Symbol.dispose]();
    expect(log).toEqual(['release a', 'release b']);
    log.length = 0;
    const failing = bringing((container) => {
      container.register(DEVICE_REGIONS, { useValue: { regions: () => [region(log, 'a')] } });
      container.register(DEVICE_REGIONS, {
        useValue: {
          regions: () => {
            throw new Error('no');
          },
        },
      });
    });
    expect(() => open(pfOf(IDS), failing)).toThrow('no');
    expect(log).toEqual(['release a']);
  });

  it('[derived:30 derived:31] of the device itself: too small an argsz, and a provider that has nothing or fails', () => {
    const withHook = (answer: number) =>
      openFunction(pfOf(IDS), {
        register: (host) =>
          host.register(PLATFORM_HOOKS, { useValue: { infoCapabilities: () => answer } }),
      });
    using nothing = withHook(-ENODEV);
    expect(info(nothing.device, DEVICE_INFO, 15).result).toBe(-EINVAL);
    expect(info(nothing.device, DEVICE_INFO, 16).result).toBe(0);
    using failing = withHook(-12);
    expect(info(failing.device, DEVICE_INFO, 24).result).toBe(-12);
  });
});
