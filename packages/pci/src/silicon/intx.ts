import {
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_INTERRUPT_PIN,
  PCI_STATUS,
  PCI_STATUS_INTERRUPT,
} from '../regs/index.js';
import type { ConfigSpace } from './config-space.js';

/**
 * The interrupt pin of a function: a level (PCI 3.0 2.2.6, 6.2.3).
 *
 * STATUS shows what the function wants; INTX_DISABLE, and MSI or MSI-X while enabled, keep it from the wire.
 */
export class IntxPin {
  #pending = false;
  #asserted = false;

  constructor(
    private readonly config: ConfigSpace,
    /** Message signalled interrupts are enabled, which forbids the pin. */
    private readonly messagesEnabled: () => boolean,
    /** Carries the wire's level away, whenever it changes. */
    private readonly wire: (asserted: boolean) => void,
  ) {}

  /** The function has something to say. */
  get pending(): boolean {
    return this.#pending;
  }

  /** The wire's level. */
  get asserted(): boolean {
    return this.#asserted;
  }

  assert(): void {
    this.#set(true);
  }

  deassert(): void {
    this.#set(false);
  }

  /** Something that keeps the pin from the wire may have changed. */
  update(): void {
    const disabled = (this.config.peek16(PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE) !== 0;
    const asserted = this.#pending && !disabled && !this.messagesEnabled();
    if (asserted === this.#asserted) return;
    this.#asserted = asserted;
    this.wire(asserted);
  }

  #set(pending: boolean): void {
    // A function without a pin has nothing to assert.
    this.#pending = pending && this.config.bytes[PCI_INTERRUPT_PIN] !== 0;
    const status = this.config.peek16(PCI_STATUS) & ~PCI_STATUS_INTERRUPT;
    this.config.poke16(PCI_STATUS, this.#pending ? status | PCI_STATUS_INTERRUPT : status);
    this.update();
  }
}
