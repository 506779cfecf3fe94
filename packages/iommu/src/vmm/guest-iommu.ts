import { ADDRESS_END } from '../address/address.js';
import { RangeTree } from '../address/range-tree.js';
import type { DmaAccess } from '../hardware/dma.js';
import { AddressSpace } from './address-space.js';
import type { IommuEvent, IommuRegion } from './memory-region.js';

/** A domain of a guest's IOMMU: what the guest has mapped for the devices in it. */
export class GuestDomain {
  readonly #mappings = new RangeTree<undefined>();
  readonly #endpoints = new Set<GuestEndpoint>();

  constructor(readonly name: string) {}

  /** Moves a device's endpoint into this domain. */
  attach(endpoint: GuestEndpoint): void {
    endpoint.domain?.detach(endpoint);
    this.#endpoints.add(endpoint);
    endpoint.domain = this;
    for (const event of this.events()) endpoint.tell(event);
  }

  detach(endpoint: GuestEndpoint): void {
    if (!this.#endpoints.delete(endpoint)) return;
    for (const event of this.events()) endpoint.tell({ ...event, access: 0 });
    endpoint.domain = undefined;
  }

  /** The guest maps a range that nothing is mapped in. */
  map(iova: number, size: number, target: number, access: DmaAccess): void {
    if (this.#mappings.firstWithin(iova, iova + size) !== 0)
      throw new RangeError(`${this.name}: 0x${iova.toString(16)} is mapped already`);
    this.#mappings.insert(iova, iova + size, target, access, undefined);
    this.#tell({ iova, size, target, access });
  }

  /** The guest unmaps what it has mapped there. */
  unmap(iova: number, size: number): void {
    for (const row of this.#mappings.within(iova, iova + size)) {
      const { start, end } = this.#mappings.range(row);
      this.#mappings.remove(row);
      this.#tell({ iova: start, size: end - start, target: 0, access: 0 });
    }
  }

  /** Everything that is mapped. */
  *events(): Generator<IommuEvent> {
    for (const row of this.#mappings.rows())
      yield {
        iova: this.#mappings.start(row),
        size: this.#mappings.end(row) - this.#mappings.start(row),
        target: this.#mappings.target(row),
        access: this.#mappings.flags(row),
      };
  }

  #tell(event: IommuEvent): void {
    for (const endpoint of this.#endpoints) endpoint.tell(event);
  }
}

/** What one device of a guest sees behind the guest's IOMMU: nothing, until the guest puts it into a domain. */
export class GuestEndpoint implements IommuRegion {
  readonly type = 'iommu';
  readonly page: number;
  readonly addressSpace: AddressSpace;
  domain: GuestDomain | undefined;
  readonly #listeners = new Set<(event: IommuEvent) => void>();

  constructor(
    readonly name: string,
    page = 4096,
  ) {
    this.page = page;
    this.addressSpace = new AddressSpace(name);
    this.addressSpace.add(0, ADDRESS_END, this);
  }

  /** Something has changed for this device. */
  tell(event: IommuEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  subscribe(listener: (event: IommuEvent) => void): () => void {
    this.#listeners.add(listener);
    for (const event of this.domain?.events() ?? []) listener(event);
    return () => this.#listeners.delete(listener);
  }
}
