import type { AddressRange } from '../address/address.js';
import type { AddressSpace } from '../vmm/address-space.js';
import type { AssignedDevice } from '../vmm/assigned-device.js';
import type { DmaSpace, SpaceCapabilities } from '../vmm/dma-space.js';
import type { FillerOptions } from '../vmm/space-filler.js';

/** How a guest uses addresses: what a usage model has to be able to serve. */
export interface AddressPlan {
  /** Where its memory is. */
  readonly ram: readonly AddressRange[];
  /** Where its devices' DMA windows are, if its IOMMU has windows. */
  readonly windows: readonly AddressRange[];
  /** It makes windows of its own. */
  readonly makesWindows: boolean;
  /** The page that its IOMMU maps by. */
  readonly guestPage: number;
  /** Bytes of a page of the host. */
  readonly hostPage: number;
  /** About how many mappings live at a time in one space. */
  readonly mappings: number;
}

/** What happens if no space of a device's key takes its group. */
export type Otherwise = 'create' | 'refuse';

/**
 * How an IOMMU is used: which space a device gets, and who fills it. It never asks which IOMMU that is, only what spaces
 * can do.
 *
 * Add one by registering it under {@link USAGE_MODELS}.
 */
export interface UsageModel {
  /** Such as `map-all`. */
  readonly name: string;
  /** Which devices may share a space, for people. */
  readonly sharedBy: string;
  /** Who fills the spaces, for people. */
  readonly filledBy: string;
  readonly otherwise: Otherwise;
  /** How many groups may share a space even if it would take more; `null` for as many as it takes. */
  readonly groupsPerSpace: number | null;
  /** What spaces lack for it; empty if they will do. */
  lacks(capabilities: SpaceCapabilities, plan: AddressPlan): readonly string[];
  /** The address space whose devices share their DMA: by its identity spaces are filed. */
  key(device: AssignedDevice, system: AddressSpace): AddressSpace;
  /**
   * Fills a space, and keeps it filled.
   *
   * Called when its first group has been taken in, before a device can do DMA; the returned function is called before the
   * last group leaves.
   */
  populate(space: DmaSpace, device: AssignedDevice, options: FillerOptions): () => void;
}
