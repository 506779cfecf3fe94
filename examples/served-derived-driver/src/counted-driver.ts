// A derived driver for the copier of `examples/served-device`: it adds a region and puts a register of its own into BAR0.
import {
  DEVICE_OVERRIDES,
  DEVICE_REGIONS,
  type DeviceOverride,
  type DeviceRegionProvider,
  overrideRegisters,
  type VfioPciDriver,
} from '@vfiokit/core';
import { MemoryBlock } from '@vfiokit/pci';

export const NOTE = new TextEncoder().encode('a region that the hardware does not have');
/** A register that the copier leaves empty. */
export const COUNTER = 0x20;
const VENDOR_REGION = 0x80001234;
const READ_ONLY = 1;
const EINVAL = 22;

/** A text, behind the nine regions that every PCI device has. */
const note: DeviceRegionProvider = {
  regions() {
    const block = new MemoryBlock(NOTE);
    const ops = {
      read: (offset: number, size: 1 | 2 | 4) => block.read(offset, size),
      write: () => -EINVAL,
    };
    return [{ type: VENDOR_REGION, subtype: 1, size: NOTE.length, flags: READ_ONLY, ops }];
  },
};

/** BAR0 with one register replaced: it counts how often it is read. Everything else is the layer below. */
export const counter: DeviceOverride = {
  region(index, next) {
    if (index !== 0) return next;
    let reads = 0;
    const read = () => {
      reads += 1;
      return reads;
    };
    return overrideRegisters(next, [{ offset: COUNTER, length: 4, read }]);
  },
};

export const countedDriver: VfioPciDriver = {
  name: 'counted-vfio-pci',
  ids: [{ vendor: 0x1234, device: 0x0c09 }],
  probe(_pdev, container) {
    container.register(DEVICE_REGIONS, { useValue: note });
    container.register(DEVICE_OVERRIDES, { useValue: counter });
  },
};
