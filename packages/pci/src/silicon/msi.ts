import {
  PCI_MSI_ADDRESS_HI,
  PCI_MSI_ADDRESS_LO,
  PCI_MSI_DATA_32,
  PCI_MSI_DATA_64,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_64BIT,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSI_FLAGS_MASKBIT,
  PCI_MSI_FLAGS_QMASK,
  PCI_MSI_FLAGS_QSIZE,
  PCI_MSI_MASK_32,
  PCI_MSI_MASK_64,
} from '../regs/index.js';
import type { ConfigSpace, RegisterEffect, RegisterWrite } from './config-space.js';

/** Puts an interrupt message on the bus: a dword written to an address. `vector` is only a hint of who sent it. */
export type MessageSender = (low: number, high: number, data: number, vector: number) => void;

/** What MSI and MSI-X need of their function. */
export interface MessageEffects {
  readonly send: MessageSender;
  /** The enable bit changed. */
  enableChanged(): void;
}

/** The MSI capability: up to 32 messages that differ in the low bits of their data (PCI 3.0 6.8.1). */
export class Msi implements RegisterEffect {
  /** How many vectors the function has: 1 to 32. */
  readonly capable: number;
  readonly maskable: boolean;
  readonly #data: number;
  readonly #mask: number;
  readonly #high: number;

  constructor(
    private readonly config: ConfigSpace,
    private readonly at: number,
    private readonly effects: MessageEffects,
  ) {
    const flags = config.peek16(at + PCI_MSI_FLAGS);
    const wide = (flags & PCI_MSI_FLAGS_64BIT) !== 0;
    this.capable = 1 << ((flags & PCI_MSI_FLAGS_QMASK) >>> 1);
    this.maskable = (flags & PCI_MSI_FLAGS_MASKBIT) !== 0;
    this.#high = wide ? at + PCI_MSI_ADDRESS_HI : 0;
    this.#data = at + (wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32);
    this.#mask = at + (wide ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32);
    config.attach(at, this);
    if (this.maskable) config.attach(this.#mask, { written: () => this.#flush() });
  }

  get enabled(): boolean {
    return (this.config.peek16(this.at + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_ENABLE) !== 0;
  }

  /** How many vectors software has granted. */
  get granted(): number {
    return 1 << ((this.config.peek16(this.at + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_QSIZE) >>> 4);
  }

  /**
   * Sends a vector's message, or makes it pending while it is masked; false if MSI is off. A function with more to say
   * than it was granted has to fold its vectors.
   */
  raise(vector: number): boolean {
    if (!this.enabled) return false;
    const folded = vector & (this.granted - 1);
    const bit = 1 << folded;
    if (this.maskable && (this.config.peek32(this.#mask) & bit) !== 0)
      this.#setPending(this.#pending() | bit);
    else this.#send(folded);
    return true;
  }

  written({ before, after }: RegisterWrite): void {
    const enable = PCI_MSI_FLAGS_ENABLE << 16;
    if (((before ^ after) & enable) === 0) return;
    this.effects.enableChanged();
    this.#flush();
  }

  #send(vector: number): void {
    const data = this.config.peek16(this.#data) & ~(this.granted - 1);
    this.effects.send(
      this.config.peek32(this.at + PCI_MSI_ADDRESS_LO),
      this.#high === 0 ? 0 : this.config.peek32(this.#high),
      data | vector,
      vector,
    );
  }

  /** Sends what became pending while masked. */
  #flush(): void {
    if (!this.maskable || !this.enabled) return;
    const ready = this.#pending() & ~this.config.peek32(this.#mask);
    if (ready === 0) return;
    this.#setPending(this.#pending() & ~ready);
    for (let vector = 0; vector < 32; vector += 1) if ((ready >>> vector) & 1) this.#send(vector);
  }

  #pending(): number {
    return this.config.peek32(this.#mask + 4);
  }

  #setPending(bits: number): void {
    this.config.poke32(this.#mask + 4, bits);
  }
}
