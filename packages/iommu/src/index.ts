import 'reflect-metadata';

export type { AddressRange } from './address/address.js';
export type * from './address/dma-snapshot.js';
export { IovaRanges } from './address/iova-ranges.js';
export { RangeTree } from './address/range-tree.js';
export * from './container/backend.js';
export * from './container/container.js';
export type * from './container/emulated-dma.js';
export * from './container/parameters.js';
export * from './container/quirks.js';
export * from './dev-vfio.js';
export { BareDevice } from './group/bare-device.js';
export * from './group/device-node.js';
export type * from './group/group-device.js';
export * from './group/group-file.js';
export * from './group/iommu-group.js';
export * from './group/iommu-groups.js';
export { NumberPool } from './group/number-pool.js';
export {
  parseReservedRegions,
  type ReservedRegion,
  type ReservedRegionType,
} from './group/reserved-region.js';
export * from './group/vfio-group.js';
export * from './group/vfio-groups.js';
export {
  DMA_READ,
  DMA_WRITE,
  type DmaAccess,
  type DmaDomain,
  DmaHit,
  DmaPort,
} from './hardware/dma.js';
export * from './hardware/identity-domain.js';
export * from './hardware/iommu.js';
export { type IommuRegisters, iommuFromRegisters } from './hardware/registers.js';
export * from './hardware/tce-platform.js';
export { Iommufd } from './iommufd/iommufd.js';
export * from './kvm/kvm-tce-table.js';
export * from './kvm/kvm-vfio.js';
export * from './kvm/kvm-vm.js';
export {
  H_GET_TCE,
  H_HARDWARE,
  H_PARAMETER,
  H_PUT_TCE,
  H_PUT_TCE_INDIRECT,
  H_STUFF_TCE,
  H_SUCCESS,
  H_TOO_HARD,
  KvmTceHypercalls,
} from './kvm/tce-hypercalls.js';
export { DirtyBitmap } from './memory/dirty-bitmap.js';
export { FaultInjection } from './memory/fault-injection.js';
export { MemFile } from './memory/mem-file.js';
export * from './register.js';
export * from './report/dma-report.js';
export * from './report/groups-report.js';
export * from './tokens.js';
export type { MapRequest } from './type1/mappings.js';
export { Type1 } from './type1/type1.js';
export * from './usage/models.js';
export * from './usage/needs.js';
export type * from './usage/usage-model.js';
export * from './vmm/address-space.js';
export type * from './vmm/assigned-device.js';
export * from './vmm/container-space.js';
export type * from './vmm/dma-space.js';
export * from './vmm/guest-iommu.js';
export type { GuestTceTable } from './vmm/guest-tce-table.js';
export * from './vmm/ioas-space.js';
export type * from './vmm/memory-region.js';
export * from './vmm/monitor.js';
export * from './vmm/papr-host-bridge.js';
export * from './vmm/papr-hypercalls.js';
export * from './vmm/space-filler.js';
