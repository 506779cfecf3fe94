import type { AddressRange } from '../address/address.js';
import type { DmaSnapshot } from '../address/dma-snapshot.js';
import type { VfioGroup } from '../group/vfio-group.js';
import type { DmaAccess } from '../hardware/dma.js';

/** What a host's DMA spaces of one kind can do. Usage models decide by this, never by what they are called. */
export interface SpaceCapabilities {
  /** What it calls itself, for people only. */
  readonly name: string;
  /** Devices reach only what is mapped: without, nothing can be mapped at all. */
  readonly protects: boolean;
  /** Bitmap of the pages that can be mapped. */
  readonly pageSizes: bigint;
  /** Where something can be mapped, as far as can be told beforehand. */
  readonly ranges: readonly AddressRange[];
  /** `null` without a limit. */
  readonly maxMappings: number | null;
  /** How many groups can share a space; `null` without a limit. */
  readonly maxGroups: number | null;
  /** Windows can be made and removed. */
  readonly dynamicWindows: boolean;
  /** Memory has to be registered before it can be mapped. */
  readonly registersMemory: boolean;
  /** Other devices' memory can be mapped. */
  readonly mapsDeviceMemory: boolean;
  /** A guest's own page tables can be walked by hardware. */
  readonly nesting: boolean;
  /** A space without groups keeps its mappings. */
  readonly outlivesGroups: boolean;
}

/** A window that a guest wants. */
export interface WindowRequest {
  readonly start: number;
  readonly size: number;
  readonly pageShift: number;
}

/**
 * An address space that the host keeps for devices: a container, an IOAS. Results are 0 or more, or negated errnos.
 */
export interface DmaSpace {
  readonly capabilities: SpaceCapabilities;
  /** Such as `container 1 (type1 v2)`. */
  readonly label: string;
  readonly groups: readonly VfioGroup[];
  /** Takes a group in. */
  accept(group: VfioGroup): number;
  /** Lets a group go. */
  expel(group: VfioGroup): number;
  map(iova: number, address: number, size: number, access: DmaAccess): number;
  /** How many bytes were mapped there. */
  unmap(iova: number, size: number): number;
  /** Makes a window; where it is was for the host to say. Only with `dynamicWindows`. */
  addWindow?(window: WindowRequest): { readonly start: number } | number;
  removeWindow?(start: number): number;
  /** Registers memory. Only with `registersMemory`. */
  register?(address: number, size: number): number;
  unregister?(address: number, size: number): number;
  /** Lets a device's requests go through a guest's page table, on top of this space. Only with `nesting`. */
  nest?(group: VfioGroup, table: GuestTableRoot): number;
  /** The descriptor of a group's file, for those who tell KVM. */
  groupFd?(group: VfioGroup): number | undefined;
  /** The windows that there are. */
  windows(): readonly AddressRange[];
  snapshot(): DmaSnapshot;
  close(): void;
}

/** Where a guest's page table is. */
export interface GuestTableRoot {
  /** Guest physical address. */
  readonly root: number;
  /** Bits of an address. */
  readonly width: number;
}

/** A way to get DMA spaces from the host. */
export interface SpaceProvider {
  /** What spaces for a group would be able to do. */
  capabilities(group: VfioGroup): SpaceCapabilities;
  /** Makes an empty space. */
  create(): DmaSpace;
}
