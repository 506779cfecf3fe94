/**
 * Functions whose INTx can't be told apart from another's and must be hidden from the user: their STATUS never shows
 * the interrupt (vfio_pci_core.c: vfio_pci_nointx). Vendor 0x8086, network adapters of one family.
 */
const VENDOR = 0x8086;
const DEVICES: ReadonlySet<number> = new Set([
  0x1563, 0x1572, 0x1574, 0x1580, 0x1581, 0x1583, 0x1584, 0x1585, 0x1586, 0x1587, 0x1588, 0x1589,
  0x158a, 0x158b, 0x37d0, 0x37d1, 0x37d2,
]);

/** Whether INTx is to be hidden. */
export function hidesIntx(vendor: number, device: number): boolean {
  return vendor === VENDOR && DEVICES.has(device);
}
