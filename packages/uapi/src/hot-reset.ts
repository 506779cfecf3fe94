import { type StructOf, struct, u8, u16, u32 } from './struct.js';

/** VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, without the {@link vfioPciDependentDevice}s that follow. */
export const vfioPciHotResetInfo = struct('vfio_pci_hot_reset_info', {
  argsz: u32,
  flags: u32,
  count: u32,
});
export type VfioPciHotResetInfo = StructOf<typeof vfioPciHotResetInfo>;

/** A function that the reset hits. */
export const vfioPciDependentDevice = struct('vfio_pci_dependent_device', {
  /** The IOMMU group; with VFIO_PCI_HOT_RESET_FLAG_DEV_ID the device's id in the caller's iommufd. */
  id: u32,
  segment: u16,
  bus: u8,
  devfn: u8,
});
export type VfioPciDependentDevice = StructOf<typeof vfioPciDependentDevice>;

/** The entries hold device ids, not groups: the device was opened without a group. */
export const VFIO_PCI_HOT_RESET_FLAG_DEV_ID = 0x1;
/** The caller owns every device that the reset hits. */
export const VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED = 0x2;
/** The caller owns the device through its group, though it has no id. */
export const VFIO_PCI_DEVID_OWNED = 0;
/** -1 in an s32. */
export const VFIO_PCI_DEVID_NOT_OWNED = 0xffffffff;

/** What a hot reset hits. */
export interface HotResetInfo {
  /** VFIO_PCI_HOT_RESET_FLAG_* */
  readonly flags: number;
  readonly devices: readonly VfioPciDependentDevice[];
}

/** The answer of VFIO_DEVICE_GET_PCI_HOT_RESET_INFO. */
export function decodeHotResetInfo(bytes: Uint8Array): HotResetInfo {
  const { size: header } = vfioPciHotResetInfo;
  const { flags, count } = vfioPciHotResetInfo.decode(bytes);
  const devices = Array.from({ length: count }, (_, index) =>
    vfioPciDependentDevice.decode(bytes, header + index * vfioPciDependentDevice.size),
  );
  return { flags, devices };
}

/** VFIO_DEVICE_PCI_HOT_RESET, without the group descriptors (s32) that follow. */
export const vfioPciHotReset = struct('vfio_pci_hot_reset', { argsz: u32, flags: u32, count: u32 });
export type VfioPciHotReset = StructOf<typeof vfioPciHotReset>;

/** The argument of VFIO_DEVICE_PCI_HOT_RESET; no groups for a device that was opened without one. */
export function encodeHotReset(groupFds: readonly number[]): Uint8Array {
  const argsz = vfioPciHotReset.size + 4 * groupFds.length;
  const out = vfioPciHotReset.encode({ argsz, count: groupFds.length }, new Uint8Array(argsz));
  const view = new DataView(out.buffer);
  for (const [index, fd] of groupFds.entries())
    view.setInt32(vfioPciHotReset.size + 4 * index, fd, true);
  return out;
}
