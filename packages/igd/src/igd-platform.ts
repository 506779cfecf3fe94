import type { PciDevice } from '@vfiokit/pci';

/** What the machine gives to the driver of its graphics beside the function itself. */
export interface IgdPlatform {
  /** Maps physical memory, live; undefined where there is none (memremap). */
  map(address: number, length: number): Uint8Array | undefined;
  /** A mapping is not used any more. */
  unmap?(memory: Uint8Array): void;
  /** Takes a reference to a function of the graphics' machine by its name (pci_get_domain_bus_and_slot). */
  getDevice(name: string, graphics: PciDevice): PciDevice | undefined;
  /** Gives a reference back. */
  putDevice?(device: PciDevice): void;
}

/** Where the driver's behaviour is a wart, this turns to the sane side. */
export interface IgdQuirks {
  /** The guest's ASLS starts out as the OpRegion's address, not as that of the VBT outside of it. */
  readonly aslsShowsOpRegion: boolean;
}

/** The kernel's behaviour. */
export const IGD_KERNEL_QUIRKS: IgdQuirks = { aslsShowsOpRegion: false };
