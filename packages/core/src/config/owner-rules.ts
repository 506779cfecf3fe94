import type { ConfigAccess } from '@vfiokit/pci';
import type { ConfigOwner, RegisterHook } from './config-owner.js';
import type { DwordMasks } from './dword-masks.js';

const MASK: Readonly<Record<number, number>> = { 1: 0xff, 2: 0xffff, 4: 0xffffffff };

/** What the rules work on. */
export interface OwnerRulesOptions {
  /** The hardware. */
  readonly config: ConfigAccess;
  /** The virtual copy. */
  readonly view: DataView;
  readonly masks: DwordMasks;
  readonly owners: readonly ConfigOwner[];
  /** The index of a byte's owner. */
  readonly ownerOf: Uint8Array | Uint16Array;
}

/**
 * The core's own answers to accesses that lie in one dword and touch one owner: by the owner's rules and the masks,
 * through the owner's hook where it has one for the dword.
 */
export class OwnerRules implements ConfigAccess {
  readonly size: number;
  readonly #config: ConfigAccess;
  readonly #view: DataView;
  readonly #virt: Uint32Array;
  readonly #write: Uint32Array;
  readonly #owners: readonly ConfigOwner[];
  readonly #ownerOf: Uint8Array | Uint16Array;
  /** The same rules without the hooks, for the hooks. */
  readonly #plain: ConfigAccess;

  constructor({ config, view, masks, owners, ownerOf }: OwnerRulesOptions) {
    this.size = config.size;
    this.#config = config;
    this.#view = view;
    this.#virt = masks.virt;
    this.#write = masks.write;
    this.#owners = owners;
    this.#ownerOf = ownerOf;
    this.#plain = {
      size: config.size,
      read: (position, size) => this.#readPlain(position, size),
      write: (position, size, value) => this.#writePlain(position, size, value),
    };
  }

  /** Who owns a byte. */
  owner(position: number): ConfigOwner {
    return this.#owners[this.#ownerOf[position]!]!;
  }

  read(position: number, size: number): number {
    const { hook } = this.owner(position);
    return hook?.read !== undefined && interceptsRead(hook, position)
      ? hook.read(position, size, this.#plain)
      : this.#readPlain(position, size);
  }

  write(position: number, size: number, value: number): number {
    const { hook } = this.owner(position);
    return hook?.write !== undefined && interceptsWrite(hook, position)
      ? hook.write(position, size, value, this.#plain)
      : this.#writePlain(position, size, value);
  }

  /** The default rule: hardware and virtual copy, mixed by the masks (vfio_pci_config.c: vfio_default_config_read). */
  readDefault(position: number, size: number): number {
    const shift = 8 * (position & 3);
    const mask = MASK[size]!;
    const virt = ((this.#virt[position >>> 2]! >>> shift) & mask) >>> 0;
    const copy = this.#copy(position, size);
    if (virt === mask) return copy;
    const hardware = this.#config.read(position, size);
    return hardware < 0 ? hardware : ((hardware & ~virt) | (copy & virt)) >>> 0;
  }

  /** The default rule (vfio_pci_config.c: vfio_default_config_write); a read-modify-write where hardware bits are writable. */
  writeDefault(position: number, size: number, value: number): number {
    const shift = 8 * (position & 3);
    const mask = MASK[size]!;
    const write = (this.#write[position >>> 2]! >>> shift) & mask;
    if (write === 0) return 0;
    const virt = (this.#virt[position >>> 2]! >>> shift) & mask;
    const toCopy = write & virt;
    if (toCopy !== 0) {
      const at = position & ~3;
      const copy = this.#view.getUint32(at, true);
      this.#view.setUint32(at, (copy & ~(toCopy << shift)) | ((value & toCopy) << shift), true);
    }
    const toHardware = write & ~virt;
    if (toHardware === 0) return 0;
    const old = this.#config.read(position, size);
    if (old < 0) return old;
    const mixed = (((old & ~toHardware) | (value & toHardware)) & mask) >>> 0;
    return this.#config.write(position, size, mixed);
  }

  #readPlain(position: number, size: number): number {
    const owner = this.owner(position);
    return owner.read === 'direct'
      ? this.#readDirect(owner, position, size)
      : this.readDefault(position, size);
  }

  #writePlain(position: number, size: number, value: number): number {
    return this.owner(position).write === 'raw'
      ? this.#config.write(position, size, value)
      : this.writeDefault(position, size, value);
  }

  /** Hardware, with the list's links from the virtual copy (vfio_pci_config.c: vfio_direct_config_read). */
  #readDirect({ start, extended }: ConfigOwner, position: number, size: number): number {
    const hardware = this.#config.read(position, size);
    if (hardware < 0) return hardware;
    const offset = position - start;
    const copy = this.#copy(position, size);
    if (extended) return offset < 4 ? copy : hardware;
    if (offset === 0 && size > 1) return ((hardware & ~0xffff) | (copy & 0xffff)) >>> 0;
    return offset === 1 ? copy : hardware;
  }

  #copy(position: number, size: number): number {
    const dword = this.#view.getUint32(position & ~3, true);
    return ((dword >>> (8 * (position & 3))) & MASK[size]!) >>> 0;
  }
}

/** Whether reads of the dword that a position lies in go through a hook. */
export function interceptsRead(hook: RegisterHook, position: number): boolean {
  return hook.reads?.(position & ~3) ?? false;
}

/** Whether writes to the dword that a position lies in go through a hook. */
export function interceptsWrite(hook: RegisterHook, position: number): boolean {
  return hook.write !== undefined && (hook.writes?.(position & ~3) ?? true);
}
