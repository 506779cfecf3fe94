import { HOST_CONTAINER, OPS_NAME, type VfioPciDriver } from '@vfiokit/core';
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

describeDriver('a driver with a name', taking);

describeBroken('a driver', driverCases, {
  'has a name that driver_override can hold': () => taking({ name: 'two words' }),
  'has ids from which module aliases can be made': () => taking({ ids: [] }),
  'has an id that its function matches': () => taking({ ids: [{ vendor: 0x1234, device: 1 }] }),
  'accepts its function, twice': () => taking({ probe: fail }),
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
