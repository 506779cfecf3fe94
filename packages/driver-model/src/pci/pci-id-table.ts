import type { PciIdPattern, PciIds } from '@vfiokit/pci';

/** What an id that matches anything is, where a number has to stand (mod_devicetable.h: PCI_ANY_ID). */
export const PCI_ANY_ID = 0xffff_ffff;

/** An entry of a driver's id table (struct pci_device_id). */
export interface PciIdEntry extends PciIdPattern {
  /** What the driver keeps of the entry; 0 if absent. */
  readonly driverData?: number;
}

/** The entries of a table up to its terminator, as the kernel walks it (pci-driver.c: pci_match_id). */
export function tableEntries(table: readonly PciIdEntry[]): readonly PciIdEntry[] {
  const end = table.findIndex(
    (entry) => entry.vendor === 0 && entry.subvendor === 0 && (entry.classMask ?? 0) === 0,
  );
  return end < 0 ? table : table.slice(0, end);
}

/** Whether an entry is one for a device (pci.h: pci_match_one_device). */
export function entryMatches(entry: PciIdEntry, ids: PciIds): boolean {
  const same = (wanted: number | undefined, value: number): boolean =>
    wanted === undefined || wanted === PCI_ANY_ID || wanted === value;
  return (
    same(entry.vendor, ids.vendor) &&
    same(entry.device, ids.device) &&
    same(entry.subvendor, ids.subsystemVendor) &&
    same(entry.subdevice, ids.subsystemDevice) &&
    (((entry.class ?? 0) ^ ids.class) & (entry.classMask ?? 0)) === 0
  );
}

/** What a driver brings to a match: its name and its ids, those of its table and those added at run time. */
export interface PciMatchCandidate {
  readonly name: string;
  readonly ids?: readonly PciIdEntry[];
}

/** Matches by the override alone: any device, driver data 0. */
const ANY_DEVICE: PciIdEntry = {};

/**
 * The entry by which a driver takes a device, the first rule that decides; undefined if it does not (pci-driver.c:
 * pci_match_device). The order is the kernel's: an override that names another driver, dynamic ids, the table (its
 * override-only entries only for the override's driver), the override alone.
 */
export function matchDevice(
  driver: PciMatchCandidate,
  dynamic: readonly PciIdEntry[],
  ids: PciIds,
  override: string | undefined,
): PciIdEntry | undefined {
  if (override !== undefined && override !== driver.name) return undefined;
  const found =
    dynamic.find((entry) => entryMatches(entry, ids)) ??
    tableEntries(driver.ids ?? []).find(
      (entry) =>
        (entry.overrideOnly !== true || override !== undefined) && entryMatches(entry, ids),
    );
  return found ?? (override === undefined ? undefined : ANY_DEVICE);
}
