import { openFunction } from '@vfiokit/core';
import { PciTopology } from '@vfiokit/pci';
import {
  buildConfig,
  describeDriver,
  describeOverride,
  describeRegionOps,
  StubOpening,
} from '@vfiokit/testing';
import { DeviceClient } from '@vfiokit/uapi';
import { expect, test } from 'vitest';
import { REVISION_OVERRIDE, SCRATCH_SIZE, scratchRegion, TOY_VFIO_PCI } from '../src/index.js';

const pdev = () =>
  new PciTopology().add('0000:00:03.0', {
    config: buildConfig({ vendor: 0x1234, device: 0x0001, revision: 1 }),
  });

describeDriver('toy', () => ({ driver: TOY_VFIO_PCI, pdev: pdev() }));
describeRegionOps('scratch', () => ({
  ops: scratchRegion().ops,
  size: SCRATCH_SIZE,
  writable: true,
}));
describeOverride('revision', () => ({
  override: REVISION_OVERRIDE,
  device: new StubOpening(pdev()),
  regions: [],
}));

test('a user finds the scratch region by its type, and the revision of the emulation', () => {
  using opened = openFunction(pdev(), { driver: TOY_VFIO_PCI });
  using client = new DeviceClient(opened.device, opened.process);
  expect(client.regionInfo(9).type).toEqual({ type: 0x80001234, subtype: 1 });
  client.writeRegion(9, 0x10, Uint8Array.of(1, 2, 3));
  expect([...client.readRegion(9, 0x10, 4)]).toEqual([1, 2, 3, 0]);
  expect(client.readConfig(8, 1)).toBe(0x81);
});
