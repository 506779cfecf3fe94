// A derived driver that adds a region: a log that the device's firmware keeps, shown at index 9, read-only.
import {
  DEVICE_REGIONS,
  type DeviceRegionProvider,
  openFunction,
  type RegionOps,
  type VfioPciDriver,
} from '@vfiokit/core';
import { PciTopology } from '@vfiokit/pci';
import { DeviceClient, EINVAL, VFIO_REGION_INFO_FLAG_READ, vendorRegionType } from '@vfiokit/uapi';

const VENDOR = 0x1234;
const LOG = 'boot: ok\nlink: up, 100 Gbit/s\n';

/** Bytes that nobody may change. */
class FirmwareLog implements RegionOps {
  readonly #bytes = new TextEncoder().encode(LOG);

  get size(): number {
    return this.#bytes.length;
  }

  read(offset: number, size: 1 | 2 | 4): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i -= 1) value = value * 256 + this.#bytes[offset + i]!;
    return value;
  }

  write(): number {
    return -EINVAL;
  }
}

/** Asked once, while the device opens. */
const firmwareLog: DeviceRegionProvider = {
  regions() {
    const ops = new FirmwareLog();
    const type = vendorRegionType(VENDOR);
    return [{ type, subtype: 1, size: ops.size, flags: VFIO_REGION_INFO_FLAG_READ, ops }];
  },
};

/** The driver: whom it is for, and what it puts into a device's container. */
export const driver: VfioPciDriver = {
  name: 'log-vfio-pci',
  ids: [{ vendor: VENDOR, device: 0x0001 }],
  probe: (_pdev, container) => container.register(DEVICE_REGIONS, { useValue: firmwareLog }),
};

/** Opens a modelled function with the driver and reads the log as a user-space program would. */
export function main(print: (line: string) => void): void {
  const config = Uint8Array.of(0x34, 0x12, 0x01, 0x00);
  const pdev = new PciTopology().add('0000:00:03.0', { config, configSize: 256 });
  using opened = openFunction(pdev, { driver });
  const client = new DeviceClient(opened.device, opened.process);
  print(`${opened.device.name}: ${client.info().numRegions} regions, nine of them every device's`);
  const { size, type } = client.regionInfo(9);
  print(`region 9: ${size} bytes of type 0x${type!.type.toString(16)}, subtype ${type!.subtype}`);
  print(new TextDecoder().decode(client.readRegion(9, 0, size)).trimEnd());
}
