import {
  AuxiliaryBus,
  AuxiliaryDevice,
  type AuxiliaryDriver,
  matchAuxiliary,
} from '@vfiokit/aux-bus';
import { OPS_NAME, openFunction, VFIO_PCI, VfioPci, type VfioPciDriver } from '@vfiokit/core';
import { DriverCore, matchDevice } from '@vfiokit/driver-model';
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

describe('the auxiliary bus under a native driver', () => {
  const setUp = () => {
    const core = new DriverCore();
    const bus = new AuxiliaryBus(core);
    const parent = core.root('0000:07:00.0');
    const publish = (name: string, id = 0, release?: () => void) =>
      bus.publish({ module: 'mlx5_core', name, id, parent, ...(release && { release }) });
    return { core, bus, parent, publish };
  };
  const taking = (log: string[], result = 0) => ({
    name: 'test',
    ids: ['mlx5_core.eth'],
    probe: (device: AuxiliaryDevice) => {
      log.push(device.name);
      return result;
    },
  });

  it('[derived:99 derived:100 derived:101] names devices module.name.id and matches all before the last dot', () => {
    const { publish } = setUp();
    const device = publish('e.th', -3);
    expect(device.name).toBe('mlx5_core.e.th.-3');
    expect(matchAuxiliary(['mlx5_core.e.th'], device)).toBe('mlx5_core.e.th');
    expect(matchAuxiliary(['mlx5_core.e', 'mlx5_core.e.t'], device)).toBeUndefined();
  });

  it('[derived:102] makes no device without a parent or a name, and has none to release then', () => {
    const { parent } = setUp();
    const log: string[] = [];
    const release = () => log.push('released');
    const make = (spec: object) => () =>
      new AuxiliaryDevice({ module: 'm', name: 'n', id: 0, parent, release, ...spec });
    expect(make({ parent: undefined })).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(make({ name: '' })).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(log).toEqual([]);
  });

  it('[derived:103] frees a device through its release callback, with the last reference', async () => {
    const { bus, publish } = setUp();
    const log: string[] = [];
    const device = publish('eth', 0, () => log.push('released'));
    device.get();
    await bus.withdraw(device);
    expect(log).toEqual([]);
    device.put();
    expect(log).toEqual(['released']);
  });

  it('[derived:104] adds no name twice, and lets go of the device that has it', () => {
    const { bus, publish } = setUp();
    const first = publish('eth');
    const log: string[] = [];
    expect(() => publish('eth', 0, () => log.push('released'))).toThrow(
      expect.objectContaining({ code: 'EEXIST' }),
    );
    expect(log).toEqual(['released']);
    expect(bus.devices.get('mlx5_core.eth.0')).toBe(first);
  });

  it('[derived:105] registers no driver without an id table, and there is none without a probe', () => {
    const { bus } = setUp();
    expect(() => bus.register({ ...taking([]), ids: [] })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    // @ts-expect-error A driver without a probe is none.
    const driver: AuxiliaryDriver = { name: 'test', ids: ['mlx5_core.eth'] };
    expect(driver).not.toHaveProperty('probe');
  });

  it('[derived:106] announces devices by module and name', () => {
    const { core, publish } = setUp();
    publish('eth', 7);
    expect(core.uevents.events.find(({ action }) => action === 'add')?.env).toMatchObject({
      MODALIAS: 'auxiliary:mlx5_core.eth',
    });
  });

  it('[derived:107] probes whichever of device and driver comes second', () => {
    for (const driverFirst of [true, false]) {
      const { bus, publish } = setUp();
      const log: string[] = [];
      if (driverFirst) bus.register(taking(log));
      publish('eth');
      if (!driverFirst) bus.register(taking(log));
      expect(log).toEqual(['mlx5_core.eth.0']);
    }
  });

  it('[derived:108] keeps a device whose probe fails, unbound', () => {
    const { bus, publish } = setUp();
    bus.register(taking([], -19));
    const device = publish('eth');
    expect([bus.devices.has(device.name), device.driver]).toEqual([true, undefined]);
  });
});
