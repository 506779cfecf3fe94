import { describe, expect, test } from 'vitest';
import { PciTopology } from '../src/index.js';
import { Analyser, configOf, VPD } from './helpers.js';

const EINVAL = -22;
const ENODEV = -19;
const ETIMEDOUT = -110;

/** An identifier string of five bytes, read-only data of four, the end tag: 18 bytes. */
const DATA = Uint8Array.from([
  0x82, 5, 0, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x90, 4, 0, 1, 2, 3, 4, 0x78, 0xee, 0xee, 0xee, 0xee,
]);

function traced(vpd?: Uint8Array) {
  const analyser = new Analyser();
  const topology = new PciTopology({ platform: analyser.platform() });
  const config = configOf({ capabilities: [VPD] });
  const device = topology.add('0000:00:03.0', vpd === undefined ? { config } : { config, vpd });
  analyser.take();
  return { analyser, device };
}

function read(device: ReturnType<typeof traced>['device'], offset: number, length: number) {
  const into = new Uint8Array(length);
  const count = device.vpd.read(offset, into);
  return count < 0 ? count : [...into.subarray(0, count)];
}

describe('reading VPD', () => {
  test('gives bytes from any offset', () => {
    expect(read(traced(DATA).device, 3, 5)).toEqual([0x48, 0x65, 0x6c, 0x6c, 0x6f]);
  });

  test('ends where the end tag ends', () => {
    const { device } = traced(DATA);
    expect(read(device, 12, 100)).toEqual([2, 3, 4, 0x78]);
    expect(read(device, 16, 4)).toEqual([]);
  });

  test('goes by dwords: address, flag, data', () => {
    const { analyser, device } = traced(DATA);
    read(device, 0, 1);
    analyser.take();
    read(device, 5, 2);
    expect(analyser.take()).toBe('W16@e2=0004 R16@e2 R32@e4');
  });

  test('is ENODEV without the capability, and for data that begins with no tag', () => {
    const none = new PciTopology().add('0000:00:03.0', { config: configOf() });
    expect(read(none, 0, 4)).toBe(ENODEV);
    expect(read(traced(new Uint8Array(64)).device, 0, 4)).toBe(ENODEV);
    expect(read(traced(new Uint8Array(64).fill(0xff)).device, 0, 4)).toBe(ENODEV);
  });

  test('is EINVAL before the beginning', () => {
    expect(read(traced(DATA).device, -4, 4)).toBe(EINVAL);
  });

  test('takes a function that never answers for one without data', () => {
    expect(read(traced().device, 0, 4)).toBe(ENODEV);
  });

  test('is ETIMEDOUT when a function stops answering', () => {
    const { device } = traced(DATA);
    read(device, 0, 1);
    device.function.config.attach(0xe0, {});
    expect(read(device, 0, 4)).toBe(ETIMEDOUT);
  });

  test('ends before a tag that reaches too far, and behind the last where there is no end tag', () => {
    const tooFar = Uint8Array.from([0x82, 1, 0, 0x41, 0x90, 0xff, 0xff]);
    expect(read(traced(tooFar).device, 0, 16)).toEqual([0x82, 1, 0, 0x41]);
  });
});

describe('writing VPD', () => {
  test('stores whole dwords', () => {
    const storage = DATA.slice();
    const { device } = traced(storage);
    expect(device.vpd.write(8, Uint8Array.of(0x90, 4, 0, 9, 8, 7, 6, 5))).toBe(8);
    expect([...storage.subarray(8, 16)]).toEqual([0x90, 4, 0, 9, 8, 7, 6, 5]);
  });

  test.each([
    [2, 4],
    [0, 3],
    [-4, 4],
    [16, 4],
    [12, 8],
  ])('is EINVAL at %i for %i bytes', (offset, length) => {
    const storage = DATA.slice();
    expect(traced(storage).device.vpd.write(offset, new Uint8Array(length))).toBe(EINVAL);
    expect(storage).toEqual(DATA);
  });

  test('is ENODEV without data', () => {
    expect(traced().device.vpd.write(0, new Uint8Array(4))).toBe(ENODEV);
  });
});
