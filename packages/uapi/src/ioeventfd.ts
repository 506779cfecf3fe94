import { type StructOf, s32, struct, u32, u64 } from './struct.js';

/** VFIO_DEVICE_IOEVENTFD: signals of an eventfd become writes to a BAR. */
export const vfioDeviceIoeventfd = struct('vfio_device_ioeventfd', {
  argsz: u32,
  flags: u32,
  /** Where in the device's file. */
  offset: u64,
  /** What is written. */
  data: u64,
  /** The eventfd, or -1 to take the entry away. */
  fd: s32,
  reserved: u32,
});
export type VfioDeviceIoeventfd = StructOf<typeof vfioDeviceIoeventfd>;

// The width of the write; the flag is the number of bytes.
export const VFIO_DEVICE_IOEVENTFD_8 = 0x1;
export const VFIO_DEVICE_IOEVENTFD_16 = 0x2;
export const VFIO_DEVICE_IOEVENTFD_32 = 0x4;
export const VFIO_DEVICE_IOEVENTFD_64 = 0x8;
export const VFIO_DEVICE_IOEVENTFD_SIZE_MASK = 0xf;
