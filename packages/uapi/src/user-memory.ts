/** One mapping of a process's address space. */
export interface UserMapping {
  /** Where it starts: a user virtual address below 2^53. */
  readonly address: number;
  /** How long it is, in bytes. */
  readonly size: number;
  readonly writable: boolean;
  /** Its contents; without them the mapping can be pinned and translated, and reads as zeroes. */
  readonly bytes?: Uint8Array;
  /** Device memory, such as a BAR (VM_PFNMAP): pinning it locks no memory, and iommufd refuses it. */
  readonly deviceMemory?: boolean;
  /** Bytes of the huge pages behind it; none unless given. */
  readonly hugePageSize?: number;
}

/** The address space of a process: what system calls copy from and to, and what DMA mappings pin. */
export class UserMemory {
  /** By address, never overlapping. */
  readonly #mappings: UserMapping[] = [];

  /** Maps memory at an address; throws RangeError where something is mapped already. */
  map(mapping: UserMapping): UserMapping {
    const at = this.#mappings.findIndex((other) => other.address >= mapping.address);
    const index = at === -1 ? this.#mappings.length : at;
    const before = this.#mappings[index - 1];
    const after = this.#mappings[index];
    if (
      (before && before.address + before.size > mapping.address) ||
      (after && mapping.address + mapping.size > after.address)
    )
      throw new RangeError(`user memory at 0x${mapping.address.toString(16)}: already mapped`);
    this.#mappings.splice(index, 0, mapping);
    return mapping;
  }

  /** Takes a mapping away. */
  unmap(mapping: UserMapping): void {
    const index = this.#mappings.indexOf(mapping);
    if (index !== -1) this.#mappings.splice(index, 1);
  }

  /** The mapping that holds an address. */
  find(address: number): UserMapping | undefined {
    let low = 0;
    let high = this.#mappings.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const mapping = this.#mappings[middle]!;
      if (mapping.address + mapping.size <= address) low = middle + 1;
      else high = middle;
    }
    const mapping = this.#mappings[low];
    return mapping && mapping.address <= address ? mapping : undefined;
  }

  /** Copies from user memory (copy_from_user); `undefined` if any byte of it is not mapped. */
  read(address: number, length: number): Uint8Array | undefined {
    const out = new Uint8Array(length);
    return this.#walk(address, length, false, (mapping, from, at, size) => {
      if (mapping.bytes) out.set(mapping.bytes.subarray(from, from + size), at);
    })
      ? out
      : undefined;
  }

  /** Copies to user memory (copy_to_user); false, with nothing written, if any byte of it is not mapped writable. */
  write(address: number, bytes: Uint8Array): boolean {
    if (!this.#walk(address, bytes.length, true, () => {})) return false;
    return this.#walk(address, bytes.length, true, (mapping, from, at, size) => {
      mapping.bytes?.set(bytes.subarray(at, at + size), from);
    });
  }

  #walk(
    address: number,
    length: number,
    write: boolean,
    visit: (mapping: UserMapping, from: number, at: number, size: number) => void,
  ): boolean {
    let done = 0;
    while (done < length) {
      const mapping = this.find(address + done);
      if (mapping === undefined || (write && !mapping.writable)) return false;
      const from = address + done - mapping.address;
      const size = Math.min(length - done, mapping.size - from);
      visit(mapping, from, done, size);
      done += size;
    }
    return true;
  }
}
