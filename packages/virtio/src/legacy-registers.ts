import type { ConfigRegister } from '@vfiokit/core';
import type { ConfigAccess } from '@vfiokit/pci';
import { LEGACY_BAR0_SIZE } from './legacy-bar0.js';

const PCI_DEVICE_ID = 0x02;
const PCI_COMMAND = 0x04;
const PCI_COMMAND_IO = 0x1;
const PCI_REVISION_ID = 0x08;
const PCI_BASE_ADDRESS_0 = 0x10;
const PCI_BASE_ADDRESS_SPACE_IO = 0x1;
const PCI_SUBSYSTEM_VENDOR_ID = 0x2c;

/** The legacy device id of a network device, and what its subsystem ids say. */
const LEGACY_DEVICE_ID = 0x1000;
const LEGACY_REVISION = 0;
const PCI_VENDOR_ID_REDHAT_QUMRANET = 0x1af4;
const VIRTIO_ID_NET = 1;

/**
 * The configuration registers by which a legacy driver recognizes a network device
 * (drivers/vfio/pci/virtio/legacy_io.c: virtiovf_pci_read_config, virtiovf_pci_write_config).
 */
export class LegacyRegisters {
  #command = 0;
  #bar0 = 0;

  /** What a guest believes of its I/O decoding; a VF has none. */
  get ioEnabled(): boolean {
    return (this.#command & PCI_COMMAND_IO) !== 0;
  }

  /** The function was reset. */
  reset(): void {
    this.#command = 0;
  }

  get configRegisters(): readonly ConfigRegister[] {
    return [
      fixed('DEVICE_ID', PCI_DEVICE_ID, 2, LEGACY_DEVICE_ID),
      {
        name: 'COMMAND',
        offset: PCI_COMMAND,
        length: 2,
        read: (offset, size, next) => {
          const value = next.read(offset, size);
          if (value < 0) return value;
          return value | part(this.#command & PCI_COMMAND_IO, offset - PCI_COMMAND, size);
        },
        write: (offset, size, value, next) => {
          this.#command = replaced(this.#command, offset - PCI_COMMAND, size, value);
          return next.write(offset, size, value);
        },
      },
      fixed('REVISION_ID', PCI_REVISION_ID, 1, LEGACY_REVISION),
      {
        name: 'BASE_ADDRESS_0',
        offset: PCI_BASE_ADDRESS_0,
        length: 4,
        read: (offset, size) => {
          const value = ((this.#bar0 & ~(LEGACY_BAR0_SIZE - 1)) | PCI_BASE_ADDRESS_SPACE_IO) >>> 0;
          return part(value, offset - PCI_BASE_ADDRESS_0, size);
        },
        write: (offset, size, value, next) => {
          this.#bar0 = replaced(this.#bar0, offset - PCI_BASE_ADDRESS_0, size, value);
          return next.write(offset, size, value);
        },
      },
      fixed(
        'SUBSYSTEM_ID',
        PCI_SUBSYSTEM_VENDOR_ID,
        4,
        VIRTIO_ID_NET * 0x10000 + PCI_VENDOR_ID_REDHAT_QUMRANET,
      ),
    ];
  }
}

/** A register that reads as one value; the hardware's takes the writes. */
function fixed(name: string, start: number, length: number, value: number): ConfigRegister {
  return {
    name,
    offset: start,
    length,
    read: (offset, size) => part(value, offset - start, size),
    write: (offset, size, written, next: ConfigAccess) => next.write(offset, size, written),
  };
}

/** Bytes of a register's value. */
function part(value: number, offset: number, size: number): number {
  const shifted = value >>> (8 * offset);
  return size === 4 ? shifted : shifted & (2 ** (8 * size) - 1);
}

/** A register's value after some of its bytes were written. */
function replaced(old: number, offset: number, size: number, value: number): number {
  const mask = size === 4 ? -1 : (2 ** (8 * size) - 1) << (8 * offset);
  return ((old & ~mask) | ((value << (8 * offset)) & mask)) >>> 0;
}
