import type { ConfigRegister } from '@vfiokit/core';
import type { ConfigAccess } from '@vfiokit/pci';

/** ASL Storage, where firmware leaves the address of the OpRegion (IGD OpRegion specification, register 0xfc). */
export const ASLS = 0xfc;

/**
 * ASLS of an open device. Once there is an OpRegion it is the guest's: its firmware writes its own address there, and the
 * hardware keeps the host's.
 */
export class AslsRegister implements ConfigRegister {
  readonly name = 'ASLS';
  readonly offset = ASLS;
  readonly length = 4;
  #shadow: DataView | undefined;

  /** From now on accesses stay in the virtual configuration space, which begins with this address. */
  virtualize(vconfig: Uint8Array, address: number): void {
    this.#shadow = new DataView(vconfig.buffer, vconfig.byteOffset + ASLS, 4);
    this.#shadow.setUint32(0, address, true);
  }

  read(offset: number, size: number, next: ConfigAccess): number {
    if (this.#shadow === undefined) return next.read(offset, size);
    if (size === 4) return this.#shadow.getUint32(0, true);
    const at = offset - ASLS;
    return size === 2 ? this.#shadow.getUint16(at, true) : this.#shadow.getUint8(at);
  }

  write(offset: number, size: number, value: number, next: ConfigAccess): number {
    if (this.#shadow === undefined) return next.write(offset, size, value);
    const at = offset - ASLS;
    if (size === 4) this.#shadow.setUint32(0, value, true);
    else if (size === 2) this.#shadow.setUint16(at, value, true);
    else this.#shadow.setUint8(at, value);
    return 0;
  }
}
