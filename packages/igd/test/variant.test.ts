import { openFunction, SILICON, type SiliconModel, VFIO_PCI_EXTENSIONS } from '@vfiokit/core';
import { PciTopology } from '@vfiokit/pci';
import { buildConfig } from '@vfiokit/testing';
import { DeviceClient } from '@vfiokit/uapi';
import { container as root } from 'tsyringe';
import { describe, expect, it } from 'vitest';
import { igdVariant } from '../src/index.js';

const AT = '0000:00:02.0';
const machine = (firmware: Record<string, unknown>) => ({
  name: 'laptop',
  architecture: 'x86_64',
  functions: [{ at: AT }],
  firmware,
});

/** Sizes of the regions of graphics on a machine with this firmware. */
function regionSizes(firmware: Record<string, unknown>): number[] {
  const host = root.createChildContainer();
  igdVariant(host, machine(firmware));
  const silicon = host.resolve<SiliconModel>(SILICON);
  const config = buildConfig({ vendor: 0x8086, device: 0x46a6, class: 0x030000 });
  const pdev = new PciTopology().add(AT, silicon.describe(AT, { config }));
  using opened = openFunction(pdev, { register: (one) => igdVariant(one, machine(firmware)) });
  const client = new DeviceClient(opened.device, opened.process);
  const count = client.info().numRegions;
  return Array.from({ length: count - 9 }, (_, i) => Number(client.regionInfo(9 + i).size));
}

describe('graphics of a described machine', () => {
  it('have the OpRegion that its firmware left, with the VBT inside or behind it', () => {
    expect(regionSizes({ opregion: {} })).toEqual([0x2000]);
    expect(regionSizes({ opregion: { vbt: true } })).toEqual([0x2000 + 0x1800]);
  });

  it('are nothing special without one', () => {
    const host = root.createChildContainer();
    igdVariant(host, machine({}));
    expect([host.isRegistered(VFIO_PCI_EXTENSIONS), host.isRegistered(SILICON)]).toEqual([
      false,
      false,
    ]);
  });

  it("leave other vendors' functions alone", () => {
    const host = root.createChildContainer();
    igdVariant(host, machine({ opregion: {} }));
    const description = { config: buildConfig({ vendor: 0x10de, device: 1, class: 0x030000 }) };
    expect(host.resolve<SiliconModel>(SILICON).describe(AT, description)).toBe(description);
  });
});
