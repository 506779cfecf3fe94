import {
  getValue,
  type OpeningDevice,
  putValue,
  type Region,
  type RegionInfo,
  readByPread,
  type UserBuffer,
  writeByPwrite,
} from '@vfiokit/core';
import {
  EFAULT,
  EINVAL,
  EIO,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
} from '@vfiokit/uapi';
import type { LegacyRegisters } from './legacy-registers.js';
import type { AdminMember, NotifyAddress } from './virtio-pci.js';

/** Registers of every legacy device with MSI-X (24), and a network device's: MAC and status (8). */
export const LEGACY_BAR0_SIZE = 32;
const VIRTIO_PCI_QUEUE_NOTIFY = 16;

/** Where a device's own registers begin (virtio 1.3 4.1.4.10). */
const DEVICE_CONFIG = { plain: 20, msix: 24 } as const;

/** What a BAR 0 of ports has behind it. */
export interface LegacyBar0Options {
  readonly device: OpeningDevice;
  readonly member: AdminMember;
  readonly notify: NotifyAddress;
  readonly registers: LegacyRegisters;
}

/**
 * The I/O BAR that a legacy driver expects, carried out by the PF (drivers/vfio/pci/virtio/legacy_io.c:
 * virtiovf_issue_legacy_rw_cmd).
 */
export class LegacyBar0 implements Region {
  readonly #o: LegacyBar0Options;
  readonly #notify: Region;

  constructor(options: LegacyBar0Options) {
    this.#o = options;
    this.#notify = options.device.fixedRegion(options.notify.bar);
  }

  info(): RegionInfo {
    return {
      size: LEGACY_BAR0_SIZE,
      flags: VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
      capabilities: [],
    };
  }

  read(offset: number, size: number): number {
    return readByPread(this, offset, size);
  }

  write(offset: number, size: number, value: number): number {
    return writeByPwrite(this, offset, size, value);
  }

  /** All of it or nothing: `-EIO` while I/O is disabled, `-EINVAL` past the end and for a notification of other than 2 bytes. */
  pread(into: UserBuffer, offset: number): number {
    return this.#access(into, offset, false);
  }

  pwrite(from: UserBuffer, offset: number): number {
    return this.#access(from, offset, true);
  }

  #access(buffer: UserBuffer, offset: number, isWrite: boolean): number {
    const { length } = buffer;
    if (!this.#o.registers.ioEnabled) return -EIO;
    if (offset + length > LEGACY_BAR0_SIZE) return -EINVAL;
    if (offset === VIRTIO_PCI_QUEUE_NOTIFY && length !== 2) return -EINVAL;
    if (!(buffer instanceof Uint8Array)) return -EFAULT;
    const error =
      offset === VIRTIO_PCI_QUEUE_NOTIFY
        ? this.#queueNotify(buffer, isWrite)
        : this.#register(buffer, offset, isWrite);
    return error < 0 ? error : length;
  }

  /** Straight to the VF, if its memory is enabled. */
  #queueNotify(buffer: Uint8Array, isWrite: boolean): number {
    const { offset } = this.#o.notify;
    if (isWrite) return this.#notify.write(offset, 2, getValue(buffer, 0, 2));
    const value = this.#notify.read(offset, 2);
    if (value >= 0) putValue(buffer, 0, 2, value);
    return value;
  }

  /** The start of an access decides which registers it is for. */
  #register(buffer: Uint8Array, offset: number, isWrite: boolean): number {
    const { device, member } = this.#o;
    const split = device.pdev.vectorKind === 'msix' ? DEVICE_CONFIG.msix : DEVICE_CONFIG.plain;
    const common = offset < split;
    const at = common ? offset : offset - split;
    return isWrite ? member.legacyWrite(common, at, buffer) : member.legacyRead(common, at, buffer);
  }
}
