/**
 * Configuration accesses to one function.
 *
 * Offsets are naturally aligned, sizes 1, 2 or 4, values unsigned and little-endian. What fails answers with a negated
 * errno: `-EFAULT` for an offset outside the space or an unaligned one. A function that is not there (powered off,
 * unplugged) answers reads with all-ones and swallows writes, as the bus does.
 */
export interface ConfigAccess {
  /** Bytes: 256 or 4096. */
  readonly size: number;
  /** The value, or a negated errno. */
  read(offset: number, size: number): number;
  /** 0, or a negated errno. */
  write(offset: number, size: number, value: number): number;
}

/** All-ones of a width, which is what nobody's answer reads as on the bus. */
export function allOnes(size: number): number {
  return size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff;
}
