import type { Process } from './process.js';

/**
 * The argument of an ioctl, as the kernel finds it: a plain number, the memory that a pointer leads to, or `undefined`
 * for a pointer to nothing (every copy fails with `EFAULT`, as does one past the end of the bytes). See `copy.ts`.
 */
export type IoctlArgument = number | Uint8Array | undefined;

/** What an open file of the VFIO interface answers: container, group, device, iommufd, migration data, eventfd. */
export interface VfioFile {
  /** What was opened. */
  readonly kind:
    | 'container'
    | 'group'
    | 'device'
    | 'iommufd'
    | 'migration'
    | 'eventfd'
    | 'dma-buf'
    | 'other';
  /**
   * ioctl(2). Structures are read from and written back to `argument` in place, little-endian.
   *
   * @param command the full number, such as `0x3b6b` (VFIO_DEVICE_GET_INFO).
   * @param caller whose descriptors and memory the argument refers to.
   * @returns what the kernel's ioctl returns: zero or more, or a negated errno; `-ENOTTY` if the file knows no such command.
   */
  ioctl?(command: number, argument: IoctlArgument, caller: Process): number;
  /** The last descriptor was closed. */
  close(): void;
}
