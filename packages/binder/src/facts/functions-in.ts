import { PciAddress } from '@vfiokit/pci';

/** Every PCI function in the path that a link of sysfs leads to, the nearest last. */
export function functionsIn(path: string): readonly string[] {
  return path.split('/').filter((part) => PciAddress.tryParse(part)?.toString() === part);
}
