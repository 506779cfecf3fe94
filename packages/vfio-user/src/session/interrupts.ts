import {
  type DeviceClient,
  EINVAL,
  ENOTTY,
  EventFd,
  IRQ_ACTION_FLAGS,
  type IrqAction,
  VFIO_IRQ_INFO_EVENTFD,
  VFIO_IRQ_INFO_NORESIZE,
  VFIO_IRQ_SET_ACTION_TYPE_MASK,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_IRQ_SET_DATA_TYPE_MASK,
  VFIO_PCI_ERR_IRQ_INDEX,
  VFIO_PCI_INTX_IRQ_INDEX,
  VFIO_PCI_MSI_IRQ_INDEX,
  VFIO_PCI_MSIX_IRQ_INDEX,
  VFIO_PCI_NUM_IRQS,
  VfioError,
  vfioIrqInfo,
  vfioIrqSet,
} from '@vfiokit/uapi';
import type { Descriptors } from '../transport/descriptors.js';
import type { Reply } from './reply.js';

/**
 * One interrupt on its way to the client. The device keeps the same eventfd for good; behind it stands whichever
 * descriptor the client bound last, and a mask that holds signals back.
 */
class Vector {
  readonly sink: EventFd;
  /** The client's descriptor, -1 for none. */
  fd = -1;
  #masked = false;
  #pending = false;

  constructor(private readonly descriptors: Descriptors) {
    this.sink = new EventFd(() => this.#signal());
  }

  get bound(): boolean {
    return this.fd >= 0;
  }

  /** Puts another descriptor, or none, in the place of the one that it returns. */
  swap(fd: number): number {
    const before = this.fd;
    this.fd = fd;
    return before;
  }

  /** Forgets the client. */
  unbind(): void {
    const before = this.swap(-1);
    this.#masked = false;
    this.#pending = false;
    if (before >= 0) this.descriptors.close(before);
  }

  /** Forgets a signal that is held back. */
  drop(): void {
    this.#pending = false;
  }

  setMasked(masked: boolean): void {
    this.#masked = masked;
    if (masked || !this.#pending) return;
    this.#pending = false;
    this.#signal();
  }

  #signal(): void {
    if (this.fd < 0) return;
    if (this.#masked) this.#pending = true;
    else this.descriptors.signal(this.fd);
  }
}

/** A SET_IRQS that passed the checks which no device has a say in. */
interface IrqCommand {
  readonly index: number;
  readonly start: number;
  readonly count: number;
  readonly action: IrqAction;
  readonly data: 'none' | 'bool' | 'eventfd';
  /** Which of the vectors are meant; all of them without it. */
  readonly bools: readonly boolean[] | undefined;
}

const ACTIONS = new Map<number, IrqAction>(
  (Object.entries(IRQ_ACTION_FLAGS) as [IrqAction, number][]).map(([action, flag]) => [
    flag,
    action,
  ]),
);

const DATA = new Map<number, IrqCommand['data']>([
  [VFIO_IRQ_SET_DATA_NONE, 'none'],
  [VFIO_IRQ_SET_DATA_BOOL, 'bool'],
  [VFIO_IRQ_SET_DATA_EVENTFD, 'eventfd'],
]);

/**
 * The interrupts of a client. vfio-user asks less of a client than the kernel does: vectors can be bound in any portions
 * and order, disabling what is not enabled is no error, and message interrupts can be masked.
 */
export class Interrupts {
  readonly #vectors: readonly Vector[][];
  /** By index: the device has been given sinks. */
  readonly #active: boolean[] = Array.from({ length: VFIO_PCI_NUM_IRQS }, () => false);

  constructor(
    private readonly client: DeviceClient,
    private readonly descriptors: Descriptors,
  ) {
    this.#vectors = Array.from({ length: VFIO_PCI_NUM_IRQS }, () => []);
  }

  /** DEVICE_GET_IRQ_INFO */
  info(payload: Uint8Array): Reply {
    if (payload.length < vfioIrqInfo.size) return -EINVAL;
    const { argsz, index } = vfioIrqInfo.decode(payload);
    if (argsz < vfioIrqInfo.size || index >= VFIO_PCI_NUM_IRQS) return -EINVAL;
    const { flags, count } = this.#ask(index);
    return vfioIrqInfo.encode({ argsz: vfioIrqInfo.size, flags, index, count });
  }

  /**
   * DEVICE_SET_IRQS
   *
   * @param fds descriptors that came along; those that were taken over are removed from it.
   */
  set(payload: Uint8Array, fds: number[]): number {
    const command = this.#parse(payload, fds);
    if (typeof command === 'number') return command;
    const { index, action, count, data } = command;
    if (action !== 'trigger') return this.#mask(command);
    if (data === 'eventfd') return this.#bind(command, fds);
    if (count === 0) return this.#disable(index);
    // What is not enabled has nobody to tell.
    return this.#active[index] ? this.#forward(command) : 0;
  }

  /** The device was reset: what is pending is not its any more. Bound eventfds and masks stay, which are the client's. */
  reset(): void {
    for (const vectors of this.#vectors) for (const vector of vectors) vector.drop();
  }

  /** Takes every interrupt away from the client, whatever the device says to it. */
  clear(): void {
    for (const vectors of this.#vectors) for (const vector of vectors) vector.unbind();
    for (const index of this.#active.keys()) this.#disable(index);
  }

  #ask(index: number): { flags: number; count: number } {
    try {
      const { flags, count } = this.client.irqInfo(index);
      // Every vector is allocated by the first bind, so that the others can follow in portions.
      return { flags: flags & ~VFIO_IRQ_INFO_NORESIZE, count };
    } catch (error) {
      if (error instanceof VfioError && error.code === 'EINVAL')
        return { flags: VFIO_IRQ_INFO_EVENTFD, count: 0 };
      throw error;
    }
  }

  #parse(payload: Uint8Array, fds: readonly number[]): IrqCommand | number {
    if (payload.length < vfioIrqSet.size) return -EINVAL;
    const { argsz, flags, index, start, count } = vfioIrqSet.decode(payload);
    const action = ACTIONS.get(flags & VFIO_IRQ_SET_ACTION_TYPE_MASK);
    const data = DATA.get(flags & VFIO_IRQ_SET_DATA_TYPE_MASK);
    if (argsz < vfioIrqSet.size || action === undefined || data === undefined) return -EINVAL;
    if (index >= VFIO_PCI_NUM_IRQS) return -EINVAL;
    const { count: vectors } = this.#ask(index);
    if (start >= vectors || start + count > vectors) return -EINVAL;
    const disable = count === 0 && start === 0 && action === 'trigger' && data === 'none';
    if (count === 0 && !disable) return -EINVAL;
    if (index >= VFIO_PCI_ERR_IRQ_INDEX && action !== 'trigger') return -EINVAL;
    if (data !== 'eventfd' && fds.length > 0) return -EINVAL;
    if (data === 'eventfd') {
      // An eventfd that unmasks would have to be watched; a client that is told so sends messages instead.
      if (action !== 'trigger' || (fds.length !== 0 && fds.length !== count)) return -EINVAL;
      if (!fds.every((fd) => this.descriptors.isEventFd(fd))) return -EINVAL;
    }
    const named = payload.subarray(vfioIrqSet.size);
    if (data === 'bool' && named.length !== count) return -EINVAL;
    const bools = data === 'bool' ? Array.from(named, (byte) => byte !== 0) : undefined;
    return { index, start, count, action, data, bools };
  }

  #bind(command: IrqCommand, fds: number[]): number {
    const { index, start, count } = command;
    const taken = fds.length === 0 ? Array.from({ length: count }, () => -1) : fds.slice();
    const whole = index === VFIO_PCI_MSI_IRQ_INDEX || index === VFIO_PCI_MSIX_IRQ_INDEX;
    if (!whole && fds.length === 0) return this.#disable(index);
    const first = this.#active[index] || !whole ? start : 0;
    const length = this.#active[index] || !whole ? count : this.#ask(index).count;
    // What was pending is delivered while the device binds, so the descriptors have to be there before.
    const before = taken.map((fd, i) => this.#vector(index, start + i).swap(fd));
    try {
      const eventfds = Array.from({ length }, (_, i) => this.#sink(index, first + i));
      this.client.setIrqs({ index, start: first, eventfds });
    } catch (error) {
      for (const [i, fd] of before.entries()) this.#vector(index, start + i).swap(fd);
      throw error;
    }
    this.#active[index] = true;
    for (const fd of before) if (fd >= 0) this.descriptors.close(fd);
    fds.length = 0;
    return 0;
  }

  #sink(index: number, vector: number): EventFd | undefined {
    const known = this.#vectors[index]![vector];
    return known?.bound === true ? known.sink : undefined;
  }

  #disable(index: number): number {
    if (this.#active[index]) this.client.disableIrqs(index);
    this.#active[index] = false;
    for (const vector of this.#vectors[index]!) vector.unbind();
    return 0;
  }

  /** INTx is masked by the device, message interrupts on their way. */
  #mask(command: IrqCommand): number {
    const { index, action, start, count, bools } = command;
    if (index === VFIO_PCI_INTX_IRQ_INDEX) return this.#active[index] ? this.#forward(command) : 0;
    for (let i = 0; i < count; i += 1)
      if (bools?.[i] !== false) this.#vector(index, start + i).setMasked(action === 'mask');
    try {
      return this.#active[index] ? this.#forward(command) : 0;
    } catch (error) {
      // The kernel's drivers don't know masks of message interrupts; one that does has heard of it now.
      if (error instanceof VfioError && error.errno === -ENOTTY) return 0;
      throw error;
    }
  }

  #forward({ index, action, start, count, bools }: IrqCommand): number {
    this.client.setIrqs(
      bools === undefined ? { index, action, start, count } : { index, action, start, bools },
    );
    return 0;
  }

  #vector(index: number, vector: number): Vector {
    const vectors = this.#vectors[index]!;
    for (let next = vectors.length; next <= vector; next += 1)
      vectors.push(new Vector(this.descriptors));
    return vectors[vector]!;
  }
}
