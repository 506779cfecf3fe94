import { NATIVE_DRIVERS, type NativeDriver, openFunction } from '@vfiokit/core';
import { PciTopology } from '@vfiokit/pci';
import { buildConfig } from '@vfiokit/testing';
import { DeviceClient } from '@vfiokit/uapi';
import { container as root } from 'tsyringe';
import { describe, expect, it } from 'vitest';
import { mlxVariant } from '../src/index.js';
import { drain } from './mlx-machine.js';

const MACHINE = { name: 'server', architecture: 'x86_64', functions: [], firmware: {} };
const IDS = { vendor: 0x15b3, device: 0x101e };

function native(): NativeDriver {
  const host = root.createChildContainer();
  mlxVariant(host, MACHINE);
  return host.resolve<NativeDriver>(NATIVE_DRIVERS);
}

describe('a ConnectX of a described machine', () => {
  it('moves its VFs while mlx5_core has it', () => {
    const topology = new PciTopology();
    const physfn = topology.add('0000:03:00.0', {
      config: buildConfig({ ...IDS, sriov: { totalVfs: 4, numVfs: 1, vfDevice: 0x101e } }),
    });
    expect(native().name).toBe('mlx5_core');
    physfn.driverData = native().probe(physfn);
    const vf = topology.add('0000:03:00.1', { config: buildConfig(IDS) }, { physfn, ids: IDS });
    using opened = openFunction(vf, {
      driver: 'mlx5_vfio_pci',
      register: (host) => mlxVariant(host, MACHINE),
    });
    const client = new DeviceClient(opened.device, opened.process);
    const { bytes } = drain(client.setMigrationState('STOP_COPY')!);
    expect(bytes.length).toBeGreaterThan(65536);
  });

  it('leaves nothing at a VF, or at a PF that can have none', () => {
    const single = new PciTopology().add('0000:03:00.0', { config: buildConfig(IDS) });
    expect(native().probe(single)).toBeUndefined();
  });
});
