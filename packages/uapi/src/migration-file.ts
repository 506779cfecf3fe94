import type { VfioFile } from './file.js';

/** What poll(2) says of a file. */
export interface Poll {
  readonly readable: boolean;
  readonly writable: boolean;
}

/**
 * The file through which a device's state leaves or enters, as VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE returns it: a stream
 * in one direction, without positions. It stays open when its transfer ends, and then answers `-ENODEV`.
 */
export interface MigrationFile extends VfioFile {
  readonly kind: 'migration';
  /** O_NONBLOCK: data that is not ready is `-EAGAIN`. A model's file never blocks and may do without. */
  nonblocking?: boolean;
  /**
   * read(2) of a file that saves.
   *
   * @returns the number of bytes; 0 once all of a stopped device's state was read; `-ENOMSG` where a running device has
   *   nothing to tell for now; `-EAGAIN`; `-ENODEV` after the transfer.
   */
  read(into: Uint8Array): number;
  /** write(2) of a file that resumes: the number of bytes taken, `-EAGAIN`, or `-ENODEV` after the transfer. */
  write(from: Uint8Array): number;
  poll(): Poll;
}
