/** The numbers by which drivers recognise a function. */
export interface PciIds {
  readonly vendor: number;
  readonly device: number;
  readonly subsystemVendor: number;
  readonly subsystemDevice: number;
  /** 24 bits: base class, subclass, programming interface. */
  readonly class: number;
}

/**
 * What the kernel reports as MODALIAS of a function, and what module aliases are matched with
 * (pci-sysfs.c: modalias_show).
 */
export function pciModalias(ids: PciIds): string {
  const id = (value: number) => value.toString(16).toUpperCase().padStart(8, '0');
  const byte = (shift: number) =>
    ((ids.class >>> shift) & 0xff).toString(16).toUpperCase().padStart(2, '0');
  return (
    `pci:v${id(ids.vendor)}d${id(ids.device)}` +
    `sv${id(ids.subsystemVendor)}sd${id(ids.subsystemDevice)}` +
    `bc${byte(16)}sc${byte(8)}i${byte(0)}`
  );
}
