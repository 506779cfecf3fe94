import { AuxiliaryBus } from '@vfiokit/aux-bus';
import { openFunction } from '@vfiokit/core';
import { DriverCore } from '@vfiokit/driver-model';
import { PciTopology } from '@vfiokit/pci';
import { buildConfig } from '@vfiokit/testing';
import { DeviceClient } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import {
  Mlx5AdevIndexes,
  Mlx5AuxDevices,
  Mlx5Snap2021,
  Mlx5Subfunctions,
  publishEmulated,
} from '../src/index.js';

const EINVAL = 22;

function setUp() {
  const core = new DriverCore();
  const bus = new AuxiliaryBus(core);
  const indexes = new Mlx5AdevIndexes();
  return { core, bus, indexes, pf: core.root('0000:07:00.0') };
}

describe('auxiliary devices of mlx5_core', () => {
  it('[derived:109] have one index a function, which no other function has', () => {
    const { core, bus, indexes } = setUp();
    const functions = ['0000:07:00.0', '0000:07:00.1'].map((name) => {
      const devices = new Mlx5AuxDevices({
        bus,
        indexes,
        parent: core.root(name),
        supported: ['eth', 'rdma', 'vnet'],
      });
      devices.attach();
      return devices;
    });
    expect(functions.map(({ devices }) => devices.map(({ name }) => name))).toEqual([
      ['mlx5_core.vnet.0', 'mlx5_core.rdma.0', 'mlx5_core.eth.0'],
      ['mlx5_core.vnet.1', 'mlx5_core.rdma.1', 'mlx5_core.eth.1'],
    ]);
  });

  it('come and go with a reset, and keep their index; a function that goes gives it back', () => {
    const { bus, indexes, pf } = setUp();
    const devices = new Mlx5AuxDevices({ bus, indexes, parent: pf, supported: ['eth'] });
    devices.attach();
    devices.detach();
    expect(bus.devices.size).toBe(0);
    devices.attach();
    expect([...bus.devices.keys()]).toEqual(['mlx5_core.eth.0']);
    devices.remove();
    expect(indexes.take()).toBe(0);
  });

  it('rest over a reset if their driver can do that', () => {
    const { bus, indexes, pf } = setUp();
    const log: string[] = [];
    bus.register({
      name: 'mlx5_ib.rdma',
      ids: ['mlx5_core.rdma'],
      probe: () => 0,
      remove: ({ name }) => void log.push(`remove ${name}`),
      suspend: ({ name }) => log.push(`suspend ${name}`),
      resume: ({ name }) => log.push(`resume ${name}`),
    });
    const devices = new Mlx5AuxDevices({ bus, indexes, parent: pf, supported: ['eth', 'rdma'] });
    devices.attach();
    devices.detach();
    expect([...bus.devices.keys()]).toEqual(['mlx5_core.rdma.0']);
    devices.attach();
    expect([...bus.devices.keys()].sort()).toEqual(['mlx5_core.eth.0', 'mlx5_core.rdma.0']);
    expect(log).toEqual(['suspend mlx5_core.rdma.0', 'resume mlx5_core.rdma.0']);
    devices.remove();
    expect(log.at(-1)).toBe('remove mlx5_core.rdma.0');
    expect(bus.devices.size).toBe(0);
  });

  it('do not exist for what a function can not do', () => {
    const { bus, indexes, pf } = setUp();
    const devices = new Mlx5AuxDevices({ bus, indexes, parent: pf, supported: [] });
    devices.attach();
    expect(devices.devices).toEqual([]);
  });
});

describe('subfunctions', () => {
  it('are auxiliary devices that mlx5_core drives, and offer what functions offer', () => {
    const { bus, indexes, pf } = setUp();
    const subfunctions = new Mlx5Subfunctions(bus, pf, indexes);
    bus.register(subfunctions.driver);
    const device = subfunctions.activate(4, 88);
    expect(device.name).toBe('mlx5_core.sf.4');
    expect(device.shared).toEqual({ sfnum: 88 });
    expect([...bus.devices.keys()]).toEqual([
      'mlx5_core.sf.4',
      'mlx5_core.vnet.0',
      'mlx5_core.rdma.0',
      'mlx5_core.eth.0',
    ]);
    expect(bus.devices.get('mlx5_core.vnet.0')!.parent).toBe(device);
    subfunctions.deactivate(4);
    expect(bus.devices.size).toBe(0);
    subfunctions.deactivate(4);
  });
});

describe('the design of 2021', () => {
  function snap() {
    const { core, bus, pf } = setUp();
    const topology = new PciTopology();
    const emulated = topology.add('0000:08:00.0', {
      config: buildConfig({
        vendor: 0x1af4,
        device: 0x1042,
        class: 0x010000,
        subsystemVendor: 0x15b3,
      }),
    });
    const parted: string[] = [];
    const driver = new Mlx5Snap2021((pdev) => parted.push(pdev.name));
    bus.register(driver.auxiliaryDriver);
    const open = () => openFunction(emulated, { driver: driver.pciDriver });
    return { core, bus, pf, emulated, driver, parted, open };
  }

  it('[derived:110] binds no function without a companion on the auxiliary bus', () => {
    const { open, driver } = snap();
    expect(open).toThrow(expect.objectContaining({ code: 'ENODEV' }));
    expect(driver.paired.size).toBe(0);
  });

  it('[derived:111] pairs the function 08:00.0 with the companion 2048', () => {
    const { bus, pf, emulated, driver, open } = snap();
    const companion = publishEmulated(bus, pf, emulated);
    expect(companion.name).toBe('mlx5_core.vfio_pci.2048');
    using opened = open();
    expect([...driver.paired]).toEqual([[2048, emulated]]);
    using client = new DeviceClient(opened.device, opened.process);
    const info = client.regionInfo(9);
    expect([info.type, info.size, info.flags]).toEqual([{ type: 3, subtype: 1 }, 16416, 0xb]);
    expect(opened.device.pread(new Uint8Array(8), info.position)).toBe(-EINVAL);
  });

  it('[derived:112] resets the function when its companion goes', async () => {
    const { bus, pf, emulated, driver, parted, open } = snap();
    const companion = publishEmulated(bus, pf, emulated);
    using _opened = open();
    const resets: string[] = [];
    emulated.resetHooks = { done: () => resets.push('reset') };
    await bus.withdraw(companion);
    expect(resets).toEqual(['reset']);
    expect(parted).toEqual(['0000:08:00.0']);
    expect(driver.paired.size).toBe(0);
  });

  it('lets the function go without touching it, and takes it again', () => {
    const { bus, pf, emulated, driver, parted, open } = snap();
    publishEmulated(bus, pf, emulated);
    open()[Symbol.dispose]();
    expect([driver.paired.size, parted]).toEqual([0, []]);
    open()[Symbol.dispose]();
    expect(parted).toEqual([]);
  });
});
