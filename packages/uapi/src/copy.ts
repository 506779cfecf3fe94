import { E2BIG, EFAULT, EINVAL } from './errno.js';
import type { IoctlArgument } from './file.js';
import { type InfoCapability, layoutCapabilities } from './info-capability.js';
import type { Struct } from './struct.js';

/**
 * The first `size` bytes of an ioctl's argument, as the caller's own memory: reading the view is copy_from_user, writing
 * it is copy_to_user. Whoever wants to leave a caller's memory alone on failure writes last.
 *
 * @returns `undefined` (EFAULT) if the argument is no memory or less of it.
 */
export function copyIn(argument: IoctlArgument, size: number): DataView | undefined {
  if (!(argument instanceof Uint8Array) || argument.byteLength < size) return undefined;
  return new DataView(argument.buffer, argument.byteOffset, size);
}

/** Copies bytes over an ioctl's argument, from `at` on; 0, or `-EFAULT` with nothing written. */
export function copyOut(argument: IoctlArgument, bytes: Uint8Array, at = 0): number {
  if (!(argument instanceof Uint8Array) || argument.byteLength < at + bytes.byteLength)
    return -EFAULT;
  argument.set(bytes, at);
  return 0;
}

/**
 * Reads a structure that begins with `argsz`, as the calls of vfio.h do: the first `minimum` bytes are copied, and argsz
 * has to own up to as many. Members behind them read as zero, whatever the caller put there.
 *
 * @param minimum bytes, as a rule the end of the last member that the first version of the call had (`minsz`).
 * @returns the structure, `-EFAULT` or `-EINVAL`.
 */
export function copyArgszIn<T>(
  argument: IoctlArgument,
  layout: Struct<T>,
  minimum = layout.size,
): T | number {
  const view = copyIn(argument, minimum);
  if (view === undefined) return -EFAULT;
  return view.getUint32(0, true) < minimum ? -EINVAL : layout.decode(view);
}

/**
 * Reads a structure that begins with its size, as the calls of iommufd.h and VFIO_DEVICE_BIND_IOMMUFD do: shorter ones
 * are filled up with zeroes, of longer ones the rest has to be zero (copy_struct_from_user).
 *
 * @returns the structure, `-EFAULT`, `-EINVAL` (smaller than `minimum`) or `-E2BIG` (it asks for what is not known here).
 */
export function copySizedIn<T>(
  argument: IoctlArgument,
  layout: Struct<T>,
  minimum = layout.size,
): T | number {
  const size = copyIn(argument, 4)?.getUint32(0, true);
  if (size === undefined) return -EFAULT;
  if (size < minimum) return -EINVAL;
  const view = copyIn(argument, size);
  if (view === undefined) return -EFAULT;
  for (let at = layout.size; at < size; at += 1) if (view.getUint8(at) !== 0) return -E2BIG;
  return layout.decode(view);
}

/**
 * Writes members of a structure back to where it came from, and no byte behind the argument's `size`.
 *
 * @param size how much the caller has room for: argsz, or all of it.
 * @returns 0 or `-EFAULT`.
 */
export function copyStructOut<T>(
  argument: IoctlArgument,
  layout: Struct<T>,
  value: Partial<T>,
  size = layout.size,
): number {
  const room = Math.min(size, layout.size);
  if (!(argument instanceof Uint8Array) || argument.byteLength < room) return -EFAULT;
  if (room === layout.size) {
    layout.encode(value, argument);
    return 0;
  }
  // The caller's structure is an older, shorter one: of the last members it has nothing, or a part.
  const whole = new Uint8Array(layout.size);
  whole.set(argument.subarray(0, room));
  return copyOut(argument, layout.encode(value, whole).subarray(0, room));
}

/** An info structure that a chain of capabilities may follow. */
interface InfoStruct {
  /** Bytes of room that the caller has; in the answer, how many there would have to be. */
  readonly argsz: number;
  readonly flags: number;
  readonly capOffset: number;
}

/**
 * Answers an info call: the chain of capabilities first, then the structure in front of it, whose members `argsz`,
 * `flags` and `capOffset` say what became of the chain; see {@link layoutCapabilities}. Without capabilities they stay
 * as `value` has them.
 *
 * @param value `argsz` as the caller gave it, and what there is to tell; members that are absent stay the caller's.
 * @param capsFlag the flag that says that there are capabilities.
 * @returns 0 or `-EFAULT`.
 */
export function copyInfoOut<T extends InfoStruct>(
  argument: IoctlArgument,
  layout: Struct<T>,
  value: Partial<T> & Pick<T, 'argsz' | 'flags'>,
  capabilities: readonly InfoCapability[],
  capsFlag: number,
): number {
  const { argsz, flags } = value;
  if (capabilities.length === 0) return copyStructOut(argument, layout, value, argsz);
  const { chain, ...told } = layoutCapabilities(layout.size, argsz, capabilities);
  if (chain.length > 0 && copyOut(argument, chain, layout.size) < 0) return -EFAULT;
  return copyStructOut(argument, layout, { ...value, ...told, flags: flags | capsFlag }, argsz);
}
