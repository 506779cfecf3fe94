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
  const classByte = (shift: number) => hex((ids.class >>> shift) & 0xff, 2);
  return (
    `pci:v${hex(ids.vendor, 8)}d${hex(ids.device, 8)}` +
    `sv${hex(ids.subsystemVendor, 8)}sd${hex(ids.subsystemDevice, 8)}` +
    `bc${classByte(16)}sc${classByte(8)}i${classByte(0)}`
  );
}

/** What a driver's table says of the functions that an entry is for. An absent id is any, an absent number 0. */
export interface PciIdPattern {
  readonly vendor?: number;
  readonly device?: number;
  readonly subvendor?: number;
  readonly subdevice?: number;
  /** 24 bits, compared where the mask has bits. */
  readonly class?: number;
  readonly classMask?: number;
  /** Counts only for functions whose `driver_override` names the driver (PCI_ID_F_VFIO_DRIVER_OVERRIDE). */
  readonly overrideOnly?: boolean;
}

/**
 * The alias by which a module's file advertises an entry of its driver's table (scripts/mod/file2alias.c: do_pci_entry).
 * An override-only entry has the prefix `vfio_pci:`, so that nothing is loaded for a function that nobody wants to hand to
 * a user. A star is added behind a last field that is not one. undefined for a mask that cuts through a byte of the
 * class: no alias can say that.
 */
export function pciAlias(entry: PciIdPattern): string | undefined {
  const id = (value: number | undefined) => (value === undefined ? '*' : hex(value, 8));
  const { class: code = 0, classMask: mask = 0 } = entry;
  const classBytes: string[] = [];
  for (const shift of [16, 8, 0]) {
    const bits = (mask >>> shift) & 0xff;
    if (bits !== 0 && bits !== 0xff) return undefined;
    classBytes.push(bits === 0 ? '*' : hex((code >>> shift) & 0xff, 2));
  }
  const [base, sub, programming] = classBytes;
  const text =
    `${entry.overrideOnly ? 'vfio_pci' : 'pci'}:v${id(entry.vendor)}d${id(entry.device)}` +
    `sv${id(entry.subvendor)}sd${id(entry.subdevice)}bc${base}sc${sub}i${programming}`;
  return text.endsWith('*') ? text : `${text}*`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}
