import { EINVAL, ENODEV, ETIMEDOUT } from '@vfiokit/uapi';
import { PCI_VPD_ADDR, PCI_VPD_ADDR_F, PCI_VPD_DATA, PCI_VPD_MAX_SIZE } from '../regs/index.js';
import type { ConfigAccess } from '../silicon/config-access.js';

/** How often the flag is looked at before the function is given up; the kernel waits 125 ms. */
const POLLS = 16;

const LARGE_RESOURCE = 0x80;
const SMALL_TAG_END = 0x0f;

/** The host's Vital Product Data service: whole dwords through the function's two registers (drivers/pci/vpd.c). */
export class Vpd {
  /** Found on first use; 0 means that it has not been looked for. */
  #length = 0;
  #available: boolean;

  constructor(
    private readonly config: ConfigAccess,
    /** Where the capability is; 0 without one. */
    private readonly at: number,
  ) {
    this.#available = at !== 0;
  }

  /** Reads, short at the end of the data; the number of bytes, `-ENODEV` without VPD, `-EINVAL`, `-ETIMEDOUT` (pci_read_vpd). */
  read(offset: number, into: Uint8Array): number {
    if (!this.#present()) return -ENODEV;
    return this.#read(offset, into, this.#length);
  }

  /** Writes whole dwords; the number of bytes, `-EINVAL` for unaligned ones and beyond the end (pci_write_vpd). */
  write(offset: number, from: Uint8Array): number {
    if (!this.#present()) return -ENODEV;
    if (offset < 0 || offset % 4 !== 0 || from.length % 4 !== 0) return -EINVAL;
    if (offset + from.length > this.#length) return -EINVAL;
    const view = new DataView(from.buffer, from.byteOffset, from.length);
    for (let done = 0; done < from.length; done += 4) {
      const error =
        this.config.write(this.at + PCI_VPD_DATA, 4, view.getUint32(done, true)) ||
        this.config.write(this.at + PCI_VPD_ADDR, 2, (offset + done) | PCI_VPD_ADDR_F) ||
        this.#wait(0);
      if (error < 0) return error;
    }
    return from.length;
  }

  #present(): boolean {
    if (!this.#available) return false;
    if (this.#length === 0) {
      this.#length = this.#findLength();
      // Data without a single valid tag is none.
      this.#available = this.#length !== 0;
    }
    return this.#available;
  }

  #read(offset: number, into: Uint8Array, limit: number): number {
    if (offset < 0) return -EINVAL;
    if (offset >= limit) return 0;
    const end = Math.min(offset + into.length, limit);
    for (let position = offset; position < end; ) {
      const dword = this.#readDword(position & ~3);
      if (dword < 0) return dword;
      for (let byte = position & 3; byte < 4 && position < end; byte += 1, position += 1)
        into[position - offset] = dword >>> (8 * byte);
    }
    return end - offset;
  }

  #readDword(address: number): number {
    const error =
      this.config.write(this.at + PCI_VPD_ADDR, 2, address) || this.#wait(PCI_VPD_ADDR_F);
    return error < 0 ? error : this.config.read(this.at + PCI_VPD_DATA, 4);
  }

  #wait(flag: number): number {
    for (let poll = 0; poll < POLLS; poll += 1) {
      const status = this.config.read(this.at + PCI_VPD_ADDR, 2);
      if (status < 0) return status;
      if ((status & PCI_VPD_ADDR_F) === flag) return 0;
    }
    return -ETIMEDOUT;
  }

  /** Walks the tags to the end tag; where a tag makes no sense the data ends before it (pci_vpd_size). */
  #findLength(): number {
    const header = new Uint8Array(3);
    let offset = 0;
    while (this.#read(offset, header.subarray(0, 1), PCI_VPD_MAX_SIZE) === 1) {
      const tag = header[0]!;
      if (offset === 0 && (tag === 0x00 || tag === 0xff)) return 0;
      const isLarge = (tag & LARGE_RESOURCE) !== 0;
      if (isLarge && this.#read(offset + 1, header.subarray(1), PCI_VPD_MAX_SIZE) !== 2)
        return offset;
      const size = isLarge ? header[1]! | (header[2]! << 8) : tag & 0x07;
      if (offset + size > PCI_VPD_MAX_SIZE) return offset;
      offset += size + (isLarge ? 3 : 1);
      if (!isLarge && tag >>> 3 === SMALL_TAG_END) return offset;
    }
    return offset;
  }
}
