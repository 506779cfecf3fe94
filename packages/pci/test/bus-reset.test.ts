import { describe, expect, test } from 'vitest';
import { type PciDevice, PciTopology } from '../src/index.js';
import { configOf, EXPRESS, FULL } from './helpers.js';

const EAGAIN = -11;
const ENOTTY = -25;

const bridge = (secondary: number) => ({
  config: configOf({
    capabilities: [EXPRESS],
    bytes: [
      [0x0e, [1]],
      [0x18, [0, secondary, secondary]],
    ],
  }),
});

/** A root port with a function of two on bus 1, one of which is a bridge to a function on bus 2. */
function machine(platform = {}, quirks: Readonly<Record<string, object>> = {}) {
  const topology = new PciTopology({ platform });
  const add = (address: string, description: object) =>
    topology.add(address, description as { config: Uint8Array }, { quirks: quirks[address] ?? {} });
  return {
    topology,
    port: add('0000:00:02.0', bridge(1)),
    first: add('0000:01:00.0', { config: FULL }),
    second: add('0000:01:00.1', bridge(2)),
    below: add('0000:02:00.0', { config: FULL }),
  };
}

describe('probing', () => {
  test('a bus behind a bridge can be reset, a root bus cannot', () => {
    const { port, first, below } = machine();
    expect([port, first, below].map((device) => device.probeBusReset())).toEqual([ENOTTY, 0, 0]);
  });

  test('a slot can be reset only if the machine says so', () => {
    expect(machine().first.probeSlotReset()).toBe(ENOTTY);
    expect(machine({ probeSlotReset: () => 0 }).first.probeSlotReset()).toBe(0);
  });

  test.each([
    ['0000:00:02.0', 'the bridge'],
    ['0000:01:00.1', 'a neighbour'],
    ['0000:02:00.0', 'a function further below'],
  ])('%s, %s, can forbid it', (address) => {
    const { first } = machine({ probeSlotReset: () => 0 }, { [address]: { noBusReset: true } });
    expect([first.probeBusReset(), first.probeSlotReset()]).toEqual([ENOTTY, ENOTTY]);
  });

  test('the slot of functions with the same device number is the same', () => {
    const { topology, first, second } = machine();
    const other = topology.add('0000:01:01.0', { config: FULL });
    expect(first.slot).toBe(second.slot);
    expect(other.slot).not.toBe(first.slot);
    expect(first.slot.devices).toEqual([first, second]);
  });
});

describe('a reset of slot or bus', () => {
  test('reaches everything below the bridge and restores it', () => {
    const { first, below } = machine();
    const resets: string[] = [];
    for (const device of [first, below]) {
      device.enable();
      device.resetHooks = {
        prepare: () => resets.push(`prepare ${device.name}`),
        done: () => resets.push(`done ${device.name}`),
      };
    }
    const command = first.config.read(4, 2);
    expect(first.tryResetSlotOrBus()).toBe(0);
    expect(resets).toEqual([
      'prepare 0000:01:00.0',
      'prepare 0000:02:00.0',
      'done 0000:01:00.0',
      'done 0000:02:00.0',
    ]);
    expect(first.config.read(4, 2)).toBe(command);
  });

  test('really resets, and lets the bridge go on', () => {
    const topology = new PciTopology();
    const port = topology.add('0000:00:02.0', bridge(1));
    const kinds: string[] = [];
    const device = topology.add('0000:01:00.0', {
      config: FULL,
      onReset: (kind) => kinds.push(kind),
    });
    expect(device.tryResetSlotOrBus()).toBe(0);
    expect(kinds).toEqual(['bus']);
    expect(port.config.read(0x3e, 2) & 0x40).toBe(0);
  });

  test('is EAGAIN if any lock is held, and lets the others go', () => {
    for (const held of ['port', 'first', 'second', 'below'] as const) {
      const all = machine();
      all[held].tryLock();
      expect(all.first.tryResetSlotOrBus()).toBe(EAGAIN);
      const others: PciDevice[] = [all.port, all.first, all.second, all.below].filter(
        (device) => device !== all[held],
      );
      expect(others.every((device) => device.tryLock())).toBe(true);
    }
  });

  test('is ENOTTY on a root bus', () => {
    expect(machine().port.tryResetSlotOrBus()).toBe(ENOTTY);
  });

  test('is ENOTTY if the link does not come back, with everything restored', () => {
    const { first } = machine({ secondaryBusReset: () => ENOTTY });
    first.enable();
    const command = first.config.read(4, 2);
    expect(first.tryResetSlotOrBus()).toBe(ENOTTY);
    expect(first.config.read(4, 2)).toBe(command);
    expect(first.tryLock()).toBe(true);
  });

  test('goes by the slot where it can, which leaves the bridge unlocked', () => {
    const asked: string[] = [];
    const all = machine({
      probeSlotReset: () => 0,
      resetSlot: (device: PciDevice) => {
        asked.push(device.name);
        return 0;
      },
    });
    all.port.tryLock();
    expect(all.first.tryResetSlotOrBus()).toBe(0);
    expect(asked).toEqual(['0000:01:00.0']);
  });
});

describe('the bus method of a function', () => {
  test('is for a function that is alone on its bus', () => {
    const { second, below } = machine();
    expect(second.resetMethods.map(({ name }) => name)).not.toContain('bus');
    expect(below.resetMethods.map(({ name }) => name)).toContain('bus');
  });

  test('is said to be there for the first of several functions, and then is ENOTTY', () => {
    const topology = new PciTopology();
    topology.add('0000:00:02.0', bridge(1));
    const first = topology.add('0000:01:00.0', { config: configOf() });
    const second = topology.add('0000:01:00.1', { config: configOf() });
    expect([first, second].map((device) => device.resetMethods.map(({ name }) => name))).toEqual([
      ['bus'],
      [],
    ]);
    expect(first.resetFunctionLocked()).toBe(ENOTTY);
  });

  test('resets the secondary bus', () => {
    const topology = new PciTopology();
    topology.add('0000:00:02.0', bridge(1));
    const device = topology.add('0000:01:00.0', { config: configOf() });
    device.config.write(0x3c, 1, 99);
    expect(device.resetFunctionLocked()).toBe(0);
    expect(device.config.read(0x3c, 1)).toBe(0);
  });

  test('prefers the slot', () => {
    const asked: string[] = [];
    const topology = new PciTopology({
      platform: {
        probeSlotReset: () => 0,
        resetSlot: (device) => {
          asked.push(device.name);
          return 0;
        },
      },
    });
    const device = topology.add('0000:00:03.0', { config: configOf() });
    expect(device.resetMethods.map(({ name }) => name)).toEqual(['bus']);
    expect(device.resetFunctionLocked()).toBe(0);
    expect(asked).toEqual(['0000:00:03.0']);
  });
});
