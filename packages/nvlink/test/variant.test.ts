import { openFunction, VFIO_PCI_EXTENSIONS } from '@vfiokit/core';
import { PciTopology } from '@vfiokit/pci';
import { buildConfig } from '@vfiokit/testing';
import { DeviceClient } from '@vfiokit/uapi';
import { container as root } from 'tsyringe';
import { describe, expect, it } from 'vitest';
import { nvlinkVariant, pairByTarget } from '../src/index.js';

const GPUS = ['0004:04:00.0', '0004:04:01.0'] as const;
const BRIDGES = ['0006:00:00.0', '0006:00:00.1'] as const;
const machine = (firmware: Record<string, unknown>) => ({
  name: 'power9',
  architecture: 'ppc64le',
  functions: [...GPUS, ...BRIDGES].map((at) => ({ at })),
  firmware,
});
const LINKS = machine({
  nvlink: {
    [GPUS[0]]: { bridges: [BRIDGES[0]], linkSpeed: 9 },
    [GPUS[1]]: { bridges: [BRIDGES[1]], linkSpeed: 8 },
  },
});

function regions(at: string) {
  const vendor = GPUS.includes(at as never) ? 0x10de : 0x1014;
  const pdev = new PciTopology().add(at, { config: buildConfig({ vendor, device: 1 }) });
  using opened = openFunction(pdev, { register: (host) => nvlinkVariant(host, LINKS) });
  const client = new DeviceClient(opened.device, opened.process);
  return client.info().numRegions > 9 ? [{ device: at, info: client.regionInfo(9) }] : [];
}

describe('links of a described POWER9', () => {
  it('pair each GPU with its bridge', () => {
    const pairs = pairByTarget([...GPUS, ...BRIDGES].flatMap(regions));
    expect([...pairs.values()]).toEqual([
      [GPUS[0], BRIDGES[0]],
      [GPUS[1], BRIDGES[1]],
    ]);
  });

  it('lead to windows of 128 GiB', () => {
    const [first] = regions(GPUS[0]);
    expect(first!.info.size).toBe(128 * 2 ** 30);
  });

  it('lead to no other function', () => {
    expect(regions('0006:00:00.2')).toEqual([]);
  });

  it('are not there without a table', () => {
    const host = root.createChildContainer();
    nvlinkVariant(host, machine({}));
    expect(host.isRegistered(VFIO_PCI_EXTENSIONS)).toBe(false);
  });
});
