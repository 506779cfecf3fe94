import type { AccessSize } from '@vfiokit/uapi';

/** The widest naturally aligned access that starts at an offset and touches at most so many bytes. */
export function alignedSize(offset: number, count: number): AccessSize {
  if (count >= 4 && offset % 4 === 0) return 4;
  return count >= 2 && offset % 2 === 0 ? 2 : 1;
}
