import { EBUSY, EINVAL, ENOSPC, ERANGE } from '@vfiokit/uapi';
import { PCI_D0 } from '../regs/index.js';
import { MsiRegisters } from './msi-registers.js';
import { MsixRegisters } from './msix-registers.js';
import type { PciDevice } from './pci-device.js';

/** What a function writes, and where, to interrupt the host. */
export interface InterruptMessage {
  /** The address's lower and upper 32 bits. */
  readonly low: number;
  readonly high: number;
  readonly data: number;
}

export type VectorKind = 'msi' | 'msix';

/** An allocated vector. */
export interface IrqVector {
  readonly message: InterruptMessage;
  handler: (() => void) | undefined;
  masked: boolean;
}

/** The registers of one mechanism. The vectors are by number, with holes where none is allocated. */
export interface VectorRegisters {
  /** How many vectors the function has. */
  readonly capacity: number;
  enable(vectors: readonly (IrqVector | undefined)[]): void;
  disable(vectors: readonly (IrqVector | undefined)[]): void;
  /** Writes everything again, after a reset or D3. */
  restore(vectors: readonly (IrqVector | undefined)[]): void;
  /** A vector was masked or unmasked. */
  setMasked(index: number, vectors: readonly (IrqVector | undefined)[]): void;
}

/** Where x86 takes interrupt messages. */
const LOCAL_APIC = 0xfee00000;

/**
 * The host's allocator of message signalled interrupts for one function: how many there are, what their messages are,
 * and whom they reach (drivers/pci/msi).
 */
export class IrqVectors {
  readonly #msi: MsiRegisters | undefined;
  readonly #msix: MsixRegisters | undefined;
  #kind: VectorKind | undefined;
  #vectors: (IrqVector | undefined)[] = [];

  constructor(
    private readonly device: PciDevice,
    /** Where the capabilities are; 0 for one that the function does not have. */
    at: { readonly msi: number; readonly msix: number },
  ) {
    this.#msi = at.msi === 0 ? undefined : new MsiRegisters(device, at.msi);
    this.#msix = at.msix === 0 ? undefined : new MsixRegisters(device, at.msix);
  }

  /** The mechanism that is enabled. */
  get kind(): VectorKind | undefined {
    return this.#kind;
  }

  /**
   * Allocates up to `wanted` vectors and enables the mechanism; how many there are, or a negated errno: `-EINVAL` outside
   * D0, without the capability, or while one is enabled; `-ERANGE` for none; `-ENOSPC`; the platform's own
   * (pci_alloc_irq_vectors with a minimum of 1).
   */
  alloc(kind: VectorKind, wanted: number): number {
    // MSI-X looks at the count before anything else, MSI after.
    if (kind === 'msix' && wanted < 1) return -ERANGE;
    const { device } = this;
    const registers = kind === 'msi' ? this.#msi : this.#msix;
    const isAwake = device.currentState === PCI_D0;
    if (this.#kind !== undefined || !isAwake || registers === undefined) return -EINVAL;
    if (wanted < 1) return -ERANGE;
    const asked = Math.min(wanted, registers.capacity);
    const granted = device.platform.vectorsAvailable?.(device, kind, asked) ?? asked;
    if (granted < 0) return granted;
    if (granted === 0) return -ENOSPC;
    const count = Math.min(granted, asked);
    this.#kind = kind;
    this.#vectors = Array.from({ length: count }, (_, index) => this.#vector(kind, index));
    registers.enable(this.#vectors);
    return count;
  }

  /** Disables the mechanism, gives INTx back and forgets every vector (pci_free_irq_vectors). */
  free(): void {
    const registers = this.#registers;
    if (registers === undefined) return;
    registers.disable(this.#vectors);
    this.#kind = undefined;
    this.#vectors = [];
  }

  allocated(index: number): boolean {
    return this.#vectors[index] !== undefined;
  }

  /** Adds one MSI-X vector while MSI-X is enabled (pci_msix_alloc_irq_at); 0, `-EINVAL`, `-ENOSPC`, the platform's. */
  allocAt(index: number): number {
    const { device } = this;
    const registers = this.#kind === 'msix' ? this.#msix : undefined;
    if (registers === undefined || !device.msixDynamic || this.allocated(index)) return -EINVAL;
    if (index < 0 || index >= registers.capacity) return -EINVAL;
    const granted = device.platform.vectorsAvailable?.(device, 'msix', 1) ?? 1;
    if (granted < 1) return granted < 0 ? granted : -ENOSPC;
    const vector = this.#vector('msix', index);
    this.#vectors[index] = vector;
    registers.writeEntry(index, vector);
    return 0;
  }

  /** Gives a vector a handler and unmasks it (request_irq); 0, `-EINVAL` for no such vector, `-EBUSY` for one in use. */
  connect(index: number, handler: () => void): number {
    const vector = this.#vectors[index];
    if (vector === undefined) return -EINVAL;
    if (vector.handler !== undefined) return -EBUSY;
    vector.handler = handler;
    vector.masked = false;
    this.#registers?.setMasked(index, this.#vectors);
    return 0;
  }

  /** Masks a vector and takes its handler away (free_irq). */
  disconnect(index: number): void {
    const vector = this.#vectors[index];
    if (vector?.handler === undefined) return;
    vector.masked = true;
    this.#registers?.setMasked(index, this.#vectors);
    vector.handler = undefined;
  }

  /** Writes the message of an MSI-X vector to the table again, which a reset may have wiped (pci_write_msi_msg). */
  rewriteMessage(index: number): void {
    const vector = this.#vectors[index];
    if (this.#kind === 'msix' && vector !== undefined) this.#msix?.writeEntry(index, vector);
  }

  /** Puts the registers back after a reset or D3 (pci_restore_msi_state). */
  restore(): void {
    this.#registers?.restore(this.#vectors);
  }

  /** A message arrived: calls the handler whose message it is, if any. `hint` is the vector that probably sent it. */
  deliver(low: number, high: number, data: number, hint: number): void {
    const likely = this.#vectors[hint];
    const vector =
      likely !== undefined && is(likely.message, low, high, data)
        ? likely
        : this.#vectors.find((other) => other && is(other.message, low, high, data));
    vector?.handler?.();
  }

  get #registers(): VectorRegisters | undefined {
    if (this.#kind === undefined) return undefined;
    return this.#kind === 'msi' ? this.#msi : this.#msix;
  }

  #vector(kind: VectorKind, index: number): IrqVector {
    const { device } = this;
    // The messages of MSI are the first one with the vector in the low bits of its data.
    const asked = kind === 'msi' ? 0 : index;
    const plain = { low: LOCAL_APIC, high: 0, data: asked };
    const message = device.platform.interruptMessage?.(device, kind, asked) ?? plain;
    return {
      message: kind === 'msi' ? { ...message, data: message.data | index } : message,
      handler: undefined,
      masked: true,
    };
  }
}

function is(message: InterruptMessage, low: number, high: number, data: number): boolean {
  return message.low === low && message.high === high && message.data === data;
}
