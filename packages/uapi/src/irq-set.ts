import { EINVAL } from './errno.js';
import { type StructOf, struct, u32 } from './struct.js';

/** VFIO_DEVICE_SET_IRQS, without the data that follows: one element for each of `count` interrupts from `start` on. */
export const vfioIrqSet = struct('vfio_irq_set', {
  argsz: u32,
  flags: u32,
  index: u32,
  start: u32,
  count: u32,
});
export type VfioIrqSet = StructOf<typeof vfioIrqSet>;

/** No data. */
export const VFIO_IRQ_SET_DATA_NONE = 0x1;
/** A u8 for each interrupt; zero leaves it alone. */
export const VFIO_IRQ_SET_DATA_BOOL = 0x2;
/** An s32 for each interrupt: a descriptor, negative for none. */
export const VFIO_IRQ_SET_DATA_EVENTFD = 0x4;
export const VFIO_IRQ_SET_ACTION_MASK = 0x8;
export const VFIO_IRQ_SET_ACTION_UNMASK = 0x10;
export const VFIO_IRQ_SET_ACTION_TRIGGER = 0x20;
export const VFIO_IRQ_SET_DATA_TYPE_MASK = 0x7;
export const VFIO_IRQ_SET_ACTION_TYPE_MASK = 0x38;

/** Bytes of data for each interrupt, by type; several types at once are none. */
const DATA_SIZE: Readonly<Record<number, number>> = {
  [VFIO_IRQ_SET_DATA_NONE]: 0,
  [VFIO_IRQ_SET_DATA_BOOL]: 1,
  [VFIO_IRQ_SET_DATA_EVENTFD]: 4,
};
const KNOWN_FLAGS = VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK;
const COUNT_LIMIT = 0xffffffff;

/**
 * Checks what does not depend on the kind of interrupt (vfio_main.c: vfio_set_irqs_validate_and_prepare).
 *
 * @param indexes how many interrupt indexes the device has.
 * @param available how many interrupts an index has now.
 * @returns bytes of the data that follows, or `-EINVAL`.
 */
export function irqSetDataSize(
  { argsz, flags, index, start, count }: VfioIrqSet,
  indexes: number,
  available: (index: number) => number,
): number {
  if (index >= indexes || count >= COUNT_LIMIT - start) return -EINVAL;
  if ((flags & ~KNOWN_FLAGS) !== 0) return -EINVAL;
  const most = available(index);
  if (start >= most || start + count > most) return -EINVAL;
  const size = DATA_SIZE[flags & VFIO_IRQ_SET_DATA_TYPE_MASK];
  return size === undefined || argsz - vfioIrqSet.size < count * size ? -EINVAL : count * size;
}

/** What to do with interrupts, by name. */
export type IrqAction = 'mask' | 'unmask' | 'trigger';

/** The flag of each action. */
export const IRQ_ACTION_FLAGS: Readonly<Record<IrqAction, number>> = {
  mask: VFIO_IRQ_SET_ACTION_MASK,
  unmask: VFIO_IRQ_SET_ACTION_UNMASK,
  trigger: VFIO_IRQ_SET_ACTION_TRIGGER,
};

/** What VFIO_DEVICE_SET_IRQS asks for: an action on interrupts in a row, with or without a value for each. */
export interface IrqSetRequest {
  readonly index: number;
  readonly action: IrqAction;
  /** The first interrupt; 0 unless given. */
  readonly start?: number;
  /** A number of interrupts without data, a truth value for each, or a descriptor for each. */
  readonly data:
    | { readonly count: number }
    | { readonly bools: readonly boolean[] }
    | { readonly fds: readonly number[] };
}

/** The argument of VFIO_DEVICE_SET_IRQS. */
export function encodeIrqSet({ index, action, start = 0, data }: IrqSetRequest): Uint8Array {
  const { type, count, body } = encodeData(data);
  const argsz = vfioIrqSet.size + body.length;
  const out = new Uint8Array(argsz);
  vfioIrqSet.encode({ argsz, flags: IRQ_ACTION_FLAGS[action] | type, index, start, count }, out);
  out.set(body, vfioIrqSet.size);
  return out;
}

function encodeData(data: IrqSetRequest['data']): {
  type: number;
  count: number;
  body: Uint8Array;
} {
  if ('count' in data)
    return { type: VFIO_IRQ_SET_DATA_NONE, count: data.count, body: new Uint8Array(0) };
  if ('bools' in data)
    return {
      type: VFIO_IRQ_SET_DATA_BOOL,
      count: data.bools.length,
      body: Uint8Array.from(data.bools, Number),
    };
  const body = new Uint8Array(4 * data.fds.length);
  const view = new DataView(body.buffer);
  for (const [index, fd] of data.fds.entries()) view.setInt32(4 * index, fd, true);
  return { type: VFIO_IRQ_SET_DATA_EVENTFD, count: data.fds.length, body };
}
