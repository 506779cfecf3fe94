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
import {
  DEVICE,
  REVISION_OVERRIDE,
  SCRATCH_SIZE,
  scratchRegion,
  TOY_VFIO_PCI,
  toyMachine,
  VENDOR,
} from '../src/index.js';

const AT = '0000:01:00.0';

const pdev = () =>
  new PciTopology().add('0000:00:03.0', {
    config: buildConfig({ vendor: VENDOR, device: DEVICE, revision: 1 }),
  });

// The function of machine.yaml: its ids have to be the driver's.
describeDriver('toy', () => ({ driver: TOY_VFIO_PCI, pdev: toyMachine().function(AT) }));
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
  expect(client.regionInfo(9).type).toEqual({ type: 0x80000000 + VENDOR, subtype: 1 });
  client.writeRegion(9, 0x10, Uint8Array.of(1, 2, 3));
  expect([...client.readRegion(9, 0x10, 4)]).toEqual([1, 2, 3, 0]);
  expect(client.readConfig(8, 1)).toBe(0x81);
});

test('on the machine a user meets it behind group and container', () => {
  using user = toyMachine().open(AT);
  using client = new DeviceClient(user.device, user.process);
  expect(client.readConfig(0, 4)).toBe(DEVICE * 0x10000 + VENDOR);
  expect(client.readConfig(8, 1)).toBe(0x81);
});
