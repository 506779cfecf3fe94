import { EBADF, ENOTTY, type ErrnoName, errnoName } from './errno.js';
import { VfioError } from './error.js';
import type { IoctlArgument, VfioFile } from './file.js';
import { type IoctlName, ioctlName } from './ioctl.js';
import type { Process } from './process.js';

/** What would help, by call and errno. */
const HINTS: { readonly [Name in IoctlName]?: { readonly [Code in ErrnoName]?: string } } = {
  VFIO_DEVICE_GET_REGION_INFO: { EINVAL: 'there is no such region' },
  VFIO_DEVICE_GET_IRQ_INFO: { EINVAL: 'there is no such interrupt index' },
  VFIO_DEVICE_SET_IRQS: {
    EINVAL:
      'stay within the count of GET_IRQ_INFO, and disable whichever of INTx, MSI and MSI-X is in use before another',
    ENOTTY: 'the index does not take this action with this kind of data',
  },
  VFIO_DEVICE_RESET: {
    EINVAL: 'no function reset works for this device; a hot reset may',
    EAGAIN: 'somebody else holds the device; try again',
  },
  VFIO_DEVICE_GET_PCI_HOT_RESET_INFO: { ENODEV: 'neither its slot nor its bus can be reset' },
  VFIO_DEVICE_PCI_HOT_RESET: {
    EINVAL: 'hand over the groups of all functions that the reset hits, see GET_PCI_HOT_RESET_INFO',
    EBUSY: 'somebody else uses a function that the reset hits',
  },
  VFIO_DEVICE_IOEVENTFD: {
    EEXIST: 'the same write is registered already; remove it first',
    ENODEV: 'no such write is registered',
    ENOSPC: 'the device has as many as it may have; remove some first',
  },
  VFIO_DEVICE_FEATURE: { ENOTTY: 'the device does not have this feature' },
};

/**
 * A process that calls a file: failures become a {@link VfioError} that names the call, and what a call names by
 * descriptor gets one.
 */
export class IoctlCaller {
  readonly #descriptors = new Map<VfioFile, number>();

  /** @param subject what messages begin with, such as the device's name. */
  constructor(
    readonly process: Process,
    private readonly subject: string,
  ) {}

  /**
   * Calls a file.
   *
   * @param what which region, interrupt or feature, for the message.
   * @returns what the ioctl returns unless it is an error.
   * @throws VfioError
   */
  call(file: VfioFile, command: number, argument: IoctlArgument, what?: string): number {
    const result = file.ioctl?.(command, argument, this.process) ?? -ENOTTY;
    return this.check(result, ioctlName(command, file.kind), what);
  }

  /** Passes a result of a call on, or throws the error that it is. */
  check(result: number, call: string, what?: string): number {
    if (result >= 0) return result;
    const name = errnoName(result);
    const subject = what === undefined ? call : `${call} (${what})`;
    const hint = HINTS[call as IoctlName]?.[name as ErrnoName];
    const help = hint === undefined ? '' : `; ${hint}`;
    throw VfioError.fromErrno(result, `${this.subject}: ${subject} failed with ${name}${help}`);
  }

  /** The number of a file in the process: its own, which it keeps until {@link close}. */
  descriptor(file: VfioFile): number {
    const known = this.#descriptors.get(file);
    if (known !== undefined && this.process.fds.get(known) === file) return known;
    const fd = this.check(this.process.fds.install(file), `a descriptor for the ${file.kind}`);
    this.#descriptors.set(file, fd);
    return fd;
  }

  /** Takes over a descriptor that a call returned. */
  adopt<F extends VfioFile>(fd: number): F {
    const file = this.process.fds.get(fd);
    if (file === undefined) this.check(-EBADF, `descriptor ${fd}`);
    this.#descriptors.set(file as F, fd);
    return file as F;
  }

  /** Closes the descriptors that it made or took over; a file goes with its last one. */
  close(): void {
    for (const fd of [...this.#descriptors.values()].reverse()) this.process.fds.close(fd);
    this.#descriptors.clear();
  }
}
