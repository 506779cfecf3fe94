import { describe, expect, test } from 'vitest';
import { PciTopology } from '../src/index.js';
import { configOf, FULL } from './helpers.js';

const bridge = (secondary: number) => ({
  config: configOf({
    bytes: [
      [0x0e, [1]],
      [0x18, [0, secondary, secondary]],
    ],
  }),
});

function tree() {
  const topology = new PciTopology();
  for (const [address, secondary] of [
    ['0000:00:00.0', 0],
    ['0000:00:01.0', 1],
    ['0000:01:00.0', 2],
    ['0000:00:1f.0', 0],
    ['0000:02:00.0', 0],
    ['0000:02:00.1', 0],
    ['0001:00:00.0', 0],
  ] as const)
    topology.add(address, secondary === 0 ? { config: FULL } : bridge(secondary));
  return topology;
}

describe('topology', () => {
  test('walks depth first, each bridge before what is behind it', () => {
    expect(tree().devices.map(({ name }) => name)).toEqual([
      '0000:00:00.0',
      '0000:00:01.0',
      '0000:01:00.0',
      '0000:02:00.0',
      '0000:02:00.1',
      '0000:00:1f.0',
      '0001:00:00.0',
    ]);
  });

  test('has a root bus where no bridge leads to', () => {
    const topology = tree();
    expect(topology.rootBuses.map(({ domain, number }) => [domain, number])).toEqual([
      [0, 0],
      [1, 0],
    ]);
    const deepest = topology.find('02:00.0')!;
    expect([deepest.bus.isRoot, deepest.bus.self?.name]).toEqual([false, '0000:01:00.0']);
    expect(topology.bus(0, 0)!.children.map(({ number }) => number)).toEqual([1]);
  });

  test('walks a part of itself', () => {
    const below = [...tree().bus(0, 1)!.walk()].map(({ name }) => name);
    expect(below).toEqual(['0000:01:00.0', '0000:02:00.0', '0000:02:00.1']);
  });

  test('finds functions by address', () => {
    const topology = tree();
    expect(topology.find('0001:00:00.0')?.name).toBe('0001:00:00.0');
    expect(topology.find('0000:00:05.0')).toBeUndefined();
    expect(topology.find('0007:00:00.0')).toBeUndefined();
  });

  test('refuses two functions in one place, and malformed addresses', () => {
    const topology = tree();
    const add = (address: string) => () => topology.add(address, { config: FULL });
    expect(add('0000:02:00.1')).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    expect(add('nowhere')).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  test('refuses a bridge that comes after what is behind it', () => {
    const topology = new PciTopology();
    topology.add('0000:05:00.0', { config: FULL });
    expect(() => topology.add('0000:00:02.0', bridge(5))).toThrow('add bridges before');
    expect(topology.find('0000:00:02.0')).toBeUndefined();
  });

  test('removes a function with everything behind it', () => {
    const topology = tree();
    topology.remove(topology.find('0000:00:01.0')!);
    expect(topology.devices.map(({ name }) => name)).toEqual([
      '0000:00:00.0',
      '0000:00:1f.0',
      '0001:00:00.0',
    ]);
    expect(topology.bus(0, 2)).toBeUndefined();
    topology.add('0000:00:01.0', bridge(1));
    expect(topology.bus(0, 1)?.devices).toEqual([]);
  });

  test('tells listeners of functions that come and go, until they stop listening', () => {
    const topology = new PciTopology();
    const seen: string[] = [];
    const stop = topology.listen({
      added: (device) => seen.push(`+${device.name} ${topology.find(device.name) === device}`),
      removing: (device) => seen.push(`-${device.name} ${topology.find(device.name) === device}`),
    });
    const device = topology.add('0000:00:01.0', { config: FULL });
    topology.remove(device);
    stop();
    topology.add('0000:00:01.0', { config: FULL });
    expect(seen).toEqual(['+0000:00:01.0 true', '-0000:00:01.0 true']);
  });

  test('takes VFs that a capture describes on their own', () => {
    const topology = new PciTopology();
    const physfn = topology.add('0000:01:00.0', { config: FULL });
    const vf = topology.add(
      '0000:01:10.0',
      { config: configOf({ bytes: [[0x00, [255, 255, 255, 255]]] }) },
      { physfn, ids: { device: 0x10ca } },
    );
    expect(physfn.virtualFunctions).toEqual([vf]);
    expect([vf.isVirtfn, vf.vendor, vf.device]).toEqual([true, 0x1234, 0x10ca]);
    topology.remove(vf);
    expect(physfn.virtualFunctions).toEqual([]);
  });
});

describe('addresses', () => {
  test('are given to BARs and ROMs that have none, aligned and apart', () => {
    const topology = new PciTopology();
    const [one, two] = ['0000:00:01.0', '0000:00:02.0'].map((address) =>
      topology.add(address, {
        config: configOf(),
        bars: [
          { size: 0x10000, kind: 'memory' },
          { size: 0x20, kind: 'io' },
          { size: 2 ** 33, kind: 'memory', is64Bit: true, prefetchable: true },
        ],
        rom: 0x800,
      }),
    );
    for (const index of [0, 1, 2, 6]) {
      const [a, b] = [one!.resources[index]!, two!.resources[index]!];
      expect(a.start % BigInt(a.length)).toBe(0n);
      expect(a.overlaps(b.start, b.end)).toBe(false);
      expect(a.start).not.toBe(0n);
    }
    expect(one!.resources[2]!.start > 2n ** 32n).toBe(true);
    expect(BigInt(one!.config.read(0x14, 4) & ~3)).toBe(one!.resources[1]!.start);
    expect(one!.resources.map(({ flags }) => flags.toString(16))).toEqual([
      '40200',
      '40101',
      '14220c',
      '0',
      '0',
      '0',
      '46200',
    ]);
  });

  test('that firmware gave are kept', () => {
    const config = configOf({ bytes: [[0x10, [0, 0, 0xbc, 0xfe]]] });
    const device = new PciTopology().add('0000:00:01.0', {
      config,
      bars: [{ size: 0x4000, kind: 'memory' }],
    });
    expect(device.resources[0]).toMatchObject({ start: 0xfebc0000n, length: 0x4000 });
    expect(device.barMemory(0).read(0, 4)).toBe(0xffffffff);
    expect(device.barMemory(5).read(0, 4)).toBe(0xffffffff);
  });
});

describe('errors', () => {
  test('that a function reports reach its driver', () => {
    const device = new PciTopology().add('0000:00:01.0', { config: FULL });
    const seen: string[] = [];
    device.resetHooks = { errorDetected: (severity) => seen.push(severity) };
    device.config.write(0x98, 2, 7);
    device.function.reportError({ correctable: true, status: 1 });
    device.function.reportError({ correctable: false, status: 0x1000 });
    expect(seen).toEqual(['nonfatal']);
  });
});
