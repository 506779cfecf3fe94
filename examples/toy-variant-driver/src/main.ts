// What a user sees of the driver, side by side with plain vfio-pci.
import { openFunction } from '@vfiokit/core';
import { PciTopology } from '@vfiokit/pci';
import { DeviceClient } from '@vfiokit/uapi';
import { DEVICE, VENDOR } from './ids.js';
import { TOY_VFIO_PCI } from './toy-driver.js';

export function main(print: (line: string) => void): void {
  const ids = [VENDOR & 0xff, VENDOR >> 8, DEVICE & 0xff, DEVICE >> 8];
  const config = Uint8Array.of(...ids, 0, 0, 0, 0, 0x01);
  const topology = new PciTopology();
  const add = (address: string) => topology.add(address, { config, configSize: 256 });
  const row = (what: string, plain: unknown, derived: unknown) =>
    print(`${what.padEnd(12)}${String(plain).padEnd(12)}${derived}`);
  using plain = openFunction(add('0000:00:03.0'));
  using derived = openFunction(add('0000:00:04.0'), { driver: TOY_VFIO_PCI });
  const [a, b] = [plain, derived].map(({ device, process }) => new DeviceClient(device, process));
  row('', 'vfio-pci', 'toy_vfio_pci');
  row('regions', a!.info().numRegions, b!.info().numRegions);
  row('revision', a!.readConfig(8, 1), b!.readConfig(8, 1));
}
