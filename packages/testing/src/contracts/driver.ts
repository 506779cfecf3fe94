import {
  DEVICE_OVERRIDES,
  DEVICE_REGIONS,
  type DeviceRegion,
  DIRTY_LOG,
  DMABUF_PROVIDER,
  HOST_CONTAINER,
  MIGRATION,
  NATIVE_DRIVERS,
  OPEN_HOOKS,
  OPS_NAME,
  PLATFORM_HOOKS,
  RELEASE_HOOKS,
  RESET_HOOKS,
  SILICON,
  VFIO_PCI_DRIVERS,
  VFIO_PCI_EXTENSIONS,
  type VfioPciDriver,
} from '@vfiokit/core';
import { type PciDevice, pciAlias, pciModalias } from '@vfiokit/pci';
import { type DependencyContainer, type InjectionToken, container as root } from 'tsyringe';
import { expect, vi } from 'vitest';
import { StubOpening } from '../stub-opening.js';
import { type ContractCases, type Declines, describeContract } from './contract.js';

/** A driver under test, made anew for every case, with a function that it takes. */
export interface DriverSubject {
  readonly driver: VfioPciDriver;
  readonly pdev: PciDevice;
}

/** What a device has any number of. */
const SEVERAL: readonly InjectionToken[] = [
  DEVICE_OVERRIDES,
  DEVICE_REGIONS,
  OPEN_HOOKS,
  RELEASE_HOOKS,
];
/** What a device has one of, or none. */
const ONE: readonly InjectionToken[] = [
  DIRTY_LOG,
  DMABUF_PROVIDER,
  MIGRATION,
  OPS_NAME,
  RESET_HOOKS,
];
/** What only a host is asked for. */
const OF_THE_HOST: readonly InjectionToken[] = [
  NATIVE_DRIVERS,
  PLATFORM_HOOKS,
  SILICON,
  VFIO_PCI_DRIVERS,
  VFIO_PCI_EXTENSIONS,
];

/** VFIO_REGION_INFO_FLAG_READ, _WRITE and _MMAP. */
const FLAGS = 7;
const MMAP = 4;
/** The highest of the types that vfio.h gives out; above are those of PCI vendors, which have bit 31. */
const LAST_TYPE = 3;

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
        `whether the function's ${modalias} is one of ${aliases.join(', ')}`,
      ).toBe(true);
    },
    'accepts its function, twice'() {
      const subject = make();
      // What it throws says more than that it throws.
      for (let turn = 0; turn < 2; turn += 1) probed(subject);
    },
    'refuses a function by a VfioError alone'() {
      const { driver, pdev } = make();
      // A probe of the kernel returns an errno; here nobody looks at it, nor waits for a promise.
      const result: unknown = driver.probe?.(pdev, root.createChildContainer());
      if (typeof result === 'number' || result instanceof Promise)
        expect.fail(`its probe returned ${result}, which nobody looks at; it throws to refuse`);
    },
    'brings what a device is asked for, each as often as it counts'() {
      const container = probed(make());
      for (const token of OF_THE_HOST)
        if (container.isRegistered(token))
          expect.fail(`${nameOf(token)}: no device is asked for it; register it on the host`);
      for (const token of SEVERAL) allOf(container, token);
      for (const token of ONE)
        if (allOf(container, token).length > 1)
          expect.fail(`${nameOf(token)}: registered more than once; only the last one counts`);
    },
    'adds regions that a user can be told of'() {
      const { driver, pdev } = make();
      const container = probed({ driver, pdev });
      const device = new StubOpening(pdev);
      const limit = 2 ** (driver.offsetShift ?? 40);
      try {
        for (const hook of allOf(container, OPEN_HOOKS)) hook.open(device);
        const regions = allOf(container, DEVICE_REGIONS).flatMap((provider) => [
          ...provider.regions(device),
        ]);
        for (const [at, region] of regions.entries()) {
          const problem = regionProblem(region, limit);
          if (problem !== undefined) expect.fail(`region ${9 + at}: ${problem}`);
        }
      } finally {
        device.close();
      }
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

/** The container of a device that was bound. */
function probed({ driver, pdev }: DriverSubject): DependencyContainer {
  const container = root.createChildContainer();
  driver.probe?.(pdev, container);
  return container;
}

function allOf<T>(container: DependencyContainer, token: InjectionToken<T>): readonly T[] {
  if (!container.isRegistered(token)) return [];
  try {
    return container.resolveAll(token);
  } catch (error) {
    return expect.fail(
      `${nameOf(token)}: ${(error as Error).message}; an object goes in as useValue, a class as useClass if it is @injectable() with @inject(X) on every parameter`,
    );
  }
}

function nameOf(token: InjectionToken): string {
  return typeof token === 'symbol' ? token.description! : String(token);
}

/** What would be wrong with a region in VFIO_DEVICE_GET_REGION_INFO, if anything. */
function regionProblem(
  { type, size, flags, ops }: DeviceRegion,
  limit: number,
): string | undefined {
  if (!Number.isInteger(size) || size < 0 || size > limit)
    return `its size is ${size}; it has to be a whole number of bytes up to 2^${Math.log2(limit)}`;
  if (type >>> 0 > LAST_TYPE && type >>> 31 === 0)
    return `its type 0x${type.toString(16)} is nobody's; a vendor's is vendorRegionType(VENDOR)`;
  if (flags === 0 || (flags & ~FLAGS) !== 0)
    return `its flags are 0x${flags.toString(16)}; there are VFIO_REGION_INFO_FLAG_READ, _WRITE and _MMAP`;
  if (((flags & MMAP) !== 0) !== (ops.mmap !== undefined))
    return 'its flags and its ops do not agree about mmap';
  return undefined;
}
