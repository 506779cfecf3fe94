import { describe, expect, it } from 'vitest';
import { BAD_POINTER, openAdapter } from './fixture.js';

const EFAULT = 14;
const EINVAL = 22;
const GET_REGION_INFO = 0x3b6c;

/** argsz, flags, index, cap_offset, size (two words), offset (two words). */
const question = (index: number, argsz = 32, capOffset = 0) =>
  [GET_REGION_INFO, argsz, 0, index, capOffset, 0, 0, 0, 0] as const;

describe('VFIO_DEVICE_GET_REGION_INFO', () => {
  it('[core:C2.6] wants argsz to be 32 at least', () => {
    using adapter = openAdapter();
    expect(adapter.ioctl(...question(7, 31))).toEqual([-EINVAL, 31, 0, 7, 0, 0, 0, 0, 0]);
    expect(adapter.ioctl(...question(7, 32))[0]).toBe(0);
    expect(adapter.device.ioctl(GET_REGION_INFO, BAD_POINTER, adapter.process)).toBe(-EFAULT);
    expect(adapter.device.ioctl(GET_REGION_INFO, new Uint8Array(31), adapter.process)).toBe(
      -EFAULT,
    );
  });

  it('[core:C2.7] places region r at r << 40', () => {
    using adapter = openAdapter();
    for (let index = 0; index < 8; index += 1) {
      const [result, , , , , , , low, high] = adapter.ioctl(...question(index));
      expect([result, low, high]).toEqual([0, 0, index << 8]);
    }
  });

  it('[core:C2.8] knows absent BARs, of size 0', () => {
    using adapter = openAdapter();
    expect(adapter.ioctl(...question(3))).toEqual([0, 32, 0, 3, 0, 0, 0, 0, 3 << 8]);
  });

  it('[core:C2.9] gives the upper half of a 64-bit BAR size 0', () => {
    using adapter = openAdapter({
      description: {
        bars: [{ kind: 'memory', size: 2 ** 33, is64Bit: true, prefetchable: true }],
      },
    });
    expect(adapter.client.regionInfo(0)).toMatchObject({ size: 2 ** 33, flags: 0xf });
    expect(adapter.client.regionInfo(1)).toMatchObject({ size: 0, flags: 0 });
  });

  it('[core:C2.10 core:C2.11] tells memory, which can be mapped, from ports', () => {
    using adapter = openAdapter({
      description: {
        bars: [
          { kind: 'memory', size: 0x10000 },
          { kind: 'memory', size: 0x10000 },
          { kind: 'io', size: 0x20 },
        ],
      },
    });
    expect(adapter.client.regionInfo(1)).toMatchObject({ size: 0x10000, flags: 7 });
    expect(adapter.client.regionInfo(2)).toMatchObject({ size: 0x20, flags: 3 });
  });

  it('[core:C2.12] marks the BAR with the MSI-X table', () => {
    using adapter = openAdapter();
    expect(adapter.ioctl(...question(0)).slice(0, 5)).toEqual([0, 40, 0xf, 0, 0]);
    expect(adapter.ioctl(...question(0, 40), 7, 7)).toEqual([
      ...[0, 40, 0xf, 0, 32],
      ...[0x10000, 0, 0, 0],
      ...[0x00010003, 0],
    ]);
  });

  it('[core:C2.13] hands cap_offset back as it came where there is no capability (quirk W29)', () => {
    using adapter = openAdapter();
    expect(adapter.ioctl(...question(7, 32, 0x1234))[4]).toBe(0x1234);
    using mended = openAdapter({ quirks: { zeroCapOffset: true } });
    expect(mended.ioctl(...question(7, 32, 0x1234))[4]).toBe(0);
  });

  it('[core:C2.14] gives configuration space the size that hardware shows', () => {
    using express = openAdapter();
    expect(express.client.regionInfo(7)).toMatchObject({ size: 4096, flags: 3 });
    using conventional = openAdapter({ description: { configSize: 256 } });
    expect(conventional.client.regionInfo(7)).toMatchObject({ size: 256, flags: 3 });
  });

  it('[core:C2.15] has a VGA region for VGA functions only', () => {
    using network = openAdapter();
    expect(network.ioctl(...question(8))[0]).toBe(-EINVAL);
    using display = openAdapter({ config: [[0x08, 4, 0x03000000]] });
    expect(display.ioctl(...question(8))).toEqual([0, 32, 3, 8, 0, 0xc0000, 0, 0, 8 << 8]);
  });

  it('[core:C2.16] has no region behind the last one', () => {
    using adapter = openAdapter();
    for (const index of [9, 10, 0x7fffffff, 0xffffffff])
      expect(adapter.ioctl(...question(index))[0]).toBe(-EINVAL);
  });
});
