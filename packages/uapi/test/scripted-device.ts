import type { IoctlArgument, Process, VfioDevice } from '../src/index.js';

/** What a scripted device does when it is called; the argument is the caller's memory. */
export type Answer = (argument: Uint8Array, caller: Process) => number;

/** A device that answers ioctls from a table of numbers and has one region of memory, at position 0x700_0000_0000. */
export function scriptedDevice(
  answers: Readonly<Record<number, Answer>>,
  memory = new Uint8Array(16),
): VfioDevice {
  const at = (position: number) => position - 0x700_0000_0000;
  return {
    kind: 'device',
    name: '0000:00:02.0',
    read: (_region, offset, size) => (offset + size > memory.length ? -14 : memory[offset]!),
    write: (_region, offset, size, value) => {
      if (offset + size > memory.length) return -14;
      memory[offset] = value;
      return size;
    },
    pread: (into, position) => {
      if (!(into instanceof Uint8Array) || at(position) >= memory.length) return -22;
      const bytes = memory.subarray(at(position), at(position) + into.length);
      into.set(bytes);
      return bytes.length;
    },
    pwrite: (from, position) => {
      if (!(from instanceof Uint8Array) || at(position) >= memory.length) return -22;
      const bytes = from.subarray(0, memory.length - at(position));
      memory.set(bytes, at(position));
      return bytes.length;
    },
    mmap: () => -22,
    ioctl: (command: number, argument: IoctlArgument, caller: Process) => {
      const bytes = argument instanceof Uint8Array ? argument : new Uint8Array(0);
      return answers[command]?.(bytes, caller) ?? -25;
    },
    close: () => {},
  };
}

/** Writes numbers of 4 bytes over a caller's memory. */
export function put(argument: Uint8Array, at: number, ...numbers: readonly number[]): void {
  const view = new DataView(argument.buffer, argument.byteOffset);
  for (const [index, number] of numbers.entries()) view.setUint32(at + 4 * index, number, true);
}

/** Reads a number of 4 bytes from a caller's memory. */
export function get(argument: Uint8Array, at: number): number {
  return new DataView(argument.buffer, argument.byteOffset).getInt32(at, true);
}
