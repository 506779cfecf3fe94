import {
  PCI_MSIX_ENTRY_CTRL_MASKBIT,
  PCI_MSIX_ENTRY_SIZE,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_MSIX_FLAGS_MASKALL,
  PCI_MSIX_FLAGS_QSIZE,
  PCI_MSIX_PBA,
  PCI_MSIX_TABLE,
  PCI_MSIX_TABLE_BIR,
} from '../regs/index.js';
import type { ConfigSpace, RegisterEffect, RegisterWrite } from './config-space.js';
import type { MessageEffects } from './msi.js';
import { MemoryBlock, type RegisterBlock } from './register-block.js';

/** Where a structure of MSI-X lies. */
export interface MsixWindow {
  /** The BAR, 0 to 5. */
  readonly bar: number;
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** The MSI-X capability, with its table of messages and its pending bits in a BAR (PCI 3.0 6.8.2). */
export class Msix implements RegisterEffect {
  /** How many vectors there are: 1 to 2048. */
  readonly vectors: number;
  readonly table: MsixWindow;
  readonly pba: MsixWindow;
  /** The table as a device sees it: 16 bytes a vector. */
  readonly tableBlock: RegisterBlock;
  /** One bit a vector, in units of 8 bytes; read-only. */
  readonly pbaBlock: RegisterBlock;
  readonly #entries: DataView;
  readonly #pending: MemoryBlock;

  constructor(
    private readonly config: ConfigSpace,
    private readonly at: number,
    private readonly effects: MessageEffects,
  ) {
    this.vectors = (config.peek16(at + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE) + 1;
    this.table = this.#window(PCI_MSIX_TABLE, this.vectors * PCI_MSIX_ENTRY_SIZE);
    this.pba = this.#window(PCI_MSIX_PBA, Math.ceil(this.vectors / 64) * 8);
    const entries = new MemoryBlock(new Uint8Array(this.table.size));
    this.#entries = new DataView(entries.memory!.buffer);
    this.#pending = new MemoryBlock(new Uint8Array(this.pba.size));
    this.tableBlock = {
      read: (offset, size) => entries.read(offset, size),
      write: (offset, size, value) => {
        entries.write(offset, size, value);
        this.#flush(Math.floor(offset / PCI_MSIX_ENTRY_SIZE));
      },
    };
    this.pbaBlock = { read: (offset, size) => this.#pending.read(offset, size), write: () => {} };
    this.reset();
    config.attach(at, this);
  }

  get enabled(): boolean {
    return (this.config.peek16(this.at + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_ENABLE) !== 0;
  }

  /** Sends a vector's message, or makes it pending while it is masked; false if MSI-X is off or has no such vector. */
  raise(vector: number): boolean {
    if (!this.enabled || vector < 0 || vector >= this.vectors) return false;
    if (this.#functionMasked || this.#masked(vector)) this.#setPending(vector, true);
    else this.#send(vector);
    return true;
  }

  written({ before, after }: RegisterWrite): void {
    if (((before ^ after) & (PCI_MSIX_FLAGS_ENABLE << 16)) !== 0) this.effects.enableChanged();
    if (before === after) return;
    for (let vector = 0; vector < this.vectors; vector += 1) this.#flush(vector);
  }

  /** Every vector masked, nothing pending. */
  reset(): void {
    for (let vector = 0; vector < this.vectors; vector += 1) {
      for (let word = 0; word < 12; word += 4)
        this.#entries.setUint32(vector * PCI_MSIX_ENTRY_SIZE + word, 0, true);
      this.#entries.setUint32(vector * PCI_MSIX_ENTRY_SIZE + 12, PCI_MSIX_ENTRY_CTRL_MASKBIT, true);
    }
    this.#pending.memory?.fill(0);
  }

  get #functionMasked(): boolean {
    return (this.config.peek16(this.at + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_MASKALL) !== 0;
  }

  #masked(vector: number): boolean {
    const control = this.#entries.getUint32(vector * PCI_MSIX_ENTRY_SIZE + 12, true);
    return (control & PCI_MSIX_ENTRY_CTRL_MASKBIT) !== 0;
  }

  /** Sends what became pending while masked. */
  #flush(vector: number): void {
    if (!this.enabled || this.#functionMasked || this.#masked(vector)) return;
    if (!this.#isPending(vector)) return;
    this.#setPending(vector, false);
    this.#send(vector);
  }

  #send(vector: number): void {
    const at = vector * PCI_MSIX_ENTRY_SIZE;
    this.effects.send(
      this.#entries.getUint32(at, true),
      this.#entries.getUint32(at + 4, true),
      this.#entries.getUint32(at + 8, true),
      vector,
    );
  }

  #isPending(vector: number): boolean {
    return ((this.#pending.read(vector >>> 3, 1) >>> (vector & 7)) & 1) !== 0;
  }

  #setPending(vector: number, pending: boolean): void {
    const bits = this.#pending.read(vector >>> 3, 1);
    const bit = 1 << (vector & 7);
    this.#pending.write(vector >>> 3, 1, pending ? bits | bit : bits & ~bit);
  }

  #window(register: number, size: number): MsixWindow {
    const value = this.config.peek32(this.at + register);
    return { bar: value & PCI_MSIX_TABLE_BIR, offset: (value & ~PCI_MSIX_TABLE_BIR) >>> 0, size };
  }
}

/** Lays MSI-X structures over what else a BAR holds. */
export class MsixOverlay implements RegisterBlock {
  constructor(
    private readonly below: RegisterBlock,
    private readonly window: MsixWindow,
    private readonly block: RegisterBlock,
  ) {}

  read(offset: number, size: 1 | 2 | 4): number {
    const at = offset - this.window.offset;
    return at >= 0 && at < this.window.size
      ? this.block.read(at, size)
      : this.below.read(offset, size);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): void {
    const at = offset - this.window.offset;
    if (at >= 0 && at < this.window.size) this.block.write(at, size, value);
    else this.below.write(offset, size, value);
  }

  reset(): void {
    this.below.reset?.();
  }
}
