import { type StructOf, s32, struct, u32, u64 } from './struct.js';

/** VFIO_DEVICE_BIND_IOMMUFD: what makes a `/dev/vfio/devices/vfioN` usable. */
export const vfioDeviceBindIommufd = struct('vfio_device_bind_iommufd', {
  argsz: u32,
  flags: u32,
  iommufd: s32,
  outDevid: u32,
  /** Address of the 16 bytes of a VF token, with VFIO_DEVICE_BIND_FLAG_TOKEN. */
  tokenUuidPtr: u64,
});
export type VfioDeviceBindIommufd = StructOf<typeof vfioDeviceBindIommufd>;
export const VFIO_DEVICE_BIND_FLAG_TOKEN = 0x1;

/** VFIO_DEVICE_ATTACH_IOMMUFD_PT */
export const vfioDeviceAttachIommufdPt = struct('vfio_device_attach_iommufd_pt', {
  argsz: u32,
  flags: u32,
  /** In: an IOAS or a HWPT. Out: the HWPT that it became. */
  ptId: u32,
  pasid: u32,
});
export type VfioDeviceAttachIommufdPt = StructOf<typeof vfioDeviceAttachIommufdPt>;
export const VFIO_DEVICE_ATTACH_PASID = 0x1;

/** VFIO_DEVICE_DETACH_IOMMUFD_PT */
export const vfioDeviceDetachIommufdPt = struct('vfio_device_detach_iommufd_pt', {
  argsz: u32,
  flags: u32,
  pasid: u32,
});
export type VfioDeviceDetachIommufdPt = StructOf<typeof vfioDeviceDetachIommufdPt>;
export const VFIO_DEVICE_DETACH_PASID = 0x1;
