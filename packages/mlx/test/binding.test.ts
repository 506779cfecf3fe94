import { OPS_NAME, openFunction, VFIO_PCI, VfioPci, type VfioPciDriver } from '@vfiokit/core';
import { matchDevice } from '@vfiokit/driver-model';
import { PciTopology, pciAlias } from '@vfiokit/pci';
import { buildConfig } from '@vfiokit/testing';
import { describe, expect, it } from 'vitest';
import { MLX5_VFIO_PCI } from '../src/index.js';

const VF = {
  vendor: 0x15b3,
  device: 0x101e,
  subsystemVendor: 0x15b3,
  subsystemDevice: 0,
  class: 0x020000,
};
const OTHER = { ...VF, device: 0x1234 };
/** The driver as the PCI bus knows it: every entry counts only with an override. */
const driver = {
  name: MLX5_VFIO_PCI.name,
  ids: MLX5_VFIO_PCI.ids.map((id) => ({ ...id, overrideOnly: true })),
};
/** A driver whose table of operations has another name than itself. */
const PF_DRIVER: VfioPciDriver = {
  name: 'pf_driver',
  ids: [{ vendor: VF.vendor }],
  sriov: true,
  probe: (_, container) => void container.register(OPS_NAME, { useValue: 'pf-ops' }),
};
const DYNAMIC = [{ vendor: 0x15b3, device: 0x101e }];
const match = (override: string | undefined, dynamic = [] as typeof DYNAMIC, ids = VF) =>
  matchDevice(driver, dynamic, ids, override) !== undefined;

describe('which device a derived driver takes', () => {
  it('[derived:1] is one whose driver_override names it', () => {
    expect([match(undefined), match('mlx5_vfio_pci')]).toEqual([false, true]);
  });

  it('[derived:2] is none whose driver_override names another, dynamic ids or not', () => {
    expect([match('vfio-pci'), match('vfio-pci', DYNAMIC)]).toEqual([false, false]);
  });

  it('[derived:3] is one with a dynamic id, without an override', () => {
    expect(match(undefined, DYNAMIC)).toBe(true);
  });

  it('[derived:4] is any that its override names, whatever the table says', () => {
    expect(match('mlx5_vfio_pci', [], OTHER)).toBe(true);
  });

  it('[derived:7] is its own rather than the catch-all: the alias with the fewest wildcards', () => {
    const candidates = [VFIO_PCI, MLX5_VFIO_PCI].flatMap(({ name, ids }) =>
      ids.map((id) => ({
        name,
        wildcards: pciAlias({ ...id, overrideOnly: true })!.split('*').length,
      })),
    );
    const best = candidates.reduce((a, b) => (b.wildcards < a.wildcards ? b : a));
    expect(best.name).toBe('mlx5_vfio_pci');
  });

  it.each<[string, string, VfioPciDriver | undefined]>([
    ['vfio-pci', 'the generic driver', undefined],
    ['pf-ops', 'a driver whose table has another name', PF_DRIVER],
  ])(
    "[derived:14] is stamped with the PF's table of operations when its VFs appear: %s of %s",
    (ops, _, driver) => {
      const device = new PciTopology().add('0000:03:00.0', {
        config: buildConfig({ ...VF, sriov: { totalVfs: 2, numVfs: 0, vfDevice: 0x101e } }),
      });
      const stamped: string[] = [];
      using opened = openFunction(device, {
        ...(driver && { driver }),
        parameters: { enable_sriov: true },
        overrideDriver: (vf, name) => stamped.push(`${vf.name} ${name}`),
      });
      const vfio = opened.container.resolve(VfioPci);
      expect(vfio.setNumVfs(vfio.device(device)!, 2)).toBe(2);
      expect(stamped).toEqual([`0000:03:00.1 ${ops}`, `0000:03:00.2 ${ops}`]);
    },
  );
});
