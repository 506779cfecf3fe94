import { VfioError } from '@vfiokit/uapi';
import type { KernelLog } from '../kernel-log.js';

/**
 * Runs what a write to an attribute asks for, and answers as the attribute does: 0, or the negated errno of the
 * {@link VfioError} that it throws. What would help goes into the kernel's log, because a write(2) cannot say it.
 */
export function attempt(log: KernelLog, action: () => void): number {
  try {
    action();
    return 0;
  } catch (error) {
    if (!(error instanceof VfioError)) throw error;
    const [subject, ...text] = error.message.split(': ');
    log.write('warning', subject ?? '', text.join(': '));
    return error.errno;
  }
}
