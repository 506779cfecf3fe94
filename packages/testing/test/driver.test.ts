import {
  DEVICE_REGIONS,
  type DeviceRegion,
  HOST_CONTAINER,
  OPEN_HOOKS,
  OPS_NAME,
  PLATFORM_HOOKS,
  RESET_HOOKS,
  type VfioPciDriver,
} from '@vfiokit/core';
import { container as root } from 'tsyringe';
import { expect, it } from 'vitest';
import { driverCases } from '../src/contracts/driver.js';
import { type DriverSubject, describeDriver } from '../src/index.js';
import { describeBroken, fail } from './broken.js';
import { plugFunction } from './function.js';

function taking(override: Partial<VfioPciDriver> = {}): DriverSubject {
  const driver: VfioPciDriver = {
    name: 'toy-vfio-pci',
    ids: [{ vendor: 0x1234, device: 0x11e8 }],
    probe: (_pdev, container) => container.register(OPS_NAME, { useValue: 'toy' }),
    ...override,
  };
  return { driver, pdev: plugFunction() };
}

/** A driver that adds a region. */
const adding = (odd: Partial<DeviceRegion> = {}): DriverSubject =>
  taking({
    probe(_pdev, container) {
      const ops = { read: () => 0, write: () => 0 };
      const region = { type: 0x80001234, subtype: 1, size: 100, flags: 3, ops, ...odd };
      container.register(DEVICE_REGIONS, { useValue: { regions: () => [region] } });
    },
  });

describeDriver('a driver with a name', taking);
describeDriver('a driver with a region', adding);
describeDriver('a driver with a region for every kind of device', () => adding({ type: 1 }));

describeBroken('a driver', driverCases, {
  'has a name that driver_override can hold': () => taking({ name: 'two words' }),
  'has ids from which module aliases can be made': () => taking({ ids: [] }),
  'has an id that its function matches': () => taking({ ids: [{ vendor: 0x1234, device: 1 }] }),
  'accepts its function, twice': () => taking({ probe: fail }),
  'refuses a function by a VfioError alone': () => taking({ probe: () => -19 }),
  'brings what a device is asked for, each as often as it counts': () =>
    taking({
      probe(_pdev, container) {
        container.register(RESET_HOOKS, { useValue: { done() {} } });
        container.register(RESET_HOOKS, { useValue: { prepare() {} } });
      },
    }),
  'adds regions that a user can be told of': () => adding({ size: 1.5 }),
  'leaves the container above its device alone': () =>
    taking({
      probe: (_pdev, container) =>
        container.resolve(HOST_CONTAINER).register(OPS_NAME, { useValue: 'toy' }),
    }),
});

it('the contract of a driver finds registrations with the global container, and leaves it as it was', () => {
  const { register } = root;
  const global = () => taking({ probe: () => root.register(Symbol('toy'), { useValue: 1 }) });
  const run = driverCases(global)['leaves the container above its device alone']!;
  expect(run).toThrow(expect.objectContaining({ name: 'AssertionError' }));
  expect(root.register).toBe(register);
  root.reset();
});

const ask = (title: string, subject: DriverSubject) => () =>
  driverCases(() => subject)[title]!(() => fail());

class Needy {
  constructor(readonly size: number) {}
  open() {}
}

it.each<[string, RegExp, NonNullable<VfioPciDriver['probe']>]>([
  [
    'what belongs to the host',
    /^PLATFORM_HOOKS: no device is asked for it; register it on the host$/,
    (_pdev, container) => container.register(PLATFORM_HOOKS, { useValue: {} }),
  ],
  [
    'a second one of what counts once',
    /^OPS_NAME: registered more than once; only the last one counts$/,
    (_pdev, container) =>
      ['a', 'b'].forEach((useValue) => {
        container.register(OPS_NAME, { useValue });
      }),
  ],
  [
    'a class that nobody can make',
    /^OPEN_HOOKS: .*Needy.*; an object goes in as useValue, a class .* @injectable\(\)/,
    (_pdev, container) => container.register(OPEN_HOOKS, { useClass: Needy }),
  ],
])('the contract of a driver says what helps against %s', (_what, message, probe) => {
  const title = 'brings what a device is asked for, each as often as it counts';
  expect(ask(title, taking({ probe }))).toThrow(message);
});

it.each<[string, Partial<DeviceRegion>]>([
  ['its size is 1.5; it has to be a whole number of bytes up to 2^40', { size: 1.5 }],
  ['its size is 2199023255552;', { size: 2 ** 41 }],
  ["its type 0x1234 is nobody's; a vendor's is vendorRegionType(VENDOR)", { type: 0x1234 }],
  ['its flags are 0x0;', { flags: 0 }],
  ['its flags are 0xf; there are VFIO_REGION_INFO_FLAG_READ, _WRITE and _MMAP', { flags: 15 }],
  ['its flags and its ops do not agree about mmap', { flags: 7 }],
])('the contract of a driver says of a region: %s', (message, odd) => {
  expect(ask('adds regions that a user can be told of', adding(odd))).toThrow(
    `region 9: ${message}`,
  );
});
