import { EINVAL, ENOTTY, type EventFd } from '@vfiokit/uapi';
import type { IrqRequest } from './irq-set.js';

/**
 * An interrupt index that is nothing but an eventfd: errors (ERR) and release requests (REQ)
 * (vfio_pci_intrs.c: vfio_pci_set_ctx_trigger_single).
 */
export class Notifier {
  #trigger: EventFd | undefined;

  get armed(): boolean {
    return this.#trigger !== undefined;
  }

  /** Tells user space, if it asked to be told. */
  signal(): void {
    this.#trigger?.signal();
  }

  clear(): void {
    this.#trigger = undefined;
  }

  /** SET_IRQS on index 3 or 4; it does not matter which kind of interrupt is active. */
  set({ action, start, count, data, caller }: IrqRequest): number {
    if (action !== 'trigger') return -ENOTTY;
    if (start !== 0 || count > 1) return -EINVAL;
    if (data.kind === 'none') {
      if (!this.armed) return -EINVAL;
      if (count === 0) this.clear();
      else this.signal();
      return 0;
    }
    if (count === 0) return -EINVAL;
    if (data.kind === 'bool') {
      if (data.values[0] !== 0) this.signal();
      return 0;
    }
    const fd = data.fds[0]!;
    if (fd === -1) {
      this.clear();
      return 0;
    }
    // Unlike INTx and MSI, only -1 means "none" here (quirk W34).
    if (fd < 0) return -EINVAL;
    const trigger = caller.fds.eventFd(fd);
    if (typeof trigger === 'number') return trigger;
    this.#trigger = trigger;
    return 0;
  }
}
