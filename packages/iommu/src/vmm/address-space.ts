import type { MemoryRegion, MemorySection } from './memory-region.js';

/** Somebody who follows what is where. Called for what is there already when it starts to listen. */
export interface AddressSpaceListener {
  added(section: MemorySection): void;
  removed(section: MemorySection): void;
}

/**
 * Addresses as a guest's CPU or one of its devices sees them, and what is behind them. Which devices share one is what
 * tells usage models apart: it is the key of the DMA spaces that the host makes for them.
 */
export class AddressSpace {
  readonly #sections: MemorySection[] = [];
  readonly #listeners = new Set<AddressSpaceListener>();

  constructor(readonly name: string) {}

  get sections(): readonly MemorySection[] {
    return this.#sections;
  }

  /** Puts a region, or a part of it, at an address. */
  add(start: number, size: number, region: MemoryRegion, offset = 0): MemorySection {
    const section = { start, size, region, offset };
    this.#sections.push(section);
    for (const listener of this.#listeners) listener.added(section);
    return section;
  }

  remove(section: MemorySection): void {
    const index = this.#sections.indexOf(section);
    if (index === -1) return;
    this.#sections.splice(index, 1);
    for (const listener of this.#listeners) listener.removed(section);
  }

  /** Tells of everything that is there, then of every change. The returned function ends it, telling that all goes. */
  listen(listener: AddressSpaceListener): () => void {
    this.#listeners.add(listener);
    for (const section of [...this.#sections]) listener.added(section);
    return () => {
      if (!this.#listeners.delete(listener)) return;
      for (const section of [...this.#sections]) listener.removed(section);
    };
  }

  /** The section of memory that holds an address. */
  ram(address: number): MemorySection | undefined {
    return this.#sections.find(
      ({ start, size, region }) =>
        region.type === 'ram' && address >= start && address < start + size,
    );
  }
}
