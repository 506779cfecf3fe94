// A derived driver that stands in front of the core: a temperature sensor at BAR 0 + 0x10, and a revision of its own.
import {
  type ConfigRegister,
  DEVICE_OVERRIDES,
  type DeviceOverride,
  openFunction,
  overrideRegisters,
  type RegionRegister,
  type VfioPciDriver,
} from '@vfiokit/core';
import { MemoryBlock, PciTopology } from '@vfiokit/pci';

const TEMPERATURE = 0x10;
const REVISION = 0x08;
const CONFIG = 7;

/** A register of BAR 0. Writes are dropped. */
const temperature: RegionRegister = { offset: TEMPERATURE, length: 4, read: () => 42 };

/** A byte of configuration space that the driver answers for; `next` is what the core would say. */
const revision: ConfigRegister = {
  name: 'revision of the emulation',
  offset: REVISION,
  length: 1,
  read(offset, size, next) {
    const value = next.read(offset, size);
    return value < 0 ? value : value | 0x80;
  },
  write: () => 0,
};

export const sensor: DeviceOverride = {
  // Asked once for every region while the device opens; what is returned as it came costs nothing afterwards.
  region: (index, next) => (index === 0 ? overrideRegisters(next, [temperature]) : next),
  configRegisters: () => [revision],
};

export const driver: VfioPciDriver = {
  name: 'sensor-vfio-pci',
  ids: [{ vendor: 0x1234, device: 0x0002 }],
  probe: (_pdev, container) => container.register(DEVICE_OVERRIDES, { useValue: sensor }),
};

export function main(print: (line: string) => void): void {
  const config = Uint8Array.of(0x34, 0x12, 0x02, 0x00, 0, 0, 0, 0, 0x01);
  const topology = new PciTopology();
  const describe = () => ({
    config,
    configSize: 256,
    bars: [{ kind: 'memory' as const, size: 4096, block: new MemoryBlock(4096) }],
  });
  using plain = openFunction(topology.add('0000:00:03.0', describe()));
  using derived = openFunction(topology.add('0000:00:04.0', describe()), { driver });
  print('                        vfio-pci  sensor-vfio-pci');
  const row = (what: string, region: number, offset: number, size: 1 | 4) => {
    const [a, b] = [plain, derived].map(({ device }) => device.read(region, offset, size));
    print(`${what.padEnd(24)}${`${a}`.padEnd(10)}${b}`);
  };
  row('temperature, BAR 0', 0, TEMPERATURE, 4);
  row('the register beside it', 0, TEMPERATURE + 4, 4);
  row('revision', CONFIG, REVISION, 1);
}
