import {
  type ConfigAccess,
  PCI_CAP_ID_PM,
  PCI_CAP_LIST_ID,
  PCI_CAP_LIST_NEXT,
  PCI_CAPABILITY_LIST,
  PCI_CFG_SPACE_SIZE,
  PCI_EXT_CAP_ID_MAX,
  PCI_PM_CAP_PME_MASK,
  PCI_PM_CTRL,
  PCI_PM_CTRL_PME_ENABLE,
  PCI_PM_CTRL_PME_STATUS,
  PCI_PM_PMC,
  PCI_STATUS,
  PCI_STATUS_CAP_LIST,
} from '@vfiokit/pci';
import { alignedSize } from '../aligned-size.js';
import {
  CAPABILITY_LENGTH,
  EXTENDED_CAPABILITY_LENGTH,
  type LengthRule,
  revealsExtendedSpace,
} from './capability-length.js';

/** Bytes of the standard header. */
export const HEADER_SIZE = 0x40;
/** The standard header. */
export const OWNER_HEADER = 0x00;
/** Bytes that a derived driver made virtual: reads and writes stay in the virtual copy. */
export const OWNER_VIRTUAL = 0xfe;
/** Bytes that no visible capability owns: gaps and the bodies of hidden capabilities, read and written raw. */
export const OWNER_RAW = 0xff;

/** As many capabilities as fit 192 bytes at 4 bytes each (PCI_CAP_MAX). */
const MAX_CAPABILITIES = 48;

/** What was found while the lists were walked, for those who want to see it. */
export interface CapabilityEntry {
  readonly id: number;
  readonly position: number;
  /** Bytes under the capability's own rules; 0 where it is hidden. */
  readonly length: number;
  readonly extended: boolean;
  /** `hidden` is unlinked from the list the user sees; `anchor` is hidden but heads the extended list. */
  readonly visibility: 'visible' | 'hidden' | 'anchor';
}

/** The two arrays of a device's virtual configuration space (vfio_pci_config.c: vfio_config_init). */
export interface ConfigLayout {
  /** One owner a byte: a capability id, or one of the OWNER_ values. */
  readonly map: Uint8Array;
  /** The virtual copy of every byte; only the bits that the permission tables call virtual are ever shown. */
  readonly vconfig: Uint8Array;
  readonly capabilities: readonly CapabilityEntry[];
}

/**
 * Reads the device's header and walks its capability lists.
 *
 * @returns the layout, or the negated errno of a configuration read that failed.
 */
export function readConfigLayout(config: ConfigAccess): ConfigLayout | number {
  const map = new Uint8Array(config.size).fill(OWNER_RAW);
  map.fill(OWNER_HEADER, 0, HEADER_SIZE);
  const walk = new LayoutWalk(config, map, new Uint8Array(config.size));
  const error = walk.copy(0, HEADER_SIZE) || walk.standard() || walk.extended();
  return error < 0 ? error : walk;
}

class LayoutWalk implements ConfigLayout {
  readonly capabilities: CapabilityEntry[] = [];
  readonly #view: DataView;
  #parseExtended = false;

  constructor(
    private readonly config: ConfigAccess,
    readonly map: Uint8Array,
    readonly vconfig: Uint8Array,
  ) {
    this.#view = new DataView(vconfig.buffer, vconfig.byteOffset);
  }

  /** Copies hardware into the virtual space in the largest aligned pieces; 0 or a negated errno. */
  copy(position: number, length: number): number {
    const end = Math.min(position + length, this.config.size);
    for (let at = position; at < end; ) {
      const size = alignedSize(at, end - at);
      const value = this.config.read(at, size);
      if (value < 0) return value;
      for (let i = 0; i < size; i += 1) this.vconfig[at + i] = value >>> (8 * i);
      at += size;
    }
    return 0;
  }

  /** The list that starts at 0x34 (vfio_pci_config.c: vfio_cap_init). */
  standard(): number {
    const { config, map, vconfig } = this;
    const status = config.read(PCI_STATUS, 2);
    if (status < 0) return status;
    if ((status & PCI_STATUS_CAP_LIST) === 0) return 0;
    let position = config.read(PCI_CAPABILITY_LIST, 1);
    if (position < 0) return position;
    let previous = PCI_CAPABILITY_LIST;
    let visible = 0;
    for (let turns = 0; position !== 0 && turns < MAX_CAPABILITIES; turns += 1) {
      const id = config.read(position + PCI_CAP_LIST_ID, 1);
      if (id < 0) return id;
      const next = config.read(position + PCI_CAP_LIST_NEXT, 1);
      if (next < 0) return next;
      const length = this.#length(CAPABILITY_LENGTH[id], position);
      if (length < 0) return length;
      this.#parseExtended ||= length > 0 && revealsExtendedSpace(config, id, position);
      this.capabilities.push({
        id,
        position,
        length,
        extended: false,
        visibility: length > 0 ? 'visible' : 'hidden',
      });
      if (length === 0) {
        vconfig[previous] = next;
      } else {
        map.fill(id, position, position + length);
        const error = this.copy(position, length);
        if (error < 0) return error;
        if (id === PCI_CAP_ID_PM) this.#hidePme(position);
        previous = position + PCI_CAP_LIST_NEXT;
        visible += 1;
      }
      position = next;
    }
    if (visible === 0) vconfig[PCI_STATUS]! &= ~PCI_STATUS_CAP_LIST;
    return 0;
  }

  /** The list that starts at 0x100 (vfio_pci_config.c: vfio_ecap_init). */
  extended(): number {
    if (!this.#parseExtended) return 0;
    const { config, map } = this;
    let position = PCI_CFG_SPACE_SIZE;
    let previous = 0;
    let visible = 0;
    const turns = (config.size - PCI_CFG_SPACE_SIZE) / 4;
    for (let turn = 0; position >= PCI_CFG_SPACE_SIZE && turn < turns; turn += 1) {
      const header = config.read(position, 4);
      if (header < 0) return header;
      const id = header & 0xffff;
      const next = (header >>> 20) & 0xffc;
      const rule = id <= PCI_EXT_CAP_ID_MAX ? EXTENDED_CAPABILITY_LENGTH[id] : 0;
      const length = this.#length(rule, position);
      if (length < 0) return length;
      const anchor = length === 0 && previous === 0;
      this.capabilities.push({
        id,
        position,
        length,
        extended: true,
        visibility: length > 0 ? 'visible' : anchor ? 'anchor' : 'hidden',
      });
      if (length === 0 && !anchor) {
        this.#setHeader(previous, 0x003fffff, next * 2 ** 20);
      } else {
        const owned = anchor ? 4 : length;
        // The kernel keeps the low byte of the id only, so an id above 255 takes another's rules (quirk W8).
        map.fill(id & 0xff, position, position + owned);
        const error = this.copy(position, owned);
        if (error < 0) return error;
        if (anchor) this.#setHeader(position, 0xffc00000, 0);
        else visible += 1;
        previous = position;
      }
      position = next;
    }
    if (visible === 0) this.#setHeader(PCI_CFG_SPACE_SIZE, 0, 0);
    return 0;
  }

  #length(rule: number | LengthRule | undefined, position: number): number {
    if (rule === undefined) return 0;
    return typeof rule === 'number' ? rule : rule(this.config, position);
  }

  /** PME belongs to the host: the capability must not promise it. */
  #hidePme(position: number): void {
    const clear = (at: number, bits: number) =>
      this.#view.setUint16(at, this.#view.getUint16(at, true) & ~bits, true);
    clear(position + PCI_PM_PMC, PCI_PM_CAP_PME_MASK);
    clear(position + PCI_PM_CTRL, PCI_PM_CTRL_PME_ENABLE | PCI_PM_CTRL_PME_STATUS);
  }

  #setHeader(position: number, keep: number, bits: number): void {
    const header = this.#view.getUint32(position, true);
    this.#view.setUint32(position, (header & keep) | bits, true);
  }
}
