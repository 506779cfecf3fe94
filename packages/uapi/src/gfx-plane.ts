import { type StructOf, struct, u32, u64 } from './struct.js';

/** VFIO_DEVICE_QUERY_GFX_PLANE: where a mediated graphics device keeps what its screen shows. */
export const vfioDeviceGfxPlaneInfo = struct('vfio_device_gfx_plane_info', {
  argsz: u32,
  flags: u32,
  /** In: which plane (DRM_PLANE_TYPE_*). */
  drmPlaneType: u32,
  /** A fourcc. */
  drmFormat: u32,
  drmFormatMod: u64,
  /** Pixels. */
  width: u32,
  /** Pixels. */
  height: u32,
  /** Bytes a line. */
  stride: u32,
  /** Bytes. */
  size: u32,
  xPos: u32,
  yPos: u32,
  xHot: u32,
  yHot: u32,
  /** A region's index, or the id of a dma-buf for VFIO_DEVICE_GET_GFX_DMABUF. */
  regionIndexOrDmabufId: u32,
  reserved: u32,
});
export type VfioDeviceGfxPlaneInfo = StructOf<typeof vfioDeviceGfxPlaneInfo>;
export const VFIO_GFX_PLANE_TYPE_PROBE = 0x1;
export const VFIO_GFX_PLANE_TYPE_DMABUF = 0x2;
export const VFIO_GFX_PLANE_TYPE_REGION = 0x4;
