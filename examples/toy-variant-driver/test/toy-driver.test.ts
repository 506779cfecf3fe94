import { describeDriver, describeOverride, describeRegionOps, StubOpening } from '@vfiokit/testing';
import { DeviceClient } from '@vfiokit/uapi';
import { expect, test } from 'vitest';
import {
  AT,
  REVISION_OVERRIDE,
  SCRATCH_SIZE,
  scratchRegion,
  TOY_VFIO_PCI,
  toyMachine,
  VENDOR,
} from '../src/index.js';

/** The function of machine.yaml: its ids have to be the driver's, and its BARs are what overrides stand in front of. */
const pdev = () => toyMachine().function(AT);

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
  using user = toyMachine().open(AT);
  using client = new DeviceClient(user.device, user.process);
  expect(client.regionInfo(9).type).toEqual({ type: 0x80000000 + VENDOR, subtype: 1 });
  client.writeRegion(9, 0x10, Uint8Array.of(1, 2, 3));
  expect([...client.readRegion(9, 0x10, 4)]).toEqual([1, 2, 3, 0]);
  expect(client.readConfig(8, 1)).toBe(0x81);
});
