import type { ConfigAccess } from '@vfiokit/pci';
import { EFAULT } from '@vfiokit/uapi';
import type { ConfigOwner, OwnedRange, RegisterHook } from './config-owner.js';

/** Configuration bytes that a derived driver answers for in the core's place, see {@link VirtualConfigOptions.registers}. */
export interface ConfigRegister {
  /** For people: who owns these bytes and why. */
  readonly name: string;
  /** The first byte, absolute. */
  readonly offset: number;
  readonly length: number;
  /** A naturally aligned piece that lies inside the register; `next` is what the core would do. A value or a negated errno. */
  read(offset: number, size: number, next: ConfigAccess): number;
  /** 0 or a negated errno. */
  write(offset: number, size: number, value: number, next: ConfigAccess): number;
}

export interface VirtualConfigOptions {
  /** The hardware. */
  readonly config: ConfigAccess;
  /** The virtual copy, one byte a byte; it stays the caller's and is changed in place. */
  readonly vconfig: Uint8Array;
  /** Who owns which bytes; together they cover the whole space. */
  readonly ranges: readonly OwnedRange[];
  /** What derived drivers answer for; a later one stands in front of an earlier one. */
  readonly registers?: readonly ConfigRegister[];
}

/** Where a byte's bits come from and go to, for those who want to look. */
export interface ConfigByte {
  readonly owner: string;
  /** The register's name, where the permission table has one. */
  readonly register: string | undefined;
  /** Bits that the virtual copy answers. */
  readonly virtual: number;
  /** Bits that a user may write. */
  readonly writable: number;
}

/** How the accesses to one dword are served. */
const PLAIN = 0;
const RAW = 1;
const CHUNKED = 2;

const MASK: Readonly<Record<number, number>> = { 1: 0xff, 2: 0xffff, 4: 0xffffffff };

/**
 * A function's configuration space as the user of a VFIO device sees it (vfio_pci_config.c: vfio_config_do_rw).
 *
 * Every dword's masks are laid out when the device opens. An access to a dword that one owner serves by the default
 * rule is a masked load or store; everything else is cut into chunks that lie in one dword and have one owner.
 */
export class VirtualConfig implements ConfigAccess {
  readonly size: number;
  readonly #config: ConfigAccess;
  readonly #view: DataView;
  readonly #owners: readonly ConfigOwner[];
  readonly #ownerOf: Uint8Array | Uint16Array;
  /** Masks by dword, bit 0 being bit 0 of its first byte. */
  readonly #virt: Uint32Array;
  readonly #write: Uint32Array;
  readonly #readKind: Uint8Array;
  readonly #writeKind: Uint8Array;
  readonly #registers: readonly ConfigRegister[];
  /** 1 + index of the register in front of a byte, 0 where there is none. */
  readonly #registerOf: Uint8Array;
  readonly #next: readonly ConfigAccess[];
  /** The owners' rules without their hooks. */
  readonly #plain: ConfigAccess;

  constructor({ config, vconfig, ranges, registers = [] }: VirtualConfigOptions) {
    const { size } = config;
    this.size = size;
    this.#config = config;
    this.#view = new DataView(vconfig.buffer, vconfig.byteOffset, vconfig.length);
    this.#owners = ranges.map(({ owner }) => owner);
    this.#plain = {
      size,
      read: (position, bytes) => this.#readRule(position, bytes),
      write: (position, bytes, value) => this.#writeRule(position, bytes, value),
    };
    this.#ownerOf = ranges.length <= 0x100 ? new Uint8Array(size) : new Uint16Array(size);
    this.#virt = new Uint32Array(size / 4);
    this.#write = new Uint32Array(size / 4);
    this.#readKind = new Uint8Array(size / 4);
    this.#writeKind = new Uint8Array(size / 4);
    this.#registers = registers;
    this.#registerOf =
      registers.length === 0 ? NO_REGISTERS.subarray(0, size) : new Uint8Array(size);
    this.#next = registers.map((register) => this.#behind(register));
    registers.forEach(({ offset, length }, index) => {
      this.#registerOf.fill(index + 1, offset, offset + length);
    });
    ranges.forEach((range, index) => {
      this.#ownerOf.fill(index, range.from, range.to);
      this.#layMasks(range);
    });
    for (const range of ranges) this.#chooseKinds(range);
  }

  /**
   * Reads a naturally aligned value: the access path.
   *
   * @returns the value, or a negated errno: `-EFAULT` past the end, what the hardware access failed with.
   */
  read(position: number, size: number): number {
    const dword = position >>> 2;
    if (this.#readKind[dword] !== PLAIN || (position & (size - 1)) !== 0)
      return this.#readChunks(position, size);
    if (size !== 4) return this.#readPart(position, size);
    const virt = this.#virt[dword]!;
    if (virt === 0) return this.#config.read(position, 4);
    const copy = this.#view.getUint32(position, true);
    if (virt === 0xffffffff) return copy;
    const hardware = this.#config.read(position, 4);
    return hardware < 0 ? hardware : ((hardware & ~virt) | (copy & virt)) >>> 0;
  }

  /** Writes a naturally aligned value; 0 or a negated errno as for {@link read}. */
  write(position: number, size: number, value: number): number {
    const dword = position >>> 2;
    const kind = this.#writeKind[dword];
    if (kind === CHUNKED || kind === undefined || (position & (size - 1)) !== 0)
      return this.#writeChunks(position, size, value);
    if (kind === RAW) return this.#config.write(position, size, value);
    if (size !== 4) return this.#writePart(position, size, value);
    const write = this.#write[dword]!;
    if (write === 0) return 0;
    const virt = this.#virt[dword]!;
    const toCopy = write & virt;
    if (toCopy !== 0) {
      const copy = this.#view.getUint32(position, true);
      this.#view.setUint32(position, (copy & ~toCopy) | (value & toCopy), true);
    }
    const toHardware = write & ~virt;
    if (toHardware === 0) return 0;
    const old = this.#config.read(position, 4);
    if (old < 0) return old;
    return this.#config.write(position, 4, ((old & ~toHardware) | (value & toHardware)) >>> 0);
  }

  /** Reads any range into a buffer; the number of bytes or a negated errno. */
  readBytes(into: Uint8Array, position: number): number {
    const count = into.length;
    if (position + count > this.size) return -EFAULT;
    for (let done = 0; done < count; ) {
      const size = this.#chunkSize(position + done, count - done);
      const value = this.#readChunk(position + done, size);
      if (value < 0) return value;
      for (let i = 0; i < size; i += 1) into[done + i] = value >>> (8 * i);
      done += size;
    }
    return count;
  }

  /** Writes a buffer to any range; the number of bytes or a negated errno. What came before a failing chunk has happened. */
  writeBytes(from: Uint8Array, position: number): number {
    const count = from.length;
    if (position + count > this.size) return -EFAULT;
    for (let done = 0; done < count; ) {
      const size = this.#chunkSize(position + done, count - done);
      let value = 0;
      for (let i = size - 1; i >= 0; i -= 1) value = value * 0x100 + from[done + i]!;
      const error = this.#writeChunk(position + done, size, value);
      if (error < 0) return error;
      done += size;
    }
    return count;
  }

  /** Whether the chunk at the start of a write would look at the user's data at all; what is dropped is not even copied. */
  copiesForWrite(position: number): boolean {
    if (position >= this.size) return false;
    return (
      this.#registerOf[position] !== 0 || this.#owners[this.#ownerOf[position]!]!.write !== 'none'
    );
  }

  /** Who answers for a byte, and which of its bits are virtual and writable. */
  describe(position: number): ConfigByte {
    const register = this.#registers[this.#registerOf[position]! - 1];
    const owner = this.#owners[this.#ownerOf[position]!]!;
    const offset = position - owner.start;
    const permission = owner.table?.find(
      (row) => offset >= row.offset && offset < row.offset + row.size,
    );
    const shift = 8 * (position & 3);
    return {
      owner: register?.name ?? owner.name,
      register: permission?.name,
      virtual: (this.#virt[position >>> 2]! >>> shift) & 0xff,
      writable: (this.#write[position >>> 2]! >>> shift) & 0xff,
    };
  }

  #readPart(position: number, size: number): number {
    const shift = 8 * (position & 3);
    const mask = MASK[size]!;
    const virt = ((this.#virt[position >>> 2]! >>> shift) & mask) >>> 0;
    const copy = ((this.#view.getUint32(position & ~3, true) >>> shift) & mask) >>> 0;
    if (virt === mask) return copy;
    const hardware = this.#config.read(position, size);
    return hardware < 0 ? hardware : ((hardware & ~virt) | (copy & virt)) >>> 0;
  }

  /** The default rule (vfio_pci_config.c: vfio_default_config_write); a read-modify-write where hardware bits are writable. */
  #writePart(position: number, size: number, value: number): number {
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
    return this.#config.write(
      position,
      size,
      (((old & ~toHardware) | (value & toHardware)) & mask) >>> 0,
    );
  }

  #readChunks(position: number, size: number): number {
    if (position + size > this.size) return -EFAULT;
    let value = 0;
    for (let done = 0; done < size; ) {
      const piece = this.#chunkSize(position + done, size - done);
      const part = this.#readChunk(position + done, piece);
      if (part < 0) return part;
      value += part * 2 ** (8 * done);
      done += piece;
    }
    return value;
  }

  #writeChunks(position: number, size: number, value: number): number {
    if (position + size > this.size) return -EFAULT;
    for (let done = 0; done < size; ) {
      const piece = this.#chunkSize(position + done, size - done);
      const error = this.#writeChunk(
        position + done,
        piece,
        ((value >>> (8 * done)) & MASK[piece]!) >>> 0,
      );
      if (error < 0) return error;
      done += piece;
    }
    return 0;
  }

  /** The largest aligned piece that stays in its dword and with its owner. */
  #chunkSize(position: number, count: number): number {
    const owner = this.#ownerOf[position];
    const register = this.#registerOf[position];
    const end = Math.min(position + count, (position | 3) + 1);
    let same = position + 1;
    while (same < end && this.#ownerOf[same] === owner && this.#registerOf[same] === register)
      same += 1;
    const left = same - position;
    if (left >= 4 && position % 4 === 0) return 4;
    return left >= 2 && position % 2 === 0 ? 2 : 1;
  }

  #readChunk(position: number, size: number): number {
    const register = this.#registerOf[position]!;
    if (register === 0) return this.#readOwned(position, size);
    return this.#registers[register - 1]!.read(position, size, this.#next[register - 1]!);
  }

  #writeChunk(position: number, size: number, value: number): number {
    const register = this.#registerOf[position]!;
    if (register === 0) return this.#writeOwned(position, size, value);
    return this.#registers[register - 1]!.write(position, size, value, this.#next[register - 1]!);
  }

  /** The core's own answer for bytes that a register stands in front of. */
  #behind({ offset, length }: ConfigRegister): ConfigAccess {
    const inside = (position: number, size: number) =>
      position >= offset && position + size <= offset + length;
    return {
      size: this.size,
      read: (position, size) =>
        inside(position, size) ? this.#readOwned(position, size) : -EFAULT,
      write: (position, size, value) =>
        inside(position, size) ? this.#writeOwned(position, size, value) : -EFAULT,
    };
  }

  #readOwned(position: number, size: number): number {
    const { hook } = this.#owners[this.#ownerOf[position]!]!;
    return hook?.read !== undefined && intercepts(hook.reads, hook, position)
      ? hook.read(position, size, this.#plain)
      : this.#plain.read(position, size);
  }

  #writeOwned(position: number, size: number, value: number): number {
    const { hook } = this.#owners[this.#ownerOf[position]!]!;
    return hook?.write !== undefined && intercepts(hook.writes, hook, position)
      ? hook.write(position, size, value, this.#plain)
      : this.#plain.write(position, size, value);
  }

  #readRule(position: number, size: number): number {
    const owner = this.#owners[this.#ownerOf[position]!]!;
    return owner.read === 'direct'
      ? this.#readDirect(owner, position, size)
      : this.#readPart(position, size);
  }

  #writeRule(position: number, size: number, value: number): number {
    return this.#owners[this.#ownerOf[position]!]!.write === 'raw'
      ? this.#config.write(position, size, value)
      : this.#writePart(position, size, value);
  }

  /** Hardware, with the list's links from the virtual copy (vfio_pci_config.c: vfio_direct_config_read). */
  #readDirect(owner: ConfigOwner, position: number, size: number): number {
    const hardware = this.#config.read(position, size);
    if (hardware < 0) return hardware;
    const offset = position - owner.start;
    const shift = 8 * (position & 3);
    const copy = ((this.#view.getUint32(position & ~3, true) >>> shift) & MASK[size]!) >>> 0;
    if (owner.extended) return offset < 4 ? copy : hardware;
    if (offset === 0 && size > 1) return ((hardware & ~0xffff) | (copy & 0xffff)) >>> 0;
    return offset === 1 ? copy : hardware;
  }

  #layMasks({ owner, from, to }: OwnedRange): void {
    const all = owner.read === 'virtual' ? 0xff : 0;
    const open = owner.write === 'raw' || owner.write === 'virtual' ? 0xff : 0;
    if (all !== 0) setBytes(this.#virt, from, to, all);
    if (open !== 0) setBytes(this.#write, from, to, open);
    for (const { offset, size, virt, write } of owner.table ?? []) {
      for (let i = 0; i < size; i += 1) {
        const at = owner.start + offset + i;
        if (at < from || at >= to) continue;
        setBytes(this.#virt, at, at + 1, (virt >>> (8 * i)) & 0xff);
        setBytes(this.#write, at, at + 1, (write >>> (8 * i)) & 0xff);
      }
    }
  }

  #chooseKinds({ owner, from, to }: OwnedRange): void {
    const { hook } = owner;
    const headerEnd = owner.read === 'direct' ? owner.start + (owner.extended ? 4 : 2) : 0;
    const write = owner.write === 'raw' ? RAW : PLAIN;
    for (let dword = from >>> 2; dword << 2 < to; dword += 1) {
      const at = dword << 2;
      const readHook = hook?.read !== undefined && intercepts(hook.reads, hook, at);
      const writeHook = hook?.write !== undefined && intercepts(hook.writes, hook, at);
      const whole = at >= from && at + 4 <= to && !this.#hasRegister(at);
      this.#readKind[dword] = whole && !readHook && at >= headerEnd ? PLAIN : CHUNKED;
      this.#writeKind[dword] = whole && !writeHook ? write : CHUNKED;
    }
  }

  #hasRegister(at: number): boolean {
    for (let i = 0; i < 4; i += 1) if (this.#registerOf[at + i] !== 0) return true;
    return false;
  }
}

/** Shared by all devices without registers of a derived driver; never written. */
const NO_REGISTERS = new Uint8Array(4096);

function setBytes(masks: Uint32Array, from: number, to: number, byte: number): void {
  for (let at = from; at < to; ) {
    if ((at & 3) === 0 && to - at >= 4) {
      const end = to >>> 2;
      masks.fill(byte * 0x01010101, at >>> 2, end);
      at = end << 2;
    } else {
      const shift = 8 * (at & 3);
      masks[at >>> 2] = (masks[at >>> 2]! & ~(0xff << shift)) | (byte << shift);
      at += 1;
    }
  }
}

function intercepts(
  covers: ((position: number) => boolean) | undefined,
  hook: RegisterHook,
  position: number,
): boolean {
  return covers === undefined || covers.call(hook, position & ~3);
}
