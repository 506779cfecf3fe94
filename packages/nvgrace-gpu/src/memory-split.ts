import { VfioError } from '@vfiokit/uapi';

/** What is kept uncached for the guest's driver at least. */
const RESMEM_SIZE = 2 ** 30;
/** Guests add memory in blocks of this size. */
const MEMBLK_SIZE = 512 * 2 ** 20;

/** A part of the GPU's memory that a guest sees as a BAR. */
export interface MemoryPart {
  /** Physical address. */
  readonly base: bigint;
  /** Bytes of memory. */
  readonly length: number;
  /** Bytes of the BAR: the next power of two. */
  readonly barSize: number;
}

/** The GPU's memory as BARs: nearly all of it cached; and, where hardware needs it, the end uncached. */
export interface MemorySplit {
  readonly usemem: MemoryPart;
  readonly resmem: MemoryPart | undefined;
}

/**
 * Divides the GPU's memory (nvgrace-gpu/main.c: nvgrace_gpu_init_nvdev_struct).
 *
 * @param hasMigBug Grace Hopper can't partition the GPU with all of its memory cached.
 * @throws VfioError EOVERFLOW for less memory than has to be kept back, EINVAL if no whole block is left.
 */
export function splitMemory(
  name: string,
  base: bigint,
  total: number,
  hasMigBug: boolean,
): MemorySplit {
  if (!hasMigBug)
    return { usemem: { base, length: total, barSize: powerOfTwo(total) }, resmem: undefined };
  const left = total - RESMEM_SIZE;
  if (left < 0)
    throw new VfioError(
      'EOVERFLOW',
      `${name}: its memory of ${total} bytes is less than what is kept uncached`,
    );
  const length = left - (left % MEMBLK_SIZE);
  if (length === 0)
    throw new VfioError(
      'EINVAL',
      `${name}: its memory of ${total} bytes leaves no block of 512 MiB to the guest`,
    );
  const rest = total - length;
  return {
    // The BAR is as large as the memory was before whole blocks were made of it.
    usemem: { base, length, barSize: powerOfTwo(left) },
    resmem: { base: base + BigInt(length), length: rest, barSize: powerOfTwo(rest) },
  };
}

/** The next power of two; exact, as sizes may be larger than 32 bits. */
function powerOfTwo(value: number): number {
  let power = 1;
  while (power < value) power *= 2;
  return power;
}
