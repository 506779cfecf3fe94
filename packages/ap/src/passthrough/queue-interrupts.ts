import type { ApInstructions } from '../arch/instructions.js';
import {
  AP_QUEUE_STATUS,
  AP_RESPONSE,
  type QueueStatus,
  queueStatus,
  responseCode,
} from '../arch/queue-status.js';
import type { KernelClock } from '../kernel-clock.js';
import type { Kvm } from '../kvm/kvm.js';
import type { AqicIntercept } from '../kvm/pqap.js';
import type { PagePins } from '../vfio/page-pins.js';
import type { PassedQueue, QueueRegistration } from './passed-queue.js';

const { NORMAL, RESET_IN_PROGRESS, BUSY, INVALID_ADDRESS, OTHERWISE_CHANGED } = AP_RESPONSE;

/** The interruption subclass of AP in the host. */
const AP_ISC = 6;

const DISABLE_ATTEMPTS = 6;
const DISABLE_INTERVAL = 20;
const DISABLED_POLLS = 5;

const INVALID_NIB = queueStatus(INVALID_ADDRESS);

/** Carries out a guest's PQAP(AQIC) on the host's queue: pins what the adapter is to write to, and registers whom to alert. */
export class QueueInterrupts {
  constructor(
    private readonly ap: ApInstructions,
    private readonly clock: KernelClock,
  ) {}

  /**
   * Enables interrupts of a queue for a guest (vfio_ap_ops.c: vfio_ap_irq_enable).
   *
   * @param pins pins the page of the indicator.
   * @returns the status for the guest; after a failure nothing new is pinned or registered.
   */
  enable(queue: PassedQueue, kvm: Kvm, pins: PagePins, { isc, nib }: AqicIntercept): QueueStatus {
    const inStorage = nib !== 0 && kvm.memory.resolve(nib) !== undefined;
    if (!inStorage || !pins.pin(nib)) return INVALID_NIB;
    if (!kvm.isShared(nib)) {
      pins.unpin(nib);
      return INVALID_NIB;
    }
    const { gisa } = kvm;
    if (gisa === undefined || !gisa.register(isc)) {
      pins.unpin(nib);
      return INVALID_NIB;
    }
    const registration: QueueRegistration = {
      nib,
      isc,
      release: () => {
        gisa.unregister(isc);
        pins.unpin(nib);
      },
    };
    const status = this.ap.aqic(queue.apqn, {
      enable: true,
      isc: AP_ISC,
      nib,
      guest: { isc, area: gisa },
    });
    switch (responseCode(status)) {
      case NORMAL:
        // Enabling again with another byte leaves the earlier one behind only now that the adapter has taken the new one.
        queue.releaseIrq();
        queue.irq = registration;
        break;
      case OTHERWISE_CHANGED:
        registration.release();
        break;
      default:
        // The kernel keeps the new pin and reference for good here; that serves nobody.
        registration.release();
        this.disable(queue);
    }
    return status;
  }

  /**
   * Disables interrupts of a queue and gives back what they held, whatever the hardware says (vfio_ap_irq_disable).
   *
   * @returns the last status.
   */
  disable(queue: PassedQueue): QueueStatus {
    let status: QueueStatus = 0;
    for (let attempt = 0; attempt < DISABLE_ATTEMPTS; attempt++) {
      status = this.ap.aqic(queue.apqn, { enable: false, isc: 0, nib: 0 });
      const code = responseCode(status);
      if (code === NORMAL || code === OTHERWISE_CHANGED) {
        this.#waitUntilDisabled(queue);
        break;
      }
      if (code !== RESET_IN_PROGRESS && code !== BUSY) break;
      this.clock.sleep(DISABLE_INTERVAL);
    }
    queue.releaseIrq();
    return status;
  }

  /** The adapter may still write the indicator until the enabled bit is gone: the page must stay pinned so long. */
  #waitUntilDisabled(queue: PassedQueue): void {
    for (let poll = 0; poll < DISABLED_POLLS; poll++) {
      if ((this.ap.tapq(queue.apqn) & AP_QUEUE_STATUS.IRQ_ENABLED) === 0) return;
      this.clock.sleep(DISABLE_INTERVAL);
    }
  }
}
