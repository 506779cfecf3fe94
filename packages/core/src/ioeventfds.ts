import {
  copyArgszIn,
  EEXIST,
  EINVAL,
  ENODEV,
  ENOSPC,
  type IoctlArgument,
  type Process,
  VFIO_DEVICE_IOEVENTFD_64,
  VFIO_DEVICE_IOEVENTFD_SIZE_MASK,
  vfioDeviceIoeventfd,
} from '@vfiokit/uapi';
import { Irqfd } from './interrupts/irqfd.js';
import type { BarRegion, MsixTable } from './regions/bar-region.js';
import type { Positions } from './regions/positions.js';

/** As many as one device may have (MAX_IOEVENTFDS). */
const LIMIT = 1000;

interface IoEventFd {
  readonly bar: number;
  readonly offset: number;
  readonly size: number;
  readonly data: bigint;
  readonly irqfd: Irqfd;
}

/** Eventfds whose signals are writes to a BAR (VFIO_DEVICE_IOEVENTFD; vfio_pci_rdwr.c: vfio_pci_ioeventfd). */
export class IoEventFds {
  readonly #all: IoEventFd[] = [];

  constructor(
    private readonly bars: readonly BarRegion[],
    /** Why a BAR can't be accessed: 0 or a negated errno each. */
    private readonly errors: readonly number[],
    private readonly msixTable: MsixTable | undefined,
    private readonly positions: Positions,
  ) {}

  get size(): number {
    return this.#all.length;
  }

  /** Adds or, with the descriptor -1, removes one; 0 or a negated errno. An 8-byte one is always `-EINVAL` (quirk W24). */
  set(argument: IoctlArgument, caller: Process): number {
    const request = copyArgszIn(argument, vfioDeviceIoeventfd, vfioDeviceIoeventfd.ends.fd);
    if (typeof request === 'number') return request;
    const { flags, fd, data } = request;
    const size = flags & VFIO_DEVICE_IOEVENTFD_SIZE_MASK;
    if ((flags & ~VFIO_DEVICE_IOEVENTFD_SIZE_MASK) !== 0) return -EINVAL;
    if (size === 0 || (size & (size - 1)) !== 0 || fd < -1) return -EINVAL;
    const position = Number(request.offset);
    const bar = this.positions.regionOf(position);
    const offset = this.positions.offsetOf(position);
    const region = this.bars[bar];
    if (region === undefined || offset + size > region.resource.length) return -EINVAL;
    if (this.#touchesTable(bar, offset, size) || size === VFIO_DEVICE_IOEVENTFD_64) return -EINVAL;
    const error = this.errors[bar]!;
    if (error < 0) return error;
    const index = this.#all.findIndex(
      (other) =>
        other.bar === bar && other.offset === offset && other.size === size && other.data === data,
    );
    if (index !== -1) {
      if (fd !== -1) return -EEXIST;
      this.#all.splice(index, 1)[0]?.irqfd.remove();
      return 0;
    }
    if (fd === -1) return -ENODEV;
    if (this.#all.length >= LIMIT) return -ENOSPC;
    const eventfd = caller.fds.eventFd(fd);
    if (typeof eventfd === 'number') return eventfd;
    const value = Number(BigInt.asUintN(8 * size, data));
    const irqfd = new Irqfd(() => this.#write(region, offset, size as 1 | 2 | 4, value));
    this.#all.push({ bar, offset, size, data, irqfd });
    irqfd.attach(eventfd);
    return 0;
  }

  /** The last close takes them all away. */
  removeAll(): void {
    for (const { irqfd } of this.#all) irqfd.remove();
    this.#all.length = 0;
  }

  /** A signal while memory is off is lost without a trace. Alignment is not asked for. */
  #write({ window }: BarRegion, offset: number, size: 1 | 2 | 4, value: number): void {
    if (window.gate === undefined || window.gate.open) window.block.write(offset, size, value);
  }

  #touchesTable(bar: number, offset: number, size: number): boolean {
    const table = this.msixTable;
    return (
      table !== undefined &&
      bar === table.bar &&
      offset < table.offset + table.size &&
      offset + size > table.offset
    );
  }
}
