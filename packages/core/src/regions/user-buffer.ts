import type { FaultingBuffer } from '@vfiokit/uapi';

/** Memory of a user: its bytes, or a pointer that faults. */
export type UserBuffer = Uint8Array | FaultingBuffer;

/** Reads a little-endian value out of a buffer. */
export function getValue(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i -= 1) value = value * 0x100 + bytes[at + i]!;
  return value;
}

/** Writes a value into a buffer, little-endian. */
export function putValue(bytes: Uint8Array, at: number, size: number, value: number): void {
  for (let i = 0; i < size; i += 1) bytes[at + i] = value >>> (8 * i);
}
