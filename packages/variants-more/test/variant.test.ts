import {
  NATIVE_DRIVERS,
  type NativeDriver,
  openFunction,
  SILICON,
  type SiliconModel,
  VFIO_PCI_DRIVERS,
  type VfioPciDriver,
} from '@vfiokit/core';
import { PciTopology } from '@vfiokit/pci';
import { buildConfig } from '@vfiokit/testing';
import { DeviceClient } from '@vfiokit/uapi';
import { type DependencyContainer, container as root } from 'tsyringe';
import { describe, expect, it } from 'vitest';
import { FakeHisiQm, FakePdsCore, FakeQatPf, FakeXePf, variantsMoreVariant } from '../src/index.js';

const machine = (architecture: string) => ({
  name: 'server',
  architecture,
  functions: [],
  firmware: {},
});

function joined(architecture: string): DependencyContainer {
  const host = root.createChildContainer();
  variantsMoreVariant(host, machine(architecture));
  return host;
}

const pf = () =>
  new PciTopology().add('0000:01:00.0', {
    config: buildConfig({ vendor: 1, device: 2, sriov: { totalVfs: 2, numVfs: 0, vfDevice: 3 } }),
  });

describe('the five drivers on a described machine', () => {
  it('are there on any', () => {
    const drivers = joined('x86_64').resolveAll<VfioPciDriver>(VFIO_PCI_DRIVERS);
    expect(drivers.map(({ name }) => name).sort()).toEqual([
      'hisi_acc_vfio_pci',
      'ism_vfio_pci',
      'pds_vfio_pci',
      'qat_vfio_pci',
      'xe-vfio-pci',
    ]);
  });

  it.each([
    ['hisi_zip', FakeHisiQm],
    ['hisi_sec2', FakeHisiQm],
    ['hisi_hpre', FakeHisiQm],
    ['pds_core', FakePdsCore],
    ['4xxx', FakeQatPf],
    ['xe', FakeXePf],
  ])('find what they need at a PF that is on %s', (name, kind) => {
    const natives = joined('x86_64').resolveAll<NativeDriver>(NATIVE_DRIVERS);
    const native = natives.find((one) => one.name === name)!;
    expect(native.probe(pf())).toBeInstanceOf(kind);
    const single = new PciTopology().add('0000:01:00.0', {
      config: buildConfig({ vendor: 1, device: 2 }),
    });
    expect(native.probe(single)).toBeUndefined();
  });

  it('reach internal shared memory on an s390x only', () => {
    const silicon = joined('s390x').resolve<SiliconModel>(SILICON);
    const config = buildConfig({ vendor: 0x1014, device: 0x04ed });
    const bars = [{ size: 2 ** 48, kind: 'memory', is64Bit: true }] as const;
    const pdev = new PciTopology().add('0002:00:00.0', silicon.describe('', { config, bars }));
    const open = (architecture: string) =>
      openFunction(pdev, {
        driver: 'ism_vfio_pci',
        register: (host) => variantsMoreVariant(host, machine(architecture)),
      });
    using opened = open('s390x');
    const client = new DeviceClient(opened.device, opened.process);
    client.writeRegion(0, 2 ** 47 + 8, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9));
    expect([...client.readRegion(0, 2 ** 47 + 7, 10)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    opened[Symbol.dispose]();
    expect(() => open('x86_64')).toThrow(expect.objectContaining({ code: 'ENODEV' }));
    expect(joined('x86_64').isRegistered(SILICON)).toBe(false);
  });
});
