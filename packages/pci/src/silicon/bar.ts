import { type BarDescription, barMask } from './base-address.js';
import { allOnes } from './config-access.js';
import type { ConfigSpace } from './config-space.js';
import { MemoryBlock, OpenBus, type RegisterBlock } from './register-block.js';

/** Whether a function answers to addresses at the moment. Fields, because every access asks. */
export interface Decoding {
  memory: boolean;
  io: boolean;
}

/** A base address register with what lies behind it. */
export class Bar {
  readonly index: number;
  /** Bytes. */
  readonly size: number;
  readonly kind: 'memory' | 'io';
  readonly is64Bit: boolean;
  readonly prefetchable: boolean;
  /** What the function itself has there. */
  readonly block: RegisterBlock;
  /** Plain RAM under whatever MSI-X lays over parts of it, where that is what the function has there. */
  readonly ram: MemoryBlock | undefined;
  /** The same as seen from the bus: an open bus unless the function decodes. */
  readonly decoded: RegisterBlock;
  readonly #mask: bigint;

  constructor(
    index: number,
    description: BarDescription,
    decoding: Decoding,
    private readonly registerAt: number,
    overlay: (block: RegisterBlock) => RegisterBlock,
  ) {
    this.index = index;
    this.size = description.size;
    this.kind = description.kind;
    this.is64Bit = description.is64Bit === true;
    this.prefetchable = description.prefetchable === true;
    this.ram = description.block instanceof MemoryBlock ? description.block : undefined;
    this.block = overlay(description.block ?? new OpenBus());
    this.decoded =
      this.kind === 'io'
        ? new DecodedBlock(this.block, () => decoding.io)
        : new DecodedBlock(this.block, () => decoding.memory);
    this.#mask = barMask(description);
  }

  /** The bus address that the register holds. */
  address(config: ConfigSpace): bigint {
    const low = BigInt(config.peek32(this.registerAt));
    const high = this.is64Bit ? BigInt(config.peek32(this.registerAt + 4)) << 32n : 0n;
    return (high | low) & this.#mask;
  }
}

/** A block that only answers while its function decodes the addresses. */
export class DecodedBlock implements RegisterBlock {
  readonly read64?: (offset: number) => bigint;
  readonly write64?: (offset: number, value: bigint) => void;

  constructor(
    private readonly block: RegisterBlock,
    private readonly decodes: () => boolean,
  ) {
    if (block.read64 !== undefined)
      this.read64 = (offset) => (this.decodes() ? (block.read64?.(offset) ?? ONES_64) : ONES_64);
    if (block.write64 !== undefined)
      this.write64 = (offset, value) => {
        if (this.decodes()) block.write64?.(offset, value);
      };
  }

  get memory(): Uint8Array | undefined {
    return this.decodes() ? this.block.memory : undefined;
  }

  read(offset: number, size: 1 | 2 | 4): number {
    return this.decodes() ? this.block.read(offset, size) : allOnes(size);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): void {
    if (this.decodes()) this.block.write(offset, size, value);
  }
}

const ONES_64 = 0xffff_ffff_ffff_ffffn;
