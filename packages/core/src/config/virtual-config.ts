import type { ConfigAccess } from '@vfiokit/pci';
import { EFAULT } from '@vfiokit/uapi';
import { alignedSize } from '../aligned-size.js';
import type { ConfigRegister } from '../extension.js';
import { getValue, putValue } from '../regions/user-buffer.js';
import type { OwnedRange } from './config-owner.js';
import { DwordMasks } from './dword-masks.js';
import { interceptsRead, interceptsWrite, OwnerRules } from './owner-rules.js';

/** What a {@link VirtualConfig} stands between. */
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
/** All of it is one register of a derived driver. */
const REGISTER = 3;

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
  readonly #virt: Uint32Array;
  readonly #write: Uint32Array;
  readonly #readKind: Uint8Array;
  readonly #writeKind: Uint8Array;
  readonly #rules: OwnerRules;
  readonly #ownerOf: Uint8Array | Uint16Array;
  readonly #registers: readonly ConfigRegister[];
  /** 1 + index of the register in front of a byte, 0 where there is none. */
  readonly #registerOf: Uint8Array;
  /** What the core would do in each register's place. */
  readonly #next: readonly ConfigAccess[];

  constructor({ config, vconfig, ranges, registers = [] }: VirtualConfigOptions) {
    const { size } = config;
    this.size = size;
    this.#config = config;
    this.#view = new DataView(vconfig.buffer, vconfig.byteOffset, vconfig.length);
    this.#ownerOf = ranges.length <= 0x100 ? new Uint8Array(size) : new Uint16Array(size);
    for (const [index, { from, to }] of ranges.entries()) this.#ownerOf.fill(index, from, to);
    const masks = new DwordMasks(size, ranges);
    this.#virt = masks.virt;
    this.#write = masks.write;
    this.#rules = new OwnerRules({
      config,
      view: this.#view,
      masks,
      owners: ranges.map(({ owner }) => owner),
      ownerOf: this.#ownerOf,
    });
    this.#registers = registers;
    this.#registerOf =
      registers.length === 0 ? NO_REGISTERS.subarray(0, size) : new Uint8Array(size);
    this.#next = registers.map((register) => this.#behind(register));
    for (const [index, { offset, length }] of registers.entries())
      this.#registerOf.fill(index + 1, offset, offset + length);
    this.#readKind = new Uint8Array(size / 4);
    this.#writeKind = new Uint8Array(size / 4);
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
      return this.#readElsewhere(position, size);
    if (size !== 4) return this.#rules.readDefault(position, size);
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
    if (this.#writeKind[dword] !== PLAIN || (position & (size - 1)) !== 0)
      return this.#writeElsewhere(position, size, value);
    if (size !== 4) return this.#rules.writeDefault(position, size, value);
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
      putValue(into, done, size, value);
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
      const error = this.#writeChunk(position + done, size, getValue(from, done, size));
      if (error < 0) return error;
      done += size;
    }
    return count;
  }

  /** Whether the chunk at the start of a write would look at the user's data at all; what is dropped is not even copied. */
  copiesForWrite(position: number): boolean {
    if (position >= this.size) return false;
    return this.#registerOf[position] !== 0 || this.#rules.owner(position).write !== 'none';
  }

  /** Who answers for a byte, and which of its bits are virtual and writable. */
  describe(position: number): ConfigByte {
    const register = this.#registers[this.#registerOf[position]! - 1];
    const owner = this.#rules.owner(position);
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

  /** What is not plain: apart, so that {@link read} stays small enough to be inlined where it is called. */
  #readElsewhere(position: number, size: number): number {
    return this.#readKind[position >>> 2] === REGISTER && (position & (size - 1)) === 0
      ? this.#readChunk(position, size)
      : this.#readChunks(position, size);
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

  #writeElsewhere(position: number, size: number, value: number): number {
    const kind = this.#writeKind[position >>> 2];
    if ((position & (size - 1)) === 0) {
      if (kind === RAW) return this.#config.write(position, size, value);
      if (kind === REGISTER) return this.#writeChunk(position, size, value);
    }
    return this.#writeChunks(position, size, value);
  }

  #writeChunks(position: number, size: number, value: number): number {
    if (position + size > this.size) return -EFAULT;
    for (let done = 0; done < size; ) {
      const piece = this.#chunkSize(position + done, size - done);
      const part = Math.floor((value >>> 0) / 2 ** (8 * done)) % 2 ** (8 * piece);
      const error = this.#writeChunk(position + done, piece, part);
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
    return alignedSize(position, same - position);
  }

  #readChunk(position: number, size: number): number {
    const register = this.#registerOf[position]!;
    if (register === 0) return this.#rules.read(position, size);
    return this.#registers[register - 1]!.read(position, size, this.#next[register - 1]!);
  }

  #writeChunk(position: number, size: number, value: number): number {
    const register = this.#registerOf[position]!;
    if (register === 0) return this.#rules.write(position, size, value);
    return this.#registers[register - 1]!.write(position, size, value, this.#next[register - 1]!);
  }

  /** The core's own answer for bytes that a register stands in front of. */
  #behind({ offset, length }: ConfigRegister): ConfigAccess {
    const inside = (position: number, size: number) =>
      position >= offset && position + size <= offset + length;
    return {
      size: this.size,
      read: (position, size) =>
        inside(position, size) ? this.#rules.read(position, size) : -EFAULT,
      write: (position, size, value) =>
        inside(position, size) ? this.#rules.write(position, size, value) : -EFAULT,
    };
  }

  #chooseKinds({ owner, from, to }: OwnedRange): void {
    const { hook } = owner;
    const headerEnd = owner.read === 'direct' ? owner.start + (owner.extended ? 4 : 2) : 0;
    const write = owner.write === 'raw' ? RAW : PLAIN;
    for (let dword = from >>> 2; dword << 2 < to; dword += 1) {
      const at = dword << 2;
      const registers = at >= from && at + 4 <= to ? this.#registersIn(at) : 'some';
      const readHook = hook !== undefined && interceptsRead(hook, at);
      const writeHook = hook !== undefined && interceptsWrite(hook, at);
      const direct = registers === 'none';
      const elsewhere = registers === 'one' ? REGISTER : CHUNKED;
      this.#readKind[dword] = direct && !readHook && at >= headerEnd ? PLAIN : elsewhere;
      this.#writeKind[dword] = direct && !writeHook ? write : elsewhere;
    }
  }

  /** Whether registers of a derived driver stand in front of a dword: none, one before all of it, or something else. */
  #registersIn(at: number): 'none' | 'one' | 'some' {
    const first = this.#registerOf[at];
    for (let i = 1; i < 4; i += 1) if (this.#registerOf[at + i] !== first) return 'some';
    return first === 0 ? 'none' : 'one';
  }
}

/** Shared by all devices without registers of a derived driver; never written. */
const NO_REGISTERS = new Uint8Array(4096);
