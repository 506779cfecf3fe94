import { NATIVE_DRIVERS, type NativeDriver, openFunction } from '@vfiokit/core';
import { PciTopology } from '@vfiokit/pci';
import { buildConfig } from '@vfiokit/testing';
import { DeviceClient } from '@vfiokit/uapi';
import { container as root } from 'tsyringe';
import { describe, expect, it } from 'vitest';
import { virtioVariant } from '../src/index.js';

const MACHINE = { name: 'server', architecture: 'x86_64', functions: [], firmware: {} };
const IDS = { vendor: 0x1af4, device: 0x1041 };
const BAR = { size: 4096, kind: 'memory' } as const;

/** The VF of a PF of a described machine, as its user sees it. */
function vf(bars: readonly (typeof BAR | undefined)[]) {
  const host = root.createChildContainer();
  virtioVariant(host, MACHINE);
  const native = host.resolve<NativeDriver>(NATIVE_DRIVERS);
  const topology = new PciTopology();
  const physfn = topology.add('0000:01:00.0', {
    config: buildConfig({ ...IDS, sriov: { totalVfs: 2, numVfs: 1, vfDevice: IDS.device } }),
    vfBars: bars,
  });
  physfn.driverData = native.probe(physfn);
  const function_ = topology.add(
    '0000:01:00.1',
    { config: buildConfig(IDS), bars },
    { physfn, ids: IDS },
  );
  using opened = openFunction(function_, {
    driver: 'virtio_vfio_pci',
    register: (one) => virtioVariant(one, MACHINE),
  });
  const client = new DeviceClient(opened.device, opened.process);
  const bar0 = client.regionInfo(0).size;
  const file = client.setMigrationState('STOP_COPY')!;
  return { bar0, id: client.readConfig(2, 2), moves: file.read(new Uint8Array(16)) === 16 };
}

describe('a virtio VF of a described machine', () => {
  it('looks like a legacy device if it can be notified, and moves', () => {
    const bars = [undefined, undefined, undefined, undefined, BAR];
    expect(vf(bars)).toEqual({ bar0: 32, id: 0x1000, moves: true });
  });

  it('just moves if it can not', () => {
    expect(vf([])).toEqual({ bar0: 0, id: 0x1041, moves: true });
  });

  it('has a native driver by the name that Linux gives it', () => {
    const host = root.createChildContainer();
    virtioVariant(host, MACHINE);
    expect(host.resolve<NativeDriver>(NATIVE_DRIVERS).name).toBe('virtio-pci');
  });
});
