import { GENERIC_IOMMU, IommuGroups } from '@vfiokit/iommu';
import type { PciDevice } from '@vfiokit/pci';
import { VfioError } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import type { DirtyLogOps, MigrationOps } from '../../src/extension.js';
import { DIRTY_LOG, MIGRATION } from '../../src/tokens.js';
import type { VfioPciDriver } from '../../src/vfio-pci-driver.js';
import { Machine, SRIOV } from './fixture.js';

/** What binding fails with: its errno's name, and the function as it was. */
function refusal(machine: Machine, pdev: PciDevice, driver?: string): string {
  const before = [pdev.driverData, pdev.runtimePm.usage, pdev.runtimePm.callbacks];
  try {
    machine.bind(pdev, driver);
  } catch (error) {
    expect([pdev.driverData, pdev.runtimePm.usage, pdev.runtimePm.callbacks]).toEqual(before);
    expect(machine.vfio.device(pdev)).toBeUndefined();
    expect([...machine.groups]).toEqual([]);
    return error instanceof VfioError ? error.code : String(error);
  }
  return 'bound';
}

describe('a function that is bound', () => {
  it.each([0x01, 0x02])('[core:C1.1] is no bridge: header type %i is EINVAL', (headerType) => {
    using machine = new Machine();
    const pdev = machine.add('0000:00:03.0', {
      config: [[0x0e, 1, headerType]],
      description: { bars: [] },
    });
    expect(refusal(machine, pdev)).toBe('EINVAL');
  });

  it('is no bridge even if it is a multifunction device', () => {
    using machine = new Machine();
    const pdev = machine.add('0000:00:03.0', { config: [[0x0e, 1, 0x80]] });
    expect(machine.bind(pdev).name).toBe('0000:00:03.0');
  });

  it('[core:C1.2] has a driver with a name', () => {
    using machine = new Machine({ drivers: [{ name: '', ids: [{}] }] });
    expect(refusal(machine, machine.add('0000:00:03.0'), '')).toBe('EINVAL');
  });

  it('has a driver that exists', () => {
    using machine = new Machine();
    expect(refusal(machine, machine.add('0000:00:03.0'), 'nobody')).toBe('ENODEV');
  });

  it('has one driver at a time', () => {
    using machine = new Machine();
    const pdev = machine.add('0000:00:03.0');
    pdev.driverData = { name: 'e1000e' };
    expect(refusal(machine, pdev)).toBe('EBUSY');
  });

  it('[core:C1.7] has no VFs yet', () => {
    using machine = new Machine();
    const pdev = machine.add('0000:00:03.0', { config: SRIOV });
    pdev.sriov!.enable(1);
    expect(refusal(machine, pdev)).toBe('EBUSY');
    pdev.sriov!.disable();
    expect(machine.bind(pdev).name).toBe('0000:00:03.0');
  });

  it('has a driver that is put together rightly, which is looked at before its VFs are', () => {
    const half: VfioPciDriver = {
      name: 'half-vfio-pci',
      ids: [{}],
      probe: (_pdev, container) => container.register(MIGRATION, { useValue: {} as MigrationOps }),
    };
    using machine = new Machine({ drivers: [half] });
    const pdev = machine.add('0000:00:03.0', { config: SRIOV });
    pdev.sriov!.enable(1);
    expect(refusal(machine, pdev, 'half-vfio-pci')).toBe('EINVAL');
    expect(refusal(machine, pdev)).toBe('EBUSY');
  });

  it('has an IOMMU group', () => {
    using machine = new Machine();
    const pdev = machine.add('0000:00:03.0');
    expect(() => machine.vfio.bind(pdev, undefined)).toThrow(/no IOMMU group/);
    expect(pdev.driverData).toBeUndefined();
    expect(pdev.runtimePm.usage).toBe(1);
  });

  it('is behind an IOMMU that is coherent with the caches', () => {
    using machine = new Machine();
    const pdev = machine.add('0000:00:03.0');
    const groups = machine.container.resolve(IommuGroups);
    const group = groups.create({ iommu: { ...GENERIC_IOMMU, cacheCoherent: false } });
    expect(() => machine.bind(pdev, undefined, group)).toThrow(/coherent/);
    expect(pdev.driverData).toBeUndefined();
  });
});

/** A driver that puts one thing on its device's container. */
function driverWith(ops: {
  migration?: Partial<MigrationOps>;
  log?: Partial<DirtyLogOps>;
}): VfioPciDriver {
  return {
    name: 'half-vfio-pci',
    ids: [{ vendor: 0x8086 }],
    probe(_pdev, container) {
      const { migration, log } = ops;
      if (migration) container.register(MIGRATION, { useValue: migration as MigrationOps });
      if (log) container.register(DIRTY_LOG, { useValue: log as DirtyLogOps });
    },
  };
}

const MIGRATION_OPS: MigrationOps = {
  support: { p2p: false, preCopy: false },
  arc: () => undefined,
  dataSize: () => 0n,
};
const LOG_OPS: DirtyLogOps = { start: (_, page) => page, stop: () => 0, readAndClear: () => 0 };

function bindWith(ops: Parameters<typeof driverWith>[0]): string {
  using machine = new Machine({ drivers: [driverWith(ops)] });
  return refusal(machine, machine.add('0000:00:03.0'), 'half-vfio-pci');
}

describe("a driver's callbacks", () => {
  it('are complete', () => {
    expect(bindWith({ migration: MIGRATION_OPS, log: LOG_OPS })).toBe('bound');
  });

  it.each(['arc', 'dataSize'] as const)('[core:C1.4] migration needs %s', (name) => {
    expect(bindWith({ migration: { ...MIGRATION_OPS, [name]: undefined } })).toBe('EINVAL');
  });

  it.each(['start', 'stop', 'readAndClear'] as const)(
    '[core:C1.6] dirty logging needs %s',
    (name) => {
      expect(bindWith({ log: { ...LOG_OPS, [name]: undefined } })).toBe('EINVAL');
    },
  );
});

describe('the denylist of vfio-pci', () => {
  const DENIED = [0x0435, 0x0443, 0x19e2, 0x19e3, 0x37c8, 0x37c9, 0x0b25, 0x0cfe] as const;
  const add = (machine: Machine, id: number) =>
    machine.add('0000:00:03.0', { config: [[0x02, 2, id]] });

  it.each(DENIED)('[core:C9.6] refuses 8086:%x with EINVAL', (id) => {
    using machine = new Machine();
    expect(refusal(machine, add(machine, id))).toBe('EINVAL');
  });

  it('[core:C9.6] is overruled by disable_denylist', () => {
    using machine = new Machine({ parameters: { disable_denylist: true } });
    expect(refusal(machine, add(machine, 0x0435))).toBe('bound');
  });

  it('does not count for derived drivers, nor for other vendors', () => {
    using machine = new Machine({ drivers: [{ name: 'qat_vfio_pci', ids: [{}] }] });
    expect(refusal(machine, add(machine, 0x0435), 'qat_vfio_pci')).toBe('bound');
    const other = machine.add('0000:00:04.0', { config: [[0x00, 4, 0x0435_15b3]] });
    expect(machine.bind(other).name).toBe('0000:00:04.0');
  });
});
