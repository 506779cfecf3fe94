import { EINVAL } from '@vfiokit/uapi';
import { PAGE_SIZE } from './sysfs/model-sysfs.js';

/** What an override that is not set reads as. One whose text is this can't be told from it. */
export const NO_OVERRIDE = '(null)';

/**
 * The override that a write asks for: what stands before the first NUL and the first newline, nothing trimmed; `null`
 * clears it; `-EINVAL` from a page less one byte on (drivers/base/core.c: __device_set_driver_override).
 */
export function parseDriverOverride(text: string): string | null | number {
  if (text.length >= PAGE_SIZE - 1) return -EINVAL;
  const value = /^[^\0\n]*/.exec(text)![0];
  return value === '' ? null : value;
}
