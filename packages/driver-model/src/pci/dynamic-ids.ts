import { EEXIST, EINVAL, ENODEV } from '@vfiokit/uapi';
import {
  entryMatches,
  matchDevice,
  PCI_ANY_ID,
  type PciIdEntry,
  type PciMatchCandidate,
  tableEntries,
} from './pci-id-table.js';

const FIELDS = 7;

/**
 * The hexadecimal numbers at the start of a text, white space between them, up to the first that is none; `0x` may stand
 * before each (sscanf with %x).
 */
function scanHex(text: string, most: number): number[] {
  const pattern = /[ \t\n\v\f\r]*(?:0x)?([0-9a-f]+)/iy;
  const numbers: number[] = [];
  while (numbers.length < most) {
    const match = pattern.exec(text);
    if (match === null) break;
    numbers.push(parseInt(match[1]!.slice(-8), 16));
  }
  return numbers;
}

function entryOf(fields: readonly number[]): Required<Omit<PciIdEntry, 'overrideOnly'>> {
  const [vendor, device, subvendor, subdevice, class_, classMask, driverData] = fields;
  return {
    vendor: vendor!,
    device: device!,
    subvendor: subvendor ?? PCI_ANY_ID,
    subdevice: subdevice ?? PCI_ANY_ID,
    class: class_ ?? 0,
    classMask: classMask ?? 0,
    driverData: driverData ?? 0,
  };
}

/**
 * The ids that were given to a driver at run time, oldest first. Nobody can read them back, and they stay until they are
 * removed or the driver goes (drivers/pci/pci-driver.c).
 */
export class DynamicIds {
  #entries: readonly PciIdEntry[] = [];

  constructor(private readonly driver: PciMatchCandidate) {}

  get entries(): readonly PciIdEntry[] {
    return this.#entries;
  }

  /**
   * A write to `new_id`: up to seven hexadecimal fields.
   *
   * @returns 0; `-EINVAL` for fewer than two fields, or driver data that no entry of the table has; `-EEXIST` for an id
   *   that the driver takes already, which with all seven fields is not asked.
   */
  add(text: string): number {
    const fields = scanHex(text, FIELDS);
    if (fields.length < 2) return -EINVAL;
    const entry = entryOf(fields);
    // The id is looked up as if it were a device: an "any" in it is a number like others.
    const described = {
      vendor: entry.vendor,
      device: entry.device,
      subsystemVendor: entry.subvendor,
      subsystemDevice: entry.subdevice,
      class: entry.class,
    };
    const unchecked = fields.length === FIELDS;
    if (!unchecked && matchDevice(this.driver, [], described, undefined) !== undefined)
      return -EEXIST;
    const { ids } = this.driver;
    if (
      ids !== undefined &&
      !tableEntries(ids).some((known) => (known.driverData ?? 0) === entry.driverData)
    )
      return -EINVAL;
    if (!unchecked && this.#entries.some((known) => entryMatches(known, described))) return -EEXIST;
    this.#entries = [...this.#entries, entry];
    return 0;
  }

  /** Adds an id without any question. */
  append(entry: PciIdEntry): void {
    this.#entries = [...this.#entries, entry];
  }

  /** A write to `remove_id`: up to six fields; `-EINVAL` for fewer than two, `-ENODEV` if nothing was removed. */
  remove(text: string): number {
    const fields = scanHex(text, FIELDS - 1);
    if (fields.length < 2) return -EINVAL;
    const wanted = entryOf(fields);
    const at = this.#entries.findIndex(
      (entry) =>
        entry.vendor === wanted.vendor &&
        entry.device === wanted.device &&
        (wanted.subvendor === PCI_ANY_ID || entry.subvendor === wanted.subvendor) &&
        (wanted.subdevice === PCI_ANY_ID || entry.subdevice === wanted.subdevice) &&
        (((entry.class ?? 0) ^ wanted.class) & wanted.classMask) === 0,
    );
    if (at < 0) return -ENODEV;
    this.#entries = this.#entries.filter((_, index) => index !== at);
    return 0;
  }
}
