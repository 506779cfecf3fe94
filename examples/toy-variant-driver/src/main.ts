// What a user sees of the driver, side by side with plain vfio-pci.
import { DeviceClient } from '@vfiokit/uapi';
import { AT, toyMachine } from './machine.js';

export function main(print: (line: string) => void): void {
  const row = (what: string, plain: unknown, derived: unknown) =>
    print(`${what.padEnd(12)}${String(plain).padEnd(12)}${derived}`);
  using plain = toyMachine('vfio-pci').open(AT);
  using derived = toyMachine().open(AT);
  const [a, b] = [plain, derived].map(({ device, process }) => new DeviceClient(device, process));
  row('', 'vfio-pci', 'toy_vfio_pci');
  row('regions', a!.info().numRegions, b!.info().numRegions);
  row('revision', a!.readConfig(8, 1), b!.readConfig(8, 1));
}
