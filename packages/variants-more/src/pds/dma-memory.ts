const PAGE_SIZE = 4096;

/** Memory of a driver that its adapter reaches, by address: what is mapped for DMA and not unmapped yet (dma_map_single). */
export class DmaMemory {
  readonly #mapped = new Map<bigint, Uint8Array>();
  #next = BigInt(PAGE_SIZE);

  /** How many pieces are mapped. */
  get size(): number {
    return this.#mapped.size;
  }

  /** Maps bytes; their address, on a page of its own. */
  map(bytes: Uint8Array): bigint {
    const address = this.#next;
    this.#next += BigInt(PAGE_SIZE * Math.max(1, Math.ceil(bytes.length / PAGE_SIZE)));
    this.#mapped.set(address, bytes);
    return address;
  }

  unmap(address: bigint): void {
    this.#mapped.delete(address);
  }

  /** For the adapter: the bytes at an address; undefined where so much is not mapped. */
  at(address: bigint, length: number): Uint8Array | undefined {
    for (const [start, bytes] of this.#mapped) {
      const from = Number(address - start);
      if (from >= 0 && from + length <= bytes.length) return bytes.subarray(from, from + length);
    }
    return undefined;
  }
}
