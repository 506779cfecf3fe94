import type { Apqn } from '../arch/apqn.js';
import type { QueueStatus } from '../arch/queue-status.js';

/** A guest's claim on a queue's interrupts: what has to be given back when they end. */
export interface QueueRegistration {
  /** The guest's address of the notification indicator byte, whose page is pinned. */
  readonly nib: number;
  /** The guest's interruption subclass, of which the host is alerted. */
  readonly isc: number;
  /** Unregisters the subclass and unpins the page. */
  readonly release: () => void;
}

/** A queue that is for guests: what the host keeps of it. */
export class PassedQueue {
  /** What interrupts of a guest are registered. */
  irq: QueueRegistration | undefined;
  /** The status of the last ZAPQ. */
  resetStatus: QueueStatus = 0;
  /** Whether a reset has been started and not been seen to finish. */
  resetting = false;

  constructor(readonly apqn: Apqn) {}

  /** Lets go of interrupt resources, if there are any (vfio_ap_free_aqic_resources). */
  releaseIrq(): void {
    this.irq?.release();
    this.irq = undefined;
  }
}
