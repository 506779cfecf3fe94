import {
  copyArgszIn,
  copyIn,
  EFAULT,
  EINVAL,
  type IoctlArgument,
  type Process,
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_TYPE_MASK,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_IRQ_SET_DATA_TYPE_MASK,
  vfioIrqSet,
} from '@vfiokit/uapi';

/** What VFIO_DEVICE_SET_IRQS asks, checked for everything that does not depend on the kind of interrupt. */
export interface IrqRequest {
  readonly index: number;
  readonly start: number;
  readonly count: number;
  readonly action: 'mask' | 'unmask' | 'trigger' | 'none or several';
  readonly data: IrqData;
  /** Whose descriptors the data names. */
  readonly caller: Process;
}

/** One value an interrupt, or none at all. */
export type IrqData =
  | { readonly kind: 'none' }
  | { readonly kind: 'bool'; readonly values: Uint8Array }
  /** Descriptors, negative for none. */
  | { readonly kind: 'eventfd'; readonly fds: Int32Array };

const HEADER_SIZE = vfioIrqSet.size;
const COUNT_LIMIT = 0xffffffff;

const ACTIONS: Readonly<Record<number, IrqRequest['action']>> = {
  [VFIO_IRQ_SET_ACTION_MASK]: 'mask',
  [VFIO_IRQ_SET_ACTION_UNMASK]: 'unmask',
  [VFIO_IRQ_SET_ACTION_TRIGGER]: 'trigger',
};

/**
 * Reads and checks a struct vfio_irq_set (vfio_main.c: vfio_set_irqs_validate_and_prepare).
 *
 * @param indexes how many interrupt indexes the device has.
 * @param available how many interrupts an index has now.
 * @returns the request, or `-EFAULT` or `-EINVAL`.
 */
export function readIrqSet(
  argument: IoctlArgument,
  caller: Process,
  indexes: number,
  available: (index: number) => number,
): IrqRequest | number {
  const header = copyArgszIn(argument, vfioIrqSet);
  if (typeof header === 'number') return header;
  const { argsz, flags, index, start, count } = header;
  const known = VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK;
  if (index >= indexes || count >= COUNT_LIMIT - start || (flags & ~known) !== 0) return -EINVAL;
  const most = available(index);
  if (start >= most || start + count > most) return -EINVAL;
  const size = elementSize(flags & VFIO_IRQ_SET_DATA_TYPE_MASK);
  if (size === undefined || argsz - HEADER_SIZE < count * size) return -EINVAL;
  const data = copyIn(argument, HEADER_SIZE + count * size);
  if (data === undefined) return -EFAULT;
  return {
    index,
    start,
    count,
    action: ACTIONS[flags & VFIO_IRQ_SET_ACTION_TYPE_MASK] ?? 'none or several',
    data: readData(size, count, data),
    caller,
  };
}

function elementSize(type: number): number | undefined {
  if (type === VFIO_IRQ_SET_DATA_NONE) return 0;
  if (type === VFIO_IRQ_SET_DATA_BOOL) return 1;
  return type === VFIO_IRQ_SET_DATA_EVENTFD ? 4 : undefined;
}

function readData(size: number, count: number, bytes: DataView): IrqData {
  if (size === 0) return { kind: 'none' };
  if (size === 1)
    return {
      kind: 'bool',
      values: Uint8Array.from({ length: count }, (_, i) => bytes.getUint8(HEADER_SIZE + i)),
    };
  const fds = Int32Array.from({ length: count }, (_, i) =>
    bytes.getInt32(HEADER_SIZE + 4 * i, true),
  );
  return { kind: 'eventfd', fds };
}
