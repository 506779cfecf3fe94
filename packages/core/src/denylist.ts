/**
 * Functions that are known to bring the machine down when a user drives them (vfio_pci.c: vfio_pci_dev_in_denylist).
 * Vendor 0x8086: three generations of one accelerator, PF and VF, and two data movers.
 */
const VENDOR = 0x8086;
const DEVICES: ReadonlySet<number> = new Set([
  0x0435, 0x0443, 0x19e2, 0x19e3, 0x37c8, 0x37c9, 0x0b25, 0x0cfe,
]);

/** Whether plain vfio-pci refuses a function unless `disable_denylist` is set. */
export function isDenied(vendor: number, device: number): boolean {
  return vendor === VENDOR && DEVICES.has(device);
}
