import type { PciDeviceId } from './vfio-pci-driver.js';

/**
 * The alias that a VFIO driver's id table entry puts into the module index. Its prefix keeps it from being loaded for a
 * device that nobody wants to hand to a user (scripts/mod/file2alias.c: do_pci_entry).
 */
export function moduleAlias(id: PciDeviceId): string {
  const field = (name: string, value: number | undefined, digits: number) =>
    `${name}${value === undefined ? '*' : value.toString(16).toUpperCase().padStart(digits, '0')}`;
  const { class: code = 0, classMask: mask = 0 } = id;
  const part = (name: string, shift: number) =>
    field(name, ((mask >>> shift) & 0xff) === 0xff ? (code >>> shift) & 0xff : undefined, 2);
  return `vfio_pci:${[
    field('v', id.vendor, 8),
    field('d', id.device, 8),
    field('sv', id.subvendor, 8),
    field('sd', id.subdevice, 8),
    part('bc', 16),
    part('sc', 8),
    part('i', 0),
  ].join('')}`;
}
