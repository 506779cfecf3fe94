import type { RegisterBlock } from '@vfiokit/pci';
import type { AccessSize, DeviceMapping } from '@vfiokit/uapi';

/**
 * All memory of a device that user space has mapped.
 *
 * Pages are not there until they are touched, and can be taken away at any time ("zapped"); the next touch brings them
 * back if the device's memory may be used then, and ends in SIGBUS if not (vfio_pci_core.c: vfio_pci_mmap_page_fault).
 */
export class Mappings {
  readonly #all = new Set<Mapping>();

  constructor(
    private readonly pageSize: number,
    /** Whether a fault may bring pages in now. */
    private readonly accessible: () => boolean,
  ) {}

  pageAlign(length: number): number {
    return Math.ceil(length / this.pageSize) * this.pageSize;
  }

  /** @param accessible asked at a fault in place of the device's own rule. */
  map(
    block: RegisterBlock,
    offset: number,
    length: number,
    accessible = this.accessible,
  ): DeviceMapping {
    const mapping = new Mapping(block, offset, this.pageAlign(length), accessible, () =>
      this.#all.delete(mapping),
    );
    this.#all.add(mapping);
    return mapping;
  }

  /** Takes every page away (vfio_pci_zap_bars). */
  zap(): void {
    for (const mapping of this.#all) mapping.present = false;
  }

  /** How many mappings there are. */
  get size(): number {
    return this.#all.size;
  }
}

class Mapping implements DeviceMapping {
  present = false;

  constructor(
    private readonly block: RegisterBlock,
    private readonly offset: number,
    readonly length: number,
    private readonly accessible: () => boolean,
    private readonly removed: () => void,
  ) {}

  get memory(): Uint8Array | undefined {
    return this.block.memory?.subarray(this.offset, this.offset + this.length);
  }

  load(offset: number, size: AccessSize): number | 'SIGBUS' {
    return this.#fault() ? this.block.read(this.offset + offset, size) : 'SIGBUS';
  }

  store(offset: number, size: AccessSize, value: number): 'SIGBUS' | undefined {
    if (!this.#fault()) return 'SIGBUS';
    this.block.write(this.offset + offset, size, value);
    return undefined;
  }

  unmap(): void {
    this.present = false;
    this.removed();
  }

  #fault(): boolean {
    this.present ||= this.accessible();
    return this.present;
  }
}
