import type { ConfigAccess } from '@vfiokit/pci';
import type { PermissionTable } from './permissions.js';

/**
 * How a chunk of configuration space is read (vfio_pci_config.c: struct perm_bits).
 *
 * `default` mixes hardware and virtual copy by the bits of the permission table; `direct` is the hardware with the
 * capability's header taken from the virtual copy; `raw` is the hardware; `virtual` is the copy.
 */
export type ReadRule = 'default' | 'direct' | 'raw' | 'virtual';

/** How it is written; `none` accepts and drops. */
export type WriteRule = 'default' | 'raw' | 'virtual' | 'none';

/** What happens beside the plain rule when certain registers are touched. Positions are absolute, sizes are 1, 2 or 4. */
export interface RegisterHook {
  /** Whether a chunk that lies in the dword at `position` is to pass through {@link read}; none if absent. */
  reads?(position: number): boolean;
  /** The chunk's value; `plain` does what is done without the hook. */
  read?(position: number, size: number, plain: ConfigAccess): number;
  /** Whether a chunk that lies in the dword at `position` is to pass through {@link write}; all of them if absent. */
  writes?(position: number): boolean;
  /** 0 or a negated errno; `plain` does what is done without the hook. */
  write?(position: number, size: number, value: number, plain: ConfigAccess): number;
}

/** Who answers for a byte of configuration space. */
export interface ConfigOwner {
  /** For people: `MSI`, `header`, `raw`. */
  readonly name: string;
  /** Where its registers start; offsets of the table count from here. */
  readonly start: number;
  readonly extended: boolean;
  readonly read: ReadRule;
  readonly write: WriteRule;
  readonly table?: PermissionTable;
  readonly hook?: RegisterHook;
}

/** A run of bytes with one owner. */
export interface OwnedRange {
  readonly from: number;
  /** The byte after the last. */
  readonly to: number;
  readonly owner: ConfigOwner;
}

/** A hook's `writes` for one register: whether the dword at `position` is the one that holds `register`. */
export function inDwordOf(register: number): (position: number) => boolean {
  return (position) => (position & ~3) === (register & ~3);
}
