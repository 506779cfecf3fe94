import { openFunction } from '@vfiokit/core';
import { MemoryBlock, type PciDevice, PciTopology } from '@vfiokit/pci';
import { buildConfig, type ExtendedCapabilityLiteral } from '@vfiokit/testing';
import { DeviceClient } from '@vfiokit/uapi';
import { type NvgracePlatform, nvgraceGpuDriver } from '../src/index.js';

export const GPU = '0009:01:00.0';
export const MEMORY_AT = 0x4c_0000_0000n;
export const MIB = 2 ** 20;
export const GIB = 2 ** 30;
/** As a GH200 has it: not a power of two, not a multiple of 512 MiB. */
export const MEMORY_SIZE = 95 * GIB + 300 * MIB;

const DVSEC = 0x23;

/** NVIDIA's DVSEC 3, which says that all of the memory may be cached. */
export const CACHED_RESMEM: ExtendedCapabilityLiteral = {
  id: DVSEC,
  body: Uint8Array.of(0xde, 0x10, 0x00, 0x01, 0x03, 0x00, 0x01, 0x00),
};

/** The DVSEC for CXL devices, with range 1's size-low register as given. */
export function cxlDevice(rangeSizeLow: number): ExtendedCapabilityLiteral {
  const body = new Uint8Array(0x38);
  body.set([0x98, 0x1e, 0x81, 0x03, 0x00, 0x00]);
  new DataView(body.buffer).setUint32(0x18, rangeSizeLow, true);
  return { id: DVSEC, body };
}

export interface GraceOptions {
  readonly size?: bigint;
  readonly extended?: readonly ExtendedCapabilityLiteral[];
  /** The GPU is ready after so many milliseconds. */
  readonly readyAfter?: number;
}

/** A Grace machine whose time goes by only while somebody waits. */
export class Grace implements NvgracePlatform {
  readonly topology = new PciTopology();
  readonly gpu: PciDevice;
  readonly log: string[] = [];
  readonly #memory = new Map<bigint, MemoryBlock>();
  time = 0;
  /** When the registers in BAR 0 say that the GPU is ready. */
  readyAt: number;
  /** Whoever sleeps is killed. */
  killing = false;
  /** What asking to be told of memory failures answers. */
  watchError = 0;
  mappable = true;
  size: bigint | undefined;

  constructor({ size = BigInt(MEMORY_SIZE), extended = [], readyAfter = 0 }: GraceOptions = {}) {
    this.size = size;
    this.readyAt = readyAfter;
    const registers = {
      read: (offset: number) => this.#register(offset),
      write() {},
    };
    this.gpu = this.topology.add(GPU, {
      config: buildConfig({ vendor: 0x10de, device: 0x2342, class: 0x030200, extended }),
      bars: [
        { size: 16 * MIB, kind: 'memory', is64Bit: true, block: registers },
        undefined,
        { size: 64 * 1024, kind: 'memory', is64Bit: true, block: new MemoryBlock(64 * 1024) },
      ],
    });
  }

  #register(offset: number): number {
    const isStatus = offset === 0x1498 || offset === 0x200bc;
    return isStatus && this.time >= this.readyAt ? 0xff : 0;
  }

  property(_: PciDevice, name: string): bigint | undefined {
    return name === 'nvidia,gpu-mem-size' ? this.size : this.size && MEMORY_AT;
  }

  memory(base: bigint, length: number): MemoryBlock | undefined {
    if (!this.mappable) return undefined;
    const block = this.#memory.get(base) ?? new MemoryBlock(length);
    this.#memory.set(base, block);
    return block;
  }

  sleep(milliseconds: number): boolean {
    this.time += milliseconds;
    return !this.killing;
  }

  now(): number {
    return this.time;
  }

  registerPages(base: bigint, length: number): number {
    this.log.push(`watch ${base.toString(16)}+${length.toString(16)}`);
    return this.watchError;
  }

  /** Ranges of whose failures somebody wants to hear. */
  get watched(): readonly string[] {
    const ranges = (verb: string) =>
      this.log.flatMap((line) => (line.startsWith(`${verb} `) ? line.slice(verb.length + 1) : []));
    const given = ranges('unwatch');
    return ranges('watch').filter((range) => !given.includes(range));
  }

  unregisterPages(base: bigint, length: number): void {
    this.log.push(`unwatch ${base.toString(16)}+${length.toString(16)}`);
  }

  open() {
    const opened = openFunction(this.gpu, {
      driver: nvgraceGpuDriver(this),
    });
    const client = new DeviceClient(opened.device, opened.process);
    return {
      ...opened,
      client,
      [Symbol.dispose]() {
        client.close();
        opened[Symbol.dispose]();
      },
    };
  }
}
