import type { IoctlArgument, VfioFile } from './file.js';
import type { Process } from './process.js';

/** The width of one access, in bytes. */
export type AccessSize = 1 | 2 | 4;

/** A user's buffer of which no byte can be copied: what a bad pointer gives to read(2) and write(2). */
export class FaultingBuffer {
  constructor(readonly length: number) {}
}

/** What mmap(2) asks of a device. */
export interface MmapRequest {
  /** Where in the device's file, as region << 40 | offset. */
  readonly position: number;
  /** Bytes; rounded up to whole pages by the kernel. */
  readonly length: number;
  /** MAP_SHARED; a private mapping is refused. */
  readonly shared: boolean;
}

/** Memory of a device that a process has mapped. Pages come at a fault and go when the device is not to be touched. */
export interface DeviceMapping {
  readonly length: number;
  /** Loads a value; `'SIGBUS'` while the device's memory is off, in D3 or in low power. */
  load(offset: number, size: AccessSize): number | 'SIGBUS';
  /** Stores a value, under the same rule. */
  store(offset: number, size: AccessSize, value: number): 'SIGBUS' | undefined;
  /** The bytes themselves where the region is plain memory, for those who map it for real. */
  readonly memory: Uint8Array | undefined;
  unmap(): void;
}

/**
 * An opened VFIO device: what user space holds after VFIO_GROUP_GET_DEVICE_FD or a bound `/dev/vfio/devices/vfioN`.
 *
 * Everything here is synchronous. What a guest can provoke answers with a negated errno and never throws.
 */
export interface VfioDevice extends VfioFile {
  readonly kind: 'device';
  /** The device's name, such as `0000:00:02.0`. */
  readonly name: string;

  /**
   * Reads one naturally aligned value of a region: the access path.
   *
   * @returns the value, unsigned, or a negated errno. An access that {@link pread} would shorten is `-EINVAL`.
   */
  read(region: number, offset: number, size: AccessSize): number;

  /** Writes one naturally aligned value of a region; `size` or a negated errno. */
  write(region: number, offset: number, size: AccessSize, value: number): number;

  /** pread(2): the number of bytes read, short at the end of a BAR, or a negated errno. */
  pread(into: Uint8Array | FaultingBuffer, position: number): number;

  /** pwrite(2): the number of bytes written, short at the end of a BAR, or a negated errno. */
  pwrite(from: Uint8Array | FaultingBuffer, position: number): number;

  /** mmap(2): the mapping, or a negated errno. */
  mmap(request: MmapRequest): DeviceMapping | number;

  ioctl(command: number, argument: IoctlArgument, caller: Process): number;
}
