import type { RegisterBlock } from '@vfiokit/pci';
import { BarRegion, type MsixTable } from '../../src/regions/bar-region.js';
import { Mappings } from '../../src/regions/mappings.js';
import { MemoryGate } from '../../src/regions/memory-gate.js';

/** Bytes behind a BAR that notes every access: `R4@10`, `W8@0`. */
export class NotedBlock implements RegisterBlock {
  readonly bytes: Uint8Array;
  readonly log: string[] = [];

  constructor(size: number) {
    this.bytes = Uint8Array.from({ length: size }, (_, i) => i);
  }

  read(offset: number, size: 1 | 2 | 4): number {
    this.log.push(`R${size}@${offset.toString(16)}`);
    const view = new DataView(this.bytes.buffer);
    return size === 4
      ? view.getUint32(offset, true)
      : size === 2
        ? view.getUint16(offset, true)
        : view.getUint8(offset);
  }

  write(offset: number, size: 1 | 2 | 4, value: number): void {
    this.log.push(`W${size}@${offset.toString(16)}`);
    for (let i = 0; i < size; i += 1) this.bytes[offset + i] = value >>> (8 * i);
  }

  read64(offset: number): bigint {
    this.log.push(`R8@${offset.toString(16)}`);
    return new DataView(this.bytes.buffer).getBigUint64(offset, true);
  }

  write64(offset: number, value: bigint): void {
    this.log.push(`W8@${offset.toString(16)}`);
    new DataView(this.bytes.buffer).setBigUint64(offset, value, true);
  }
}

export interface BarFixtureOptions {
  readonly size?: number;
  readonly start?: bigint;
  readonly io?: boolean;
  readonly error?: number;
  readonly mappable?: boolean;
  readonly msixTable?: MsixTable;
  readonly testPorts?: boolean;
  readonly noCommandMemory?: boolean;
}

/** A BAR 0 with the device around it that it asks. */
export function openBar(options: BarFixtureOptions = {}) {
  const size = options.size ?? 0x10000;
  const block = new NotedBlock(size);
  const vconfig = new Uint8Array(256);
  vconfig[4] = 0x02;
  const pdev = {
    currentState: 0,
    noCommandMemory: options.noCommandMemory ?? false,
    resources: [
      {
        start: options.start ?? 0xf0000000n,
        length: size,
        flags: 0,
        isMemory: !options.io,
        isIo: options.io ?? false,
        isPrefetchable: false,
        is64Bit: false,
      },
    ] as never,
    barMemory: () => block,
  };
  const gate = new MemoryGate(pdev, vconfig);
  const low = { engaged: false };
  const mappings = new Mappings(4096, () => gate.open && !low.engaged);
  const bar = new BarRegion({
    pdev,
    index: 0,
    error: options.error ?? 0,
    mappable: options.mappable ?? !options.io,
    msixTable: options.msixTable,
    gate,
    mappings,
    portGate: options.testPorts ? new MemoryGate(pdev, vconfig, 'ports') : undefined,
  });
  const decode = (bit: number, on: boolean) => {
    vconfig[4] = on ? vconfig[4]! | bit : vconfig[4]! & ~bit;
  };
  return {
    bar,
    block,
    pdev,
    mappings,
    low,
    set memory(on: boolean) {
      decode(2, on);
    },
    set ports(on: boolean) {
      decode(1, on);
    },
    /** The bytes of a read of this many, or its errno. */
    read(offset: number, count: number) {
      const bytes = new Uint8Array(count);
      const result = bar.pread(bytes, offset);
      return { result, bytes, accesses: block.log.splice(0).join(' ') };
    },
    write(offset: number, bytes: readonly number[]) {
      const result = bar.pwrite(Uint8Array.from(bytes), offset);
      return { result, accesses: block.log.splice(0).join(' ') };
    },
  };
}
