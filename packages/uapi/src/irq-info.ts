import { type StructOf, struct, u32 } from './struct.js';

/** VFIO_DEVICE_GET_IRQ_INFO */
export const vfioIrqInfo = struct('vfio_irq_info', {
  argsz: u32,
  flags: u32,
  index: u32,
  count: u32,
});
export type VfioIrqInfo = StructOf<typeof vfioIrqInfo>;

export const VFIO_IRQ_INFO_EVENTFD = 0x1;
export const VFIO_IRQ_INFO_MASKABLE = 0x2;
/** It is masked whenever it is signalled. */
export const VFIO_IRQ_INFO_AUTOMASKED = 0x4;
/** Interrupts cannot be added while others of the index are in use. */
export const VFIO_IRQ_INFO_NORESIZE = 0x8;
