import { HOST_CONTAINER, type VfioPciDriver } from '@vfiokit/core';
import { type PciDevice, pciAlias, pciModalias } from '@vfiokit/pci';
import { container as root } from 'tsyringe';
import { expect, vi } from 'vitest';
import { type ContractCases, type Declines, describeContract } from './contract.js';

/** A driver under test, made anew for every case, with a function that it takes. */
export interface DriverSubject {
  readonly driver: VfioPciDriver;
  readonly pdev: PciDevice;
}

/** The contract of {@link VfioPciDriver}: it can be found by its name and ids, and its probe touches one container only. */
export function describeDriver(
  name: string,
  make: () => DriverSubject,
  declines: Declines = {},
): void {
  describeContract(`${name} as a VFIO PCI driver`, driverCases(make), declines);
}

/** The cases by title, to be run by {@link describeDriver}. */
export function driverCases(make: () => DriverSubject): ContractCases {
  return {
    'has a name that driver_override can hold'() {
      expect(make().driver.name).toMatch(/^[a-z0-9][a-z0-9_-]*$/);
    },
    'has ids from which module aliases can be made'() {
      const { ids } = make().driver;
      expect(ids.length).toBeGreaterThan(0);
      for (const id of ids)
        expect(pciAlias({ ...id, overrideOnly: true })).toMatch(
          /^vfio_pci:v[0-9A-F*]+d[0-9A-F*]+sv[0-9A-F*]+sd[0-9A-F*]+bc[0-9A-F*]+sc[0-9A-F*]+i[0-9A-F*]+$/,
        );
    },
    'has an id that its function matches'() {
      const { driver, pdev } = make();
      const aliases = driver.ids.flatMap((id) => pciAlias(id) ?? []);
      const modalias = pciModalias(pdev);
      expect(
        aliases.some((alias) => new RegExp(`^${alias.replaceAll('*', '.*')}$`).test(modalias)),
        `${modalias} is none of ${aliases.join(', ')}`,
      ).toBe(true);
    },
    'accepts its function, twice'() {
      const { driver, pdev } = make();
      for (let turn = 0; turn < 2; turn += 1)
        expect(() => driver.probe?.(pdev, root.createChildContainer())).not.toThrow();
    },
    'leaves the container above its device alone'() {
      const { driver, pdev } = make();
      const host = root.createChildContainer();
      host.register(HOST_CONTAINER, { useValue: host });
      const spies = [host, root].map((container) => vi.spyOn(container, 'register'));
      try {
        driver.probe?.(pdev, host.createChildContainer());
        expect(spies.flatMap(({ mock }) => mock.calls.map(([token]) => token))).toEqual([]);
      } finally {
        for (const spy of spies) spy.mockRestore();
      }
    },
  };
}
