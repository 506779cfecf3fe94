import type { UserMapping, UserMemory } from '@vfiokit/uapi';
import type { DmaHit } from '../hardware/dma.js';

/** What pinning a range of user memory came to (gup.c: pin_user_pages_remote). */
export interface Pinning {
  /** The mappings that hold the range, ascending. */
  readonly mappings: readonly UserMapping[];
  /** Bytes from the start that can be pinned: all of them unless a page cannot. */
  readonly bytes: number;
  /** How many of them count as locked: device memory does not. */
  readonly counted: number;
}

/**
 * Finds the memory behind a range of user addresses.
 *
 * @param write whether a device will write to it.
 */
export function pin(memory: UserMemory, address: number, size: number, write: boolean): Pinning {
  const mappings: UserMapping[] = [];
  let bytes = 0;
  let counted = 0;
  while (bytes < size) {
    const mapping = memory.find(address + bytes);
    if (mapping === undefined || (write && !mapping.writable)) break;
    const part = Math.min(mapping.address + mapping.size - address - bytes, size - bytes);
    mappings.push(mapping);
    bytes += part;
    if (!mapping.deviceMemory) counted += part;
  }
  return { mappings, bytes, counted };
}

/** Points a hit to the byte of pinned memory that a user address stands for; false if the address is not in it. */
export function locate(
  mappings: readonly UserMapping[],
  address: number,
  length: number,
  hit: DmaHit,
): boolean {
  for (let index = 0; index < mappings.length; index += 1) {
    const mapping = mappings[index]!;
    const offset = address - mapping.address;
    if (offset >= 0 && offset < mapping.size) {
      hit.memory = mapping;
      hit.offset = offset;
      hit.length = Math.min(length, mapping.size - offset);
      return true;
    }
  }
  return false;
}
