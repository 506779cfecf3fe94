import {
  copyArgszIn,
  copyIn,
  EFAULT,
  type IoctlArgument,
  irqSetDataSize,
  type Process,
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_TYPE_MASK,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
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
  const size = irqSetDataSize(header, indexes, available);
  if (size < 0) return size;
  const whole = copyIn(argument, vfioIrqSet.size + size);
  if (whole === undefined) return -EFAULT;
  const { flags, index, start, count } = header;
  return {
    index,
    start,
    count,
    action: ACTIONS[flags & VFIO_IRQ_SET_ACTION_TYPE_MASK] ?? 'none or several',
    data: readData(flags & VFIO_IRQ_SET_DATA_TYPE_MASK, count, whole),
    caller,
  };
}

function readData(type: number, count: number, whole: DataView): IrqData {
  const { size: at } = vfioIrqSet;
  switch (type) {
    case VFIO_IRQ_SET_DATA_BOOL:
      return {
        kind: 'bool',
        values: Uint8Array.from({ length: count }, (_, i) => whole.getUint8(at + i)),
      };
    case VFIO_IRQ_SET_DATA_EVENTFD:
      return {
        kind: 'eventfd',
        fds: Int32Array.from({ length: count }, (_, i) => whole.getInt32(at + 4 * i, true)),
      };
    default:
      return { kind: 'none' };
  }
}
