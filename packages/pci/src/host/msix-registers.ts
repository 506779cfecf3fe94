import {
  PCI_D0,
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
import type { IrqVector, VectorRegisters } from './irq-vectors.js';
import type { PciDevice } from './pci-device.js';

/** MSI-X as the host programs it: a message a vector, in a table behind a BAR (drivers/pci/msi). */
export class MsixRegisters implements VectorRegisters {
  readonly #flags: number;

  constructor(
    private readonly device: PciDevice,
    private readonly at: number,
  ) {
    this.#flags = at + PCI_MSIX_FLAGS;
  }

  get capacity(): number {
    return (this.device.config.read(this.#flags, 2) & PCI_MSIX_FLAGS_QSIZE) + 1;
  }

  enable(vectors: readonly (IrqVector | undefined)[]): void {
    this.#setControl(0, PCI_MSIX_FLAGS_MASKALL | PCI_MSIX_FLAGS_ENABLE);
    const table = this.#table();
    // Entries that nobody allocates must not stay as the last user left them.
    for (let index = 0; index < this.capacity; index += 1)
      table.write(at(index, PCI_MSIX_ENTRY_VECTOR_CTRL), 4, PCI_MSIX_ENTRY_CTRL_MASKBIT);
    this.#writeEntries(vectors);
    this.device.intx(false);
    this.#setControl(PCI_MSIX_FLAGS_MASKALL, 0);
  }

  disable(vectors: readonly (IrqVector | undefined)[]): void {
    for (const index of vectors.keys()) this.#setEntryMasked(index, true);
    this.#setControl(PCI_MSIX_FLAGS_ENABLE, 0);
    this.device.intx(true);
  }

  restore(vectors: readonly (IrqVector | undefined)[]): void {
    this.device.intx(false);
    this.#setControl(0, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
    this.#writeEntries(vectors);
    this.#setControl(PCI_MSIX_FLAGS_MASKALL, 0);
  }

  setMasked(index: number, vectors: readonly (IrqVector | undefined)[]): void {
    this.#setEntryMasked(index, vectors[index]!.masked);
  }

  /** Writes a vector's message, which may only change while the vector is masked. */
  writeEntry(index: number, { message, masked }: IrqVector): void {
    if (!this.#awake) return;
    const table = this.#table();
    table.write(at(index, PCI_MSIX_ENTRY_VECTOR_CTRL), 4, PCI_MSIX_ENTRY_CTRL_MASKBIT);
    table.write(at(index, PCI_MSIX_ENTRY_LOWER_ADDR), 4, message.low);
    table.write(at(index, PCI_MSIX_ENTRY_UPPER_ADDR), 4, message.high);
    table.write(at(index, PCI_MSIX_ENTRY_DATA), 4, message.data);
    if (!masked) table.write(at(index, PCI_MSIX_ENTRY_VECTOR_CTRL), 4, 0);
  }

  #writeEntries(vectors: readonly (IrqVector | undefined)[]): void {
    for (const [index, vector] of vectors.entries())
      if (vector !== undefined) this.writeEntry(index, vector);
  }

  #setEntryMasked(index: number, masked: boolean): void {
    if (!this.#awake) return;
    const control = masked ? PCI_MSIX_ENTRY_CTRL_MASKBIT : 0;
    this.#table().write(at(index, PCI_MSIX_ENTRY_VECTOR_CTRL), 4, control);
  }

  /** The kernel leaves the table of a sleeping function alone; it is written again at the restore. */
  get #awake(): boolean {
    return this.device.currentState === PCI_D0;
  }

  /** The table as the CPU sees it: only while the function decodes memory. */
  #table(): RegisterBlock {
    const where = this.device.config.read(this.at + PCI_MSIX_TABLE, 4);
    const bar = this.device.barMemory(where & PCI_MSIX_TABLE_BIR);
    const start = (where & ~PCI_MSIX_TABLE_BIR) >>> 0;
    return {
      read: (offset, size) => bar.read(start + offset, size),
      write: (offset, size, value) => bar.write(start + offset, size, value),
    };
  }

  #setControl(clear: number, set: number): void {
    const { config } = this.device;
    config.write(this.#flags, 2, (config.read(this.#flags, 2) & ~clear) | set);
  }
}

/** Where a field of a table entry is. */
function at(index: number, field: number): number {
  return index * PCI_MSIX_ENTRY_SIZE + field;
}
