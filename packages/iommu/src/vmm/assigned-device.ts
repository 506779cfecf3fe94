import type { VfioGroup } from '../group/vfio-group.js';
import type { AddressSpace } from './address-space.js';
import type { GuestTableRoot } from './dma-space.js';

/** A device of the host in a guest. */
export interface AssignedDevice {
  /** Its name on the host. */
  readonly name: string;
  readonly group: VfioGroup;
  /** What its DMA goes through in the guest: the bus's IOMMU decides. The guest's memory if there is none. */
  readonly addressSpace: AddressSpace;
  /** Where the guest has its page table, if hardware is to walk that. */
  guestTable?(): GuestTableRoot | undefined;
}
