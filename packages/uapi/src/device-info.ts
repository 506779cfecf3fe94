import { type CapabilityChain, decodeCapabilities, structCapability } from './info-capability.js';
import { type Bytes, type StructOf, struct, u32 } from './struct.js';

/** VFIO_DEVICE_GET_INFO */
export const vfioDeviceInfo = struct('vfio_device_info', {
  argsz: u32,
  flags: u32,
  numRegions: u32,
  numIrqs: u32,
  capOffset: u32,
  pad: u32,
});
export type VfioDeviceInfo = StructOf<typeof vfioDeviceInfo>;

/** A function reset worked when the device was opened. */
export const VFIO_DEVICE_FLAGS_RESET = 0x1;
export const VFIO_DEVICE_FLAGS_PCI = 0x2;
export const VFIO_DEVICE_FLAGS_PLATFORM = 0x4;
export const VFIO_DEVICE_FLAGS_AMBA = 0x8;
export const VFIO_DEVICE_FLAGS_CCW = 0x10;
export const VFIO_DEVICE_FLAGS_AP = 0x20;
export const VFIO_DEVICE_FLAGS_FSL_MC = 0x40;
export const VFIO_DEVICE_FLAGS_CAPS = 0x80;
export const VFIO_DEVICE_FLAGS_CDX = 0x100;

// What a mediated device's `device_api` attribute says.
export const VFIO_DEVICE_API_PCI_STRING = 'vfio-pci';
export const VFIO_DEVICE_API_PLATFORM_STRING = 'vfio-platform';
export const VFIO_DEVICE_API_AMBA_STRING = 'vfio-amba';
export const VFIO_DEVICE_API_CCW_STRING = 'vfio-ccw';
export const VFIO_DEVICE_API_AP_STRING = 'vfio-ap';

export const VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP = 5;

export const VFIO_PCI_ATOMIC_COMP32 = 0x1;
export const VFIO_PCI_ATOMIC_COMP64 = 0x2;
export const VFIO_PCI_ATOMIC_COMP128 = 0x4;

/** The widths of AtomicOps that the way up to the root port completes, as VFIO_PCI_ATOMIC_COMP*. */
export const pciAtomicCompCapability = structCapability(
  VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP,
  1,
  struct('vfio_device_info_cap_pci_atomic_comp', { flags: u32, reserved: u32 }),
);

/** What a device says of itself. */
export interface DeviceInfo extends CapabilityChain {
  /** VFIO_DEVICE_FLAGS_* */
  readonly flags: number;
  readonly numRegions: number;
  readonly numIrqs: number;
}

/** Reads an answer of VFIO_DEVICE_GET_INFO with the capabilities behind it. It never throws. */
export function decodeDeviceInfo(bytes: Bytes): DeviceInfo {
  const { flags, numRegions, numIrqs, capOffset } = vfioDeviceInfo.decode(bytes);
  const hasCaps = (flags & VFIO_DEVICE_FLAGS_CAPS) !== 0;
  const chain = decodeCapabilities(bytes, hasCaps ? capOffset : 0, vfioDeviceInfo.ends.capOffset);
  return { ...chain, flags, numRegions, numIrqs };
}
