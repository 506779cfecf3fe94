import type { OwnedRange } from './config-owner.js';

/** The permissions of a whole configuration space, a mask a dword; bit 0 is bit 0 of the dword's first byte. */
export class DwordMasks {
  /** Bits that the virtual copy answers; the others are the hardware's. */
  readonly virt: Uint32Array;
  /** Bits that a user may write. */
  readonly write: Uint32Array;

  /** @param size bytes of configuration space. */
  constructor(size: number, ranges: readonly OwnedRange[]) {
    this.virt = new Uint32Array(size / 4);
    this.write = new Uint32Array(size / 4);
    for (const range of ranges) this.#lay(range);
  }

  #lay({ owner, from, to }: OwnedRange): void {
    if (owner.read === 'virtual') setBytes(this.virt, from, to, 0xff);
    if (owner.write === 'raw' || owner.write === 'virtual') setBytes(this.write, from, to, 0xff);
    for (const { offset, size, virt, write } of owner.table ?? []) {
      for (let i = 0; i < size; i += 1) {
        const at = owner.start + offset + i;
        if (at < from || at >= to) continue;
        setBytes(this.virt, at, at + 1, (virt >>> (8 * i)) & 0xff);
        setBytes(this.write, at, at + 1, (write >>> (8 * i)) & 0xff);
      }
    }
  }
}

/** Sets the bytes `[from, to)`, whole dwords at once. */
function setBytes(masks: Uint32Array, from: number, to: number, byte: number): void {
  for (let at = from; at < to; ) {
    if ((at & 3) === 0 && to - at >= 4) {
      const end = to >>> 2;
      masks.fill(byte * 0x01010101, at >>> 2, end);
      at = end << 2;
    } else {
      const shift = 8 * (at & 3);
      masks[at >>> 2] = (masks[at >>> 2]! & ~(0xff << shift)) | (byte << shift);
      at += 1;
    }
  }
}
