import { array, type StructOf, struct, u32, u64 } from './struct.js';

/** IOMMU_VIOMMU_ALLOC: a slice of a physical IOMMU for one guest. Its first version ended with `outViommuId`. */
export const iommuViommuAlloc = struct('iommu_viommu_alloc', {
  size: u32,
  flags: u32,
  type: u32,
  /** A device behind the physical IOMMU. */
  devId: u32,
  /** The nest parent. */
  hwptId: u32,
  outViommuId: u32,
  /** Bytes. */
  dataLen: u32,
  reserved: u32,
  /** Address of what `type` says. */
  dataUptr: u64,
});
export type IommuViommuAlloc = StructOf<typeof iommuViommuAlloc>;
export const IOMMU_VIOMMU_TYPE_DEFAULT = 0;
export const IOMMU_VIOMMU_TYPE_ARM_SMMUV3 = 1;
export const IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV = 2;

/** IOMMU_VIOMMU_TYPE_TEGRA241_CMDQV: what to map of it. */
export const iommuViommuTegra241Cmdqv = struct('iommu_viommu_tegra241_cmdqv', {
  outVintfMmapOffset: u64,
  outVintfMmapLength: u64,
});
export type IommuViommuTegra241Cmdqv = StructOf<typeof iommuViommuTegra241Cmdqv>;

/** IOMMU_VDEVICE_ALLOC: the name that a guest's IOMMU knows a device by. */
export const iommuVdeviceAlloc = struct('iommu_vdevice_alloc', {
  size: u32,
  viommuId: u32,
  devId: u32,
  outVdeviceId: u32,
  /** A stream id, device id or requester id of the guest. */
  virtId: u64,
});
export type IommuVdeviceAlloc = StructOf<typeof iommuVdeviceAlloc>;

/** IOMMU_VEVENTQ_ALLOC: what the guest's IOMMU reports. Its first version ended with `outVeventqFd`. */
export const iommuVeventqAlloc = struct('iommu_veventq_alloc', {
  size: u32,
  flags: u32,
  viommuId: u32,
  type: u32,
  veventqDepth: u32,
  outVeventqId: u32,
  outVeventqFd: u32,
  reserved: u32,
});
export type IommuVeventqAlloc = StructOf<typeof iommuVeventqAlloc>;
export const IOMMU_VEVENTQ_TYPE_DEFAULT = 0;
export const IOMMU_VEVENTQ_TYPE_ARM_SMMUV3 = 1;
export const IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV = 2;

/** What precedes each event that is read from a queue. */
export const iommufdVeventHeader = struct('iommufd_vevent_header', {
  flags: u32,
  /** Counts events, lost ones too; 31 bits. */
  sequence: u32,
});
export type IommufdVeventHeader = StructOf<typeof iommufdVeventHeader>;
/** The last events were lost; nothing follows the header. */
export const IOMMU_VEVENTQ_FLAG_LOST_EVENTS = 0x1;

/** IOMMU_VEVENTQ_TYPE_ARM_SMMUV3: an event record (SMMUv3 7.3). */
export const iommuVeventArmSmmuv3 = struct('iommu_vevent_arm_smmuv3', { evt: array(u64, 4) });
export type IommuVeventArmSmmuv3 = StructOf<typeof iommuVeventArmSmmuv3>;

/** IOMMU_VEVENTQ_TYPE_TEGRA241_CMDQV: which queues failed. */
export const iommuVeventTegra241Cmdqv = struct('iommu_vevent_tegra241_cmdqv', {
  lvcmdqErrMap: array(u64, 2),
});
export type IommuVeventTegra241Cmdqv = StructOf<typeof iommuVeventTegra241Cmdqv>;

/** IOMMU_HW_QUEUE_ALLOC: a queue in guest memory that the hardware reads itself. */
export const iommuHwQueueAlloc = struct('iommu_hw_queue_alloc', {
  size: u32,
  flags: u32,
  viommuId: u32,
  type: u32,
  index: u32,
  outHwQueueId: u32,
  nestingParentIova: u64,
  /** Bytes. */
  length: u64,
});
export type IommuHwQueueAlloc = StructOf<typeof iommuHwQueueAlloc>;
export const IOMMU_HW_QUEUE_TYPE_DEFAULT = 0;
export const IOMMU_HW_QUEUE_TYPE_TEGRA241_CMDQV = 1;
