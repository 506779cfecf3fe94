// A small PCI device: registers in BAR0, memory that the guest maps in BAR2, MSI-X in BAR4. It copies between its memory and
// the guest's, and raises an interrupt when it is done.
import type { FunctionDescription, PciFunction, RegisterBlock } from '@vfiokit/pci';
import type { ClientMemory } from '@vfiokit/vfio-user';

/** Registers of BAR0, 4 bytes each. */
export const REGISTERS = {
  ID: 0x00,
  SCRATCH: 0x04,
  /** Where in the guest's memory, 8 bytes. */
  ADDRESS: 0x08,
  LENGTH: 0x10,
  /** 1 fetches from the guest, 2 stores to it. */
  COMMAND: 0x14,
  /** 1 busy, 2 done, or 0x100 and an errno. */
  STATUS: 0x18,
  /** Raises the vector that is written. */
  RAISE: 0x1c,
} as const;

const { ID, ADDRESS, LENGTH, COMMAND, STATUS, RAISE } = REGISTERS;
const FETCH = 1;
const BUSY = 1;
const DONE = 2;
const FAILED = 0x100;
const EIO = 5;

/** What is behind BAR0. */
export class Copier implements RegisterBlock {
  readonly registers = new Uint8Array(0x1000);
  readonly #view = new DataView(this.registers.buffer);

  constructor(
    private readonly bytes: Uint8Array,
    private readonly dma: ClientMemory,
    /** The function that this is in, once there is one. */
    private readonly self: () => PciFunction,
  ) {
    this.reset();
  }

  reset(): void {
    this.registers.fill(0);
    this.#view.setUint32(ID, 0x54494b56, true);
  }

  read(offset: number, size: 1 | 2 | 4): number {
    if (size === 4) return this.#view.getUint32(offset, true);
    return size === 2 ? this.#view.getUint16(offset, true) : this.#view.getUint8(offset);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): void {
    if (offset < ID + 4 || (offset >= STATUS && offset < RAISE)) return;
    for (let i = 0; i < size; i += 1) this.registers[offset + i] = value >>> (8 * i);
    if (offset === COMMAND) this.#copy(value);
    if (offset === RAISE) this.self().raise(value);
  }

  #copy(command: number): void {
    this.#view.setUint32(STATUS, BUSY, true);
    const piece = this.bytes.subarray(0, this.#view.getUint32(LENGTH, true));
    const address = this.#view.getBigUint64(ADDRESS, true);
    const done = (result: number) => {
      this.#view.setUint32(STATUS, result === 0 ? DONE : FAILED - result, true);
      this.self().raise(0);
    };
    if (!this.self().mayMaster) done(-EIO);
    else if (command === FETCH) this.dma.readLater(address, piece, done);
    else this.dma.writeLater(address, piece, done);
  }
}

/** The function around it: an express endpoint with four vectors that can be reset on its own. */
export function describe(copier: RegisterBlock, memory: RegisterBlock): FunctionDescription {
  const config = new Uint8Array(4096);
  const view = new DataView(config.buffer);
  for (const [at, value] of [
    [0x00, 0x0c091234],
    [0x04, 0x00100000],
    [0x08, 0x05800001],
    [0x2c, 0x0c091234],
    [0x34, 0x40],
    [0x40, 0x0003_50_01],
    [0x50, 0x0003_60_11],
    [0x54, 0x0000_0004],
    [0x58, 0x0000_0804],
    [0x60, 0x0002_00_10],
    [0x64, 0x1000_0000],
  ] as const)
    view.setUint32(at, value, true);
  const bar = (size: number, block?: RegisterBlock) =>
    ({ kind: 'memory', size, ...(block && { block }) }) as const;
  const bars = [bar(0x1000, copier), undefined, bar(0x10000, memory), undefined, bar(0x1000)];
  return { config, bars };
}
