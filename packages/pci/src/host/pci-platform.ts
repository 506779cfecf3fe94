import type { ConfigAccess } from '../silicon/config-access.js';
import type { InterruptMessage } from './irq-vectors.js';
import type { PciDevice } from './pci-device.js';
import type { ResetMethod } from './reset-methods.js';

/**
 * What the machine decides about its PCI functions, and neither a function nor the PCI core knows.
 *
 * Every method has a default, which is an ordinary x86 machine with an IOMMU and without hotplug. Tests and replayed
 * recordings answer some themselves. Methods that return a number return 0 or a negated errno unless they say otherwise.
 */
export interface PciPlatform {
  /**
   * Stands between the PCI core and a function's configuration space: traces accesses, makes some fail.
   * Called once a device, when it is added. Default: `config` itself.
   */
  configAccess?(config: ConfigAccess, name: string): ConfigAccess;

  // --- interrupts ---

  /** How many vectors of `wanted` there are: positive, or a negated errno such as `-EINVAL`. Default: all of them. */
  vectorsAvailable?(device: PciDevice, kind: 'msi' | 'msix', wanted: number): number;
  /** The message of a vector; that of MSI's vector 0 serves all of MSI. Default: the local APIC's window. */
  interruptMessage?(device: PciDevice, kind: 'msi' | 'msix', vector: number): InterruptMessage;
  /** MSI-X vectors can be added while it is enabled (pci_msix_can_alloc_dyn). Default: yes. */
  msixDynamic?(device: PciDevice): boolean;
  /** The interrupt line can be had; `-EBUSY` where somebody outside the model holds it. Default: 0. */
  requestIrq?(device: PciDevice, shared: boolean): number;

  // --- resources ---

  /** Bytes of a CPU page. Default: 4096. */
  readonly pageSize?: number;
  /** A BAR can be reserved; `-EBUSY` where somebody outside the model has it. Default: 0. */
  reserveBar?(device: PciDevice, index: number): number;
  /** The rest of a small BAR's page is free. Default: no other function of the machine has a resource there. */
  pageRemainderFree?(device: PciDevice, index: number): boolean;

  // --- power ---

  /** Where a suspended device goes. Default: D3hot with the PM capability, else D0 (pci_target_state). */
  targetState?(device: PciDevice): number;
  /** Does what the machine has to do for a D-state, such as switching off a power rail. Default: nothing, which is a negated errno. */
  setPowerState?(device: PciDevice, state: number): number;
  /** Resuming fails for a reason outside the model. Default: 0. */
  resume?(device: PciDevice): number;

  // --- resets ---

  /** Reset methods of the machine itself: `device_specific`, `acpi`, `cxl_bus`. Default: none. */
  resetMethod?(device: PciDevice, name: string): ResetMethod | undefined;
  /** The slot of a function can be reset by its hotplug driver. Default: `-ENOTTY`. */
  probeSlotReset?(device: PciDevice): number;
  /** Resets a slot. Default: what a bus reset does to the functions in it. */
  resetSlot?(device: PciDevice): number;
  /** What became of a secondary bus reset of a bridge: `-ENOTTY` if the link did not come back. Default: 0. */
  secondaryBusReset?(bridge: PciDevice): number;
  /** Somebody outside the model holds the device lock. Default: nobody. */
  lockHeld?(device: PciDevice): boolean;

  /** VFs can be enabled; a negated errno such as `-ENOMEM` where there is no room for them. Default: 0. */
  enableVfs?(device: PciDevice, count: number): number;
}

/** A machine that has nothing to add to the defaults. */
export const PLAIN_PLATFORM: PciPlatform = {};
