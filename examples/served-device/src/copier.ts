// The registers of a small PCI device that copies between its memory and the guest's, and raises an interrupt when it is done.
import { MemoryBlock, type PciFunction, type RegisterBlock } from '@vfiokit/pci';
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
  readonly bytes = new Uint8Array(0x1000);
  readonly #registers = new MemoryBlock(this.bytes);

  constructor(
    private readonly storage: Uint8Array,
    private readonly dma: ClientMemory,
    /** The function that this is in, once there is one. */
    private readonly self: () => PciFunction,
  ) {
    this.reset();
  }

  reset(): void {
    this.bytes.fill(0);
    this.#registers.write(ID, 4, 0x54494b56);
  }

  read(offset: number, size: 1 | 2 | 4): number {
    return this.#registers.read(offset, size);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): void {
    if (offset < ID + 4 || (offset >= STATUS && offset < RAISE)) return;
    this.#registers.write(offset, size, value);
    if (offset === COMMAND) this.#copy(value);
    if (offset === RAISE) this.self().raise(value);
  }

  #copy(command: number): void {
    this.#registers.write(STATUS, 4, BUSY);
    const piece = this.storage.subarray(0, this.read(LENGTH, 4));
    const address = this.read(ADDRESS, 4) + this.read(ADDRESS + 4, 4) * 2 ** 32;
    const done = (result: number) => {
      this.#registers.write(STATUS, 4, result === 0 ? DONE : FAILED - result);
      this.self().raise(0);
    };
    if (!this.self().mayMaster) done(-EIO);
    else if (command === FETCH) this.dma.readLater(address, piece, done);
    else this.dma.writeLater(address, piece, done);
  }
}
