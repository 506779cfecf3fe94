export type { BarReservations } from './bar-reservations.js';
export * from './enumerated-function.js';
export type { PciErrorHandlers } from './error-handlers.js';
export type { Express } from './express.js';
export { type IrqHandler, IrqLine, IrqLines } from './irq-line.js';
export type { InterruptMessage, VectorKind } from './irq-vectors.js';
export type { PciBus, PciSlot } from './pci-bus.js';
export { PciDevice } from './pci-device.js';
export { type PciPlatform, PLAIN_PLATFORM } from './pci-platform.js';
export {
  IORESOURCE_IO,
  IORESOURCE_MEM,
  IORESOURCE_MEM_64,
  IORESOURCE_PCI_FIXED,
  IORESOURCE_PREFETCH,
  IORESOURCE_READONLY,
  IORESOURCE_ROM_ENABLE,
  IORESOURCE_ROM_SHADOW,
  IORESOURCE_SIZEALIGN,
  IORESOURCE_UNSET,
  PCI_IOV_RESOURCES,
  PCI_ROM_RESOURCE,
  PciResource,
  resourceBars,
  resourceVfBars,
} from './pci-resource.js';
export * from './pci-topology.js';
export { RESET_METHOD_NAMES, type ResetMethod } from './reset-methods.js';
export { type RomImage, romImageLength } from './rom-image.js';
export type { RomMapping } from './rom-mapping.js';
export * from './runtime-pm.js';
export type { SavedState } from './saved-state.js';
export type { Sriov } from './sriov.js';
export type { Vpd } from './vpd.js';
