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
import type { IrqVector, VectorRegisters } from './irq-vectors.js';
import type { PciDevice } from './pci-device.js';

/** MSI as the host programs it: one message for all vectors, in configuration space (drivers/pci/msi). */
export class MsiRegisters implements VectorRegisters {
  readonly #flags: number;

  constructor(
    private readonly device: PciDevice,
    private readonly at: number,
  ) {
    this.#flags = at + PCI_MSI_FLAGS;
  }

  get capacity(): number {
    return 1 << ((this.device.config.read(this.#flags, 2) & PCI_MSI_FLAGS_QMASK) >>> 1);
  }

  enable(vectors: readonly (IrqVector | undefined)[]): void {
    this.#setControl(PCI_MSI_FLAGS_ENABLE, 0);
    this.#writeMask(maskedBits(vectors));
    this.#writeMessage(vectors);
    this.device.intx(false);
    this.#setControl(0, PCI_MSI_FLAGS_ENABLE);
  }

  disable(): void {
    this.#setControl(PCI_MSI_FLAGS_ENABLE, 0);
    this.device.intx(true);
    // A function is left with all its vectors unmasked, as it came.
    this.#writeMask(0);
  }

  restore(vectors: readonly (IrqVector | undefined)[]): void {
    this.device.intx(false);
    this.#setControl(PCI_MSI_FLAGS_ENABLE, 0);
    this.#writeMessage(vectors);
    this.#writeMask(maskedBits(vectors));
    this.#setControl(PCI_MSI_FLAGS_QSIZE, PCI_MSI_FLAGS_ENABLE | queueSize(vectors.length));
  }

  setMasked(_index: number, vectors: readonly (IrqVector | undefined)[]): void {
    this.#writeMask(maskedBits(vectors));
  }

  #writeMessage(vectors: readonly (IrqVector | undefined)[]): void {
    const { config } = this.device;
    const { low, high, data } = vectors[0]!.message;
    const flags = this.#setControl(PCI_MSI_FLAGS_QSIZE, queueSize(vectors.length));
    config.write(this.at + PCI_MSI_ADDRESS_LO, 4, low);
    if ((flags & PCI_MSI_FLAGS_64BIT) !== 0) {
      config.write(this.at + PCI_MSI_ADDRESS_HI, 4, high);
      config.write(this.at + PCI_MSI_DATA_64, 2, data);
    } else {
      config.write(this.at + PCI_MSI_DATA_32, 2, data);
    }
    // A read pushes the writes to the function before anything else is done.
    config.read(this.#flags, 2);
  }

  #writeMask(bits: number): void {
    const { config } = this.device;
    const flags = config.read(this.#flags, 2);
    if ((flags & PCI_MSI_FLAGS_MASKBIT) === 0) return;
    const wide = (flags & PCI_MSI_FLAGS_64BIT) !== 0;
    config.write(this.at + (wide ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32), 4, bits);
  }

  #setControl(clear: number, set: number): number {
    const { config } = this.device;
    const value = (config.read(this.#flags, 2) & ~clear) | set;
    config.write(this.#flags, 2, value);
    return value;
  }
}

/** Multiple Message Enable for so many vectors. */
function queueSize(vectors: number): number {
  return Math.ceil(Math.log2(vectors)) << 4;
}

function maskedBits(vectors: readonly (IrqVector | undefined)[]): number {
  let bits = 0;
  for (const [index, vector] of vectors.entries()) if (vector?.masked) bits |= 1 << index;
  return bits >>> 0;
}
