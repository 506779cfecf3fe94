import {
  copyIn,
  EEXIST,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOSPC,
  type IoctlArgument,
  type Process,
} from '@vfiokit/uapi';
import { resolveEventFd } from './interrupts/eventfd-slot.js';
import { Irqfd } from './interrupts/irqfd.js';
import type { BarRegion, MsixTable } from './regions/bar-region.js';
import { offsetOf, regionOf } from './regions/region.js';

const MINIMUM = 28;
const SIZE_MASK = 0xf;
/** As many as one device may have (MAX_IOEVENTFDS). */
const LIMIT = 1000;

interface IoEventFd {
  readonly bar: number;
  readonly offset: number;
  readonly size: number;
  readonly data: number;
  readonly irqfd: Irqfd;
}

/** Eventfds whose signals are writes to a BAR (VFIO_DEVICE_IOEVENTFD; vfio_pci_rdwr.c: vfio_pci_ioeventfd). */
export class IoEventFds {
  readonly #all: IoEventFd[] = [];

  constructor(
    private readonly bars: readonly BarRegion[],
    private readonly errorOf: (bar: number) => number,
    private readonly msixTable: MsixTable | undefined,
  ) {}

  get size(): number {
    return this.#all.length;
  }

  /** Adds or, with the descriptor -1, removes one; 0 or a negated errno. An 8-byte one is always `-EINVAL` (quirk W24). */
  set(argument: IoctlArgument, caller: Process): number {
    const request = copyIn(argument, MINIMUM);
    if (request === undefined) return -EFAULT;
    const flags = request.getUint32(4, true);
    const size = flags & SIZE_MASK;
    const fd = request.getInt32(24, true);
    if (request.getUint32(0, true) < MINIMUM || (flags & ~SIZE_MASK) !== 0) return -EINVAL;
    if (size === 0 || (size & (size - 1)) !== 0 || fd < -1) return -EINVAL;
    const position = Number(request.getBigUint64(8, true));
    const bar = regionOf(position);
    const offset = offsetOf(position);
    const region = this.bars[bar];
    if (region === undefined || offset + size > region.resource.length) return -EINVAL;
    if (this.#touchesTable(bar, offset, size) || size === 8) return -EINVAL;
    const error = this.errorOf(bar);
    if (error < 0) return error;
    const data = request.getUint32(16, true);
    const wide = request.getUint32(20, true);
    const index = this.#all.findIndex(
      (other) =>
        other.bar === bar &&
        other.offset === offset &&
        other.size === size &&
        other.data === data + wide * 2 ** 32,
    );
    if (index !== -1) {
      if (fd !== -1) return -EEXIST;
      this.#all.splice(index, 1)[0]?.irqfd.remove();
      return 0;
    }
    if (fd === -1) return -ENODEV;
    if (this.#all.length >= LIMIT) return -ENOSPC;
    const eventfd = resolveEventFd(fd, caller);
    if (typeof eventfd === 'number') return eventfd;
    const irqfd = new Irqfd(() => this.#write(region, offset, size as 1 | 2 | 4, data));
    this.#all.push({ bar, offset, size, data: data + wide * 2 ** 32, irqfd });
    irqfd.attach(eventfd);
    return 0;
  }

  /** The last close takes them all away. */
  removeAll(): void {
    for (const { irqfd } of this.#all) irqfd.remove();
    this.#all.length = 0;
  }

  /** A signal while memory is off is lost without a trace. Alignment is not asked for. */
  #write({ window }: BarRegion, offset: number, size: 1 | 2 | 4, data: number): void {
    if (window.gate !== undefined && !window.gate.open) return;
    window.block.write(offset, size, size === 4 ? data : data & (2 ** (8 * size) - 1));
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
