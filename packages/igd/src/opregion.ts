import type { RegionOps } from '@vfiokit/core';
import { EFAULT, EINVAL, VfioError } from '@vfiokit/uapi';
import type { IgdPlatform } from './igd-platform.js';

// Offsets in an OpRegion (ACPI IGD OpRegion specification).
/** Bytes of the OpRegion proper; a VBT outside of it follows in the region that users see. */
export const OPREGION_SIZE = 0x2000;
const OPREGION_SIGNATURE = 'IntelGraphicsMem';
const OPREGION_SIZE_KIB = 0x10;
const OPREGION_VERSION = 0x16;
/** Address of a VBT outside of the OpRegion (u64). */
const OPREGION_RVDA = 0x3ba;
/** Its bytes (u32). */
const OPREGION_RVDS = 0x3c2;

const VERSION_2_0 = 0x0200;
const VERSION_2_1 = 0x0201;

/** A VBT outside of the OpRegion. */
interface ExtendedVbt {
  readonly address: number;
  readonly memory: Uint8Array;
}

/**
 * What graphics firmware and driver tell each other in memory, as users see it: the OpRegion with the VBT behind it,
 * always in the form of version 2.1, whatever the host's layout (vfio_pci_igd.c: vfio_pci_igd_rw). Read-only and live.
 */
export class OpRegion implements RegionOps {
  /** Bytes of the region that users see. */
  readonly size: number;
  readonly #memory: Uint8Array;
  readonly #vbt: ExtendedVbt | undefined;
  /** What a reader gets in place of the version and of RVDA. */
  readonly #version: Uint8Array;
  readonly #rvda: Uint8Array;

  /** @param address where the OpRegion is, as ASLS says. */
  constructor(
    readonly address: number,
    memory: Uint8Array,
    vbt: ExtendedVbt | undefined,
    private readonly platform: IgdPlatform,
  ) {
    const view = viewOf(memory);
    const version = view.getUint16(OPREGION_VERSION, true);
    this.#memory = memory;
    this.#vbt = vbt;
    this.size = view.getUint32(OPREGION_SIZE_KIB, true) * 1024 + (vbt?.memory.length ?? 0);
    // Version 2.0 has an absolute address in RVDA, which means nothing to a guest.
    const shown = vbt !== undefined && version === VERSION_2_0 ? VERSION_2_1 : version;
    this.#version = littleEndian(shown, 2);
    this.#rvda = littleEndian(vbt === undefined ? 0 : OPREGION_SIZE, 8);
  }

  /** Where the VBT is; where the OpRegion is if it has its VBT inside. */
  get lastMappedAddress(): number {
    return this.#vbt?.address ?? this.address;
  }

  read(offset: number, size: 1 | 2 | 4): number {
    if (offset + size > this.size) return -EINVAL;
    let value = 0;
    for (let i = size - 1; i >= 0; i -= 1) {
      const byte = this.#byte(offset + i);
      if (byte === undefined) return -EFAULT;
      value = value * 0x100 + byte;
    }
    return value;
  }

  write(): number {
    return -EINVAL;
  }

  /** Any bytes, cut off at the end; `-EINVAL` for a write and past the end, `-EFAULT` where no memory is behind them. */
  transfer(bytes: Uint8Array, position: number, isWrite: boolean): number {
    const offset = position % 2 ** 40;
    if (isWrite || offset >= this.size) return -EINVAL;
    const count = Math.min(bytes.length, this.size - offset);
    for (let i = 0; i < count; i += 1) {
      const byte = this.#byte(offset + i);
      if (byte === undefined) return -EFAULT;
      bytes[i] = byte;
    }
    return count;
  }

  release(): void {
    if (this.#vbt !== undefined) this.platform.unmap?.(this.#vbt.memory);
    this.platform.unmap?.(this.#memory);
  }

  /**
   * A byte of the region. There is none where the size field counts more than the 8 KiB that are mapped and the VBT;
   * the kernel follows a null pointer there.
   */
  #byte(offset: number): number | undefined {
    if (offset >= OPREGION_SIZE) return this.#vbt?.memory[offset - OPREGION_SIZE];
    if (offset >= OPREGION_RVDA && offset < OPREGION_RVDS)
      return this.#rvda[offset - OPREGION_RVDA];
    if (offset >= OPREGION_VERSION && offset < OPREGION_VERSION + 2)
      return this.#version[offset - OPREGION_VERSION];
    return this.#memory[offset];
  }
}

/**
 * Maps the OpRegion that ASLS points to, and the VBT outside of it (vfio_pci_igd.c: vfio_pci_igd_opregion_init).
 * Addresses are counted in 32 bits.
 *
 * @throws VfioError ENOMEM where there is no such memory, EINVAL for something that is no OpRegion.
 */
export function mapOpRegion(name: string, asls: number, platform: IgdPlatform): OpRegion {
  const memory = platform.map(asls, OPREGION_SIZE);
  if (memory === undefined)
    throw new VfioError('ENOMEM', `${name}: its OpRegion at ${hex(asls)} can't be mapped`);
  try {
    const vbt = mapVbt(name, asls, checked(name, asls, memory), platform);
    return new OpRegion(asls, memory, vbt, platform);
  } catch (error) {
    platform.unmap?.(memory);
    throw error;
  }
}

function checked(name: string, asls: number, memory: Uint8Array): DataView {
  const signature = String.fromCharCode(...memory.subarray(0, OPREGION_SIGNATURE.length));
  if (signature !== OPREGION_SIGNATURE)
    throw new VfioError(
      'EINVAL',
      `${name}: there is no OpRegion at ${hex(asls)}, where ASLS points`,
    );
  const view = viewOf(memory);
  if (view.getUint32(OPREGION_SIZE_KIB, true) === 0)
    throw new VfioError('EINVAL', `${name}: its OpRegion at ${hex(asls)} says that its size is 0`);
  return view;
}

function mapVbt(
  name: string,
  base: number,
  opregion: DataView,
  platform: IgdPlatform,
): ExtendedVbt | undefined {
  const version = opregion.getUint16(OPREGION_VERSION, true);
  if (version < VERSION_2_0) return undefined;
  const rvda = opregion.getBigUint64(OPREGION_RVDA, true);
  const length = opregion.getUint32(OPREGION_RVDS, true);
  if (rvda === 0n || length === 0) return undefined;
  const low = Number(rvda & 0xffffffffn);
  const address = version === VERSION_2_0 ? low : (base + low) % 2 ** 32;
  const memory = platform.map(address, length);
  if (memory === undefined)
    throw new VfioError('ENOMEM', `${name}: its VBT at ${hex(address)} can't be mapped`);
  return { address, memory };
}

function viewOf(memory: Uint8Array): DataView {
  return new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
}

function littleEndian(value: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
