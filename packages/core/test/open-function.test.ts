import { PciTopology } from '@vfiokit/pci';
import { DeviceClient } from '@vfiokit/uapi';
import type { DependencyContainer } from 'tsyringe';
import { expect, it } from 'vitest';
import { openFunction } from '../src/open-function.js';
import { PLATFORM_HOOKS } from '../src/tokens.js';
import { VfioPci } from '../src/vfio-pci.js';

it('opens a function through a group of its own, and lets it go again', () => {
  const config = new Uint8Array(256);
  new DataView(config.buffer).setUint32(0, 0x11e81234, true);
  const pdev = new PciTopology().add('0000:00:03.0', {
    config,
    bars: [{ kind: 'memory', size: 0x10000 }],
  });
  const opened = openFunction(pdev);
  const client = new DeviceClient(opened.device, opened.process);
  expect(client.info()).toMatchObject({ flags: 2, numRegions: 9, numIrqs: 5 });
  expect(client.regionInfo(0)).toMatchObject({ size: 0x10000, flags: 7 });
  expect(client.regionInfo(7)).toMatchObject({ size: 256, flags: 3 });
  expect(opened.device.read(7, 0, 4)).toBe(0x11e81234);
  opened[Symbol.dispose]();
  expect(opened.device.read(7, 0, 4)).toBe(-9);
  expect(opened.container.resolve(VfioPci).device(pdev)).toBeUndefined();
  expect(pdev.driverData).toBeUndefined();
});

it('leaves nothing bound behind if the open fails', () => {
  const pdev = new PciTopology().add('0000:00:03.0', { config: Uint8Array.of(0x34, 0x12) });
  const refuse = { open: () => -5 };
  const register = (container: DependencyContainer) =>
    container.register(PLATFORM_HOOKS, { useValue: refuse });
  expect(() => openFunction(pdev, { register })).toThrow(/0000:00:03\.0: .*refused/);
  expect(pdev.driverData).toBeUndefined();
  openFunction(pdev)[Symbol.dispose]();
});
