import { EBUSY, EINVAL, ENOSPC, ERANGE } from '@vfiokit/uapi';
import {
  PCI_D0,
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
  PCI_MSIX_ENTRY_CTRL_MASKBIT,
  PCI_MSIX_ENTRY_DATA,
  PCI_MSIX_ENTRY_LOWER_ADDR,
  PCI_MSIX_ENTRY_SIZE,
  PCI_MSIX_ENTRY_UPPER_ADDR,
  PCI_MSIX_ENTRY_VECTOR_CTRL,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_MSIX_FLAGS_MASKALL,
  PCI_MSIX_FLAGS_QSIZE,
  PCI_MSIX_TABLE,
  PCI_MSIX_TABLE_BIR,
} from '../regs/index.js';
import type { RegisterBlock } from '../silicon/register-block.js';
import type { PciDevice } from './pci-device.js';

/** What a function writes, and where, to interrupt the host. */
export interface InterruptMessage {
  readonly low: number;
  readonly high: number;
  readonly data: number;
}

export type VectorKind = 'msi' | 'msix';

interface Vector {
  readonly message: InterruptMessage;
  handler: (() => void) | undefined;
  masked: boolean;
}

/**
 * The host's allocator of message signalled interrupts for one function: how many there are, what their messages are,
 * and whom they reach (drivers/pci/msi).
 */
export class IrqVectors {
  #kind: VectorKind | undefined;
  /** By vector; sparse for MSI-X with vectors added while enabled. */
  #vectors: (Vector | undefined)[] = [];

  constructor(
    private readonly device: PciDevice,
    private readonly msiCap: number,
    private readonly msixCap: number,
  ) {}

  get kind(): VectorKind | undefined {
    return this.#kind;
  }

  /**
   * Allocates up to `wanted` vectors and enables the mechanism; how many there are, or a negated errno: `-EINVAL` outside
   * D0, without the capability, or while enabled; `-ERANGE` for none; `-ENOSPC`; the platform's own
   * (pci_alloc_irq_vectors with a minimum of 1).
   */
  alloc(kind: VectorKind, wanted: number): number {
    const { device } = this;
    if (kind === 'msix' && wanted < 1) return -ERANGE;
    const awake = device.currentState === PCI_D0;
    const cap = kind === 'msi' ? this.msiCap : this.msixCap;
    if (this.#kind !== undefined || !awake || cap === 0) return -EINVAL;
    if (wanted < 1) return -ERANGE;
    const asked = Math.min(wanted, this.#capacity(kind));
    const granted = device.platform.vectorsAvailable?.(device, kind, asked) ?? asked;
    if (granted < 0) return granted;
    if (granted === 0) return -ENOSPC;
    const count = Math.min(granted, asked);
    this.#kind = kind;
    this.#vectors = Array.from({ length: count }, (_, vector) => this.#vector(kind, vector));
    if (kind === 'msi') this.#enableMsi();
    else this.#enableMsix();
    return count;
  }

  /** Disables the mechanism, gives INTx back and forgets every vector (pci_free_irq_vectors). */
  free(): void {
    const kind = this.#kind;
    if (kind === undefined) return;
    this.#kind = undefined;
    if (kind === 'msi') {
      this.#setMsiControl(PCI_MSI_FLAGS_ENABLE, 0);
      this.device.intx(true);
      this.#writeMsiMask(0);
    } else {
      if (this.#tableReachable)
        for (const index of this.#vectors.keys()) this.#setMasked(index, true);
      this.#setMsixControl(PCI_MSIX_FLAGS_ENABLE, 0);
      this.device.intx(true);
    }
    this.#vectors = [];
  }

  allocated(vector: number): boolean {
    return this.#vectors[vector] !== undefined;
  }

  /** Adds one MSI-X vector while MSI-X is enabled (pci_msix_alloc_irq_at); 0 or a negated errno. */
  allocAt(vector: number): number {
    const { device } = this;
    if (this.#kind !== 'msix' || !device.msixDynamic || this.allocated(vector)) return -EINVAL;
    if (vector < 0 || vector >= this.#capacity('msix')) return -EINVAL;
    const granted = device.platform.vectorsAvailable?.(device, 'msix', 1) ?? 1;
    if (granted < 1) return granted < 0 ? granted : -ENOSPC;
    this.#vectors[vector] = this.#vector('msix', vector);
    this.#writeTableEntry(vector);
    return 0;
  }

  /** Gives a vector a handler and unmasks it (request_irq); 0, `-EINVAL` for no such vector, `-EBUSY` for one in use. */
  connect(vector: number, handler: () => void): number {
    const found = this.#vectors[vector];
    if (found === undefined) return -EINVAL;
    if (found.handler !== undefined) return -EBUSY;
    found.handler = handler;
    this.#setMasked(vector, false);
    return 0;
  }

  /** Masks a vector and takes its handler away (free_irq). */
  disconnect(vector: number): void {
    const found = this.#vectors[vector];
    if (found?.handler === undefined) return;
    found.handler = undefined;
    this.#setMasked(vector, true);
  }

  /** Writes the message of an MSI-X vector to the table again, which a reset may have wiped (pci_write_msi_msg). */
  rewriteMessage(vector: number): void {
    if (this.#kind === 'msix' && this.allocated(vector)) this.#writeTableEntry(vector);
  }

  /** Puts the registers back after a reset or D3 (pci_restore_msi_state). */
  restore(): void {
    if (this.#kind === undefined) return;
    this.device.intx(false);
    if (this.#kind === 'msi') {
      this.#setMsiControl(PCI_MSI_FLAGS_ENABLE, 0);
      this.#writeMsiMessage();
      this.#writeMsiMask(this.#maskedBits());
      this.#setMsiControl(PCI_MSI_FLAGS_QSIZE, PCI_MSI_FLAGS_ENABLE | this.#queueSize());
      return;
    }
    this.#setMsixControl(0, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    for (const [vector, found] of this.#vectors.entries())
      if (found !== undefined) this.#writeTableEntry(vector);
    this.#setMsixControl(PCI_MSIX_FLAGS_MASKALL, 0);
  }

  /** A message arrived: calls the handler whose message it is, if any. `hint` is the vector that probably sent it. */
  deliver(low: number, high: number, data: number, hint: number): void {
    const likely = this.#vectors[hint];
    if (likely !== undefined && this.#matches(likely, low, high, data)) {
      likely.handler?.();
      return;
    }
    this.#vectors.find((vector) => vector && this.#matches(vector, low, high, data))?.handler?.();
  }

  #matches({ message }: Vector, low: number, high: number, data: number): boolean {
    return message.low === low && message.high === high && message.data === data;
  }

  #capacity(kind: VectorKind): number {
    const { config } = this.device;
    if (kind === 'msi') {
      const flags = config.read(this.msiCap + PCI_MSI_FLAGS, 2);
      return 1 << ((flags & PCI_MSI_FLAGS_QMASK) >>> 1);
    }
    return (config.read(this.msixCap + PCI_MSIX_FLAGS, 2) & PCI_MSIX_FLAGS_QSIZE) + 1;
  }

  #vector(kind: VectorKind, index: number): Vector {
    const { device } = this;
    // All messages of MSI are the first one with the vector in the low bits of its data.
    const asked = kind === 'msi' ? 0 : index;
    const message = device.platform.interruptMessage?.(device, kind, asked) ?? {
      low: LOCAL_APIC,
      high: 0,
      data: asked,
    };
    return {
      message: kind === 'msi' ? { ...message, data: message.data | index } : message,
      handler: undefined,
      masked: true,
    };
  }

  // --- MSI: messages in configuration space ---

  #enableMsi(): void {
    this.#setMsiControl(PCI_MSI_FLAGS_ENABLE, 0);
    this.#writeMsiMask(this.#maskedBits());
    this.#writeMsiMessage();
    this.device.intx(false);
    this.#setMsiControl(0, PCI_MSI_FLAGS_ENABLE);
  }

  #writeMsiMessage(): void {
    const { config } = this.device;
    const { low, high, data } = this.#vectors[0]!.message;
    const flags = this.#setMsiControl(PCI_MSI_FLAGS_QSIZE, this.#queueSize());
    config.write(this.msiCap + PCI_MSI_ADDRESS_LO, 4, low);
    if ((flags & PCI_MSI_FLAGS_64BIT) !== 0) {
      config.write(this.msiCap + PCI_MSI_ADDRESS_HI, 4, high);
      config.write(this.msiCap + PCI_MSI_DATA_64, 2, data);
    } else {
      config.write(this.msiCap + PCI_MSI_DATA_32, 2, data);
    }
    // Read back so that the writes have arrived.
    config.read(this.msiCap + PCI_MSI_FLAGS, 2);
  }

  #queueSize(): number {
    return Math.ceil(Math.log2(this.#vectors.length)) << 4;
  }

  #maskedBits(): number {
    let bits = 0;
    for (const [index, vector] of this.#vectors.entries()) if (vector?.masked) bits |= 1 << index;
    return bits >>> 0;
  }

  #writeMsiMask(bits: number): void {
    const flags = this.device.config.read(this.msiCap + PCI_MSI_FLAGS, 2);
    if ((flags & PCI_MSI_FLAGS_MASKBIT) === 0) return;
    const wide = (flags & PCI_MSI_FLAGS_64BIT) !== 0;
    this.device.config.write(this.msiCap + (wide ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32), 4, bits);
  }

  #setMsiControl(clear: number, set: number): number {
    return this.#modify(this.msiCap + PCI_MSI_FLAGS, clear, set);
  }

  // --- MSI-X: messages in a BAR ---

  #enableMsix(): void {
    this.#setMsixControl(0, PCI_MSIX_FLAGS_MASKALL | PCI_MSIX_FLAGS_ENABLE);
    for (let vector = 0; vector < this.#capacity('msix'); vector += 1)
      this.#writeTable(vector, PCI_MSIX_ENTRY_VECTOR_CTRL, PCI_MSIX_ENTRY_CTRL_MASKBIT);
    for (const vector of this.#vectors.keys()) this.#writeTableEntry(vector);
    this.device.intx(false);
    this.#setMsixControl(PCI_MSIX_FLAGS_MASKALL, 0);
  }

  /** The message may only change while the vector is masked. */
  #writeTableEntry(index: number): void {
    const { message, masked } = this.#vectors[index]!;
    if (!this.#tableReachable) return;
    this.#writeTable(index, PCI_MSIX_ENTRY_VECTOR_CTRL, PCI_MSIX_ENTRY_CTRL_MASKBIT);
    this.#writeTable(index, PCI_MSIX_ENTRY_LOWER_ADDR, message.low);
    this.#writeTable(index, PCI_MSIX_ENTRY_UPPER_ADDR, message.high);
    this.#writeTable(index, PCI_MSIX_ENTRY_DATA, message.data);
    if (!masked) this.#writeTable(index, PCI_MSIX_ENTRY_VECTOR_CTRL, 0);
  }

  #setMasked(index: number, masked: boolean): void {
    const vector = this.#vectors[index];
    if (vector === undefined) return;
    vector.masked = masked;
    if (this.#kind === 'msi') this.#writeMsiMask(this.#maskedBits());
    else if (this.#tableReachable)
      this.#writeTable(index, PCI_MSIX_ENTRY_VECTOR_CTRL, masked ? PCI_MSIX_ENTRY_CTRL_MASKBIT : 0);
  }

  #writeTable(vector: number, offset: number, value: number): void {
    const table = this.device.config.read(this.msixCap + PCI_MSIX_TABLE, 4);
    const start = (table & ~PCI_MSIX_TABLE_BIR) >>> 0;
    const block: RegisterBlock = this.device.barMemory(table & PCI_MSIX_TABLE_BIR);
    block.write(start + vector * PCI_MSIX_ENTRY_SIZE + offset, 4, value);
  }

  /** The kernel leaves a function alone that is asleep; it is written at the restore. */
  get #tableReachable(): boolean {
    return this.device.currentState === PCI_D0;
  }

  #setMsixControl(clear: number, set: number): void {
    this.#modify(this.msixCap + PCI_MSIX_FLAGS, clear, set);
  }

  #modify(at: number, clear: number, set: number): number {
    const { config } = this.device;
    const value = (config.read(at, 2) & ~clear) | set;
    config.write(at, 2, value);
    return value;
  }
}

/** Where x86 takes interrupt messages. */
const LOCAL_APIC = 0xfee00000;
