import 'reflect-metadata';

// Addresses
export * from './address/address.js';
export * from './address/dma-snapshot.js';
export { IovaRanges } from './address/iova-ranges.js';
export * from './address/page-sizes.js';
export { RangeTree } from './address/range-tree.js';
// Mechanism: containers, the kinds of IOMMU that they can have, iommufd, KVM
export * from './container/backend.js';
export * from './container/container.js';
export * from './container/emulated-dma.js';
export * from './container/parameters.js';
export * from './container/quirks.js';

// Groups and device nodes
export * from './dev-vfio.js';
export { BareDevice } from './group/bare-device.js';
export * from './group/device-node.js';
export * from './group/group-device.js';
export * from './group/group-file.js';
export * from './group/iommu-group.js';
export * from './group/iommu-groups.js';
export { NumberPool } from './group/number-pool.js';
export * from './group/reserved-region.js';
export * from './group/vfio-group.js';
export * from './group/vfio-groups.js';
// The hardware: what IOMMUs can do, and how devices reach memory through them
export * from './hardware/dma.js';
export * from './hardware/identity-domain.js';
export * from './hardware/iommu.js';
export * from './hardware/registers.js';
export * from './hardware/tce-platform.js';
export { Iommufd } from './iommufd/iommufd.js';
export * from './kvm/kvm-tce-table.js';
export * from './kvm/kvm-vfio.js';
export * from './kvm/kvm-vm.js';
export * from './kvm/tce-hypercalls.js';
export { DirtyBitmap } from './memory/dirty-bitmap.js';
export { FaultInjection } from './memory/fault-injection.js';
export { MemFile } from './memory/mem-file.js';
export * from './register.js';
// For people, and putting it together
export * from './report/dma-report.js';
export * from './report/groups-report.js';
export { SpaprTce } from './spapr/spapr-tce.js';
export { SpaprTceBackend } from './spapr/spapr-tce-backend.js';
export * from './tokens.js';
export { type MapRequest, Type1Mappings } from './type1/mappings.js';
export { Type1 } from './type1/type1.js';
export { Type1Backend } from './type1/type1-backend.js';
// Policy: how an IOMMU is used, by a monitor with a guest
export * from './usage/models.js';
export * from './usage/needs.js';
export * from './usage/usage-model.js';
export * from './vmm/address-space.js';
export * from './vmm/assigned-device.js';
export * from './vmm/container-space.js';
export * from './vmm/dma-space.js';
export * from './vmm/guest-iommu.js';
export * from './vmm/guest-tce-table.js';
export * from './vmm/ioas-space.js';
export * from './vmm/memory-region.js';
export * from './vmm/monitor.js';
export * from './vmm/papr-host-bridge.js';
export * from './vmm/papr-hypercalls.js';
export * from './vmm/space-filler.js';
