import { describe, expect, test } from 'vitest';
import { PciResource, PciTopology } from '../src/index.js';
import { configOf } from './helpers.js';

const EBUSY = -16;

const memory = (start: bigint, length: number) => new PciResource(start, length, 0x40200);

function machine(...resources: PciResource[][]) {
  const topology = new PciTopology();
  return resources.map((own, index) =>
    topology.add(`0000:00:0${index + 1}.0`, { config: configOf() }, { resources: own }),
  );
}

describe('reserving a BAR', () => {
  test('is EBUSY for a second time until it is released', () => {
    const [device] = machine([memory(0xfe000000n, 4096)]);
    expect([
      device!.reservations.reserve(0),
      device!.reservations.reserve(0),
      device!.reservations.reserve(1),
    ]).toEqual([0, EBUSY, 0]);
    device!.reservations.release(0);
    expect(device!.reservations.reserve(0)).toBe(0);
  });

  test('is EBUSY where the machine says so', () => {
    const topology = new PciTopology({
      platform: { reserveBar: (_, index) => (index === 2 ? EBUSY : 0) },
    });
    const device = topology.add('0000:00:01.0', { config: configOf() });
    expect([
      device.reservations.reserve(2),
      device.reservations.reserve(2),
      device.reservations.reserve(0),
    ]).toEqual([EBUSY, EBUSY, 0]);
  });
});

describe('the rest of the page behind a small BAR', () => {
  test('can be reserved where nobody has it', () => {
    const [device] = machine([memory(0xfe000000n, 1024)]);
    expect(device!.reservations.reserveRemainder(0)).toBe(true);
    expect(device!.reservations.remainder(0)).toEqual([0xfe000400n, 0xfe000fffn]);
    device!.reservations.releaseRemainder(0);
    expect(device!.reservations.remainder(0)).toBeUndefined();
  });

  test('cannot be reserved where another function, or another BAR, lies in it', () => {
    const [device] = machine([memory(0xfe000000n, 1024)], [memory(0xfe000800n, 256)]);
    expect(device!.reservations.reserveRemainder(0)).toBe(false);
    const [own] = machine([memory(0xfe000000n, 1024), memory(0xfe000400n, 1024)]);
    expect(own!.reservations.reserveRemainder(0)).toBe(false);
  });

  test('is not in the way of what lies in the next page', () => {
    const [device] = machine([memory(0xfe000000n, 1024)], [memory(0xfe001000n, 256)]);
    expect(device!.reservations.reserveRemainder(0)).toBe(true);
  });

  test('is reserved once', () => {
    const [one, two] = machine([memory(0xfe000000n, 256)], [memory(0xfe001000n, 256)]);
    expect([one!.reservations.reserveRemainder(0), one!.reservations.reserveRemainder(0)]).toEqual([
      true,
      false,
    ]);
    expect(two!.reservations.reserveRemainder(0)).toBe(true);
  });

  test('is larger where pages are larger, and free where the machine says so', () => {
    const topology = new PciTopology({ platform: { pageSize: 65536 } });
    const resources = [memory(0xfe000000n, 4096)];
    const device = topology.add('0000:00:01.0', { config: configOf() }, { resources });
    device.reservations.reserveRemainder(0);
    expect(device.reservations.remainder(0)).toEqual([0xfe001000n, 0xfe00ffffn]);
    const refusing = new PciTopology({ platform: { pageRemainderFree: () => false } });
    const other = refusing.add('0000:00:01.0', { config: configOf() }, { resources });
    expect(other.reservations.reserveRemainder(0)).toBe(false);
  });
});
