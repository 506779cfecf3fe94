import type { KernelLog } from '@vfiokit/driver-model';
import { type EventFd, VFIO_AP_CFG_CHG_IRQ_INDEX, VFIO_AP_REQ_IRQ_INDEX } from '@vfiokit/uapi';
import type { Apqn } from '../arch/apqn.js';
import type { ApMatrix } from '../arch/matrix.js';
import { AP_RESPONSE, queueStatus } from '../arch/queue-status.js';
import type { Kvm } from '../kvm/kvm.js';
import type { PqapHook } from '../kvm/pqap.js';
import type { PagePins } from '../vfio/page-pins.js';
import type { PassedQueue } from './passed-queue.js';
import type { QueueInterrupts } from './queue-interrupts.js';
import type { QueueReset } from './queue-reset.js';

/** What an attachment works with. */
export interface AttachmentParts {
  /** The device, for messages. */
  readonly name: string;
  readonly reset: QueueReset;
  readonly interrupts: QueueInterrupts;
  readonly log: KernelLog;
  /** How many eventfds the device has. */
  readonly irqs: 0 | 2;
  /** Whether PQAP(AQIC) of the guest is answered. */
  readonly answersAqic: boolean;
  /** All queues that are passed through the device. */
  queues(): readonly PassedQueue[];
  /** One of them; `undefined` if it is not passed through the device. */
  queue(apqn: Apqn): PassedQueue | undefined;
}

/** What ties a device that passes queues to the virtual machine that uses it: masks, hook, eventfds. */
export class GuestAttachment {
  /** The eventfds of VFIO_DEVICE_SET_IRQS, by index (VFIO_AP_*_IRQ_INDEX). They outlive a close. */
  readonly triggers: (EventFd | undefined)[] = [];
  #kvm: Kvm | undefined;
  #pins: PagePins | undefined;

  constructor(private readonly parts: AttachmentParts) {}

  /** The machine that uses the device. */
  get kvm(): Kvm | undefined {
    return this.#kvm;
  }

  get irqs(): 0 | 2 {
    return this.parts.irqs;
  }

  /** Gives a machine its queues. They are clean: whoever had them before was made to leave them so. */
  attach(kvm: Kvm, masks: ApMatrix, pins: PagePins): void {
    kvm.getReference();
    kvm.matrices += 1;
    if (this.parts.answersAqic) kvm.pqapHook = this.#pqapHook;
    this.#kvm = kvm;
    this.#pins = pins;
    kvm.setMasks(masks);
  }

  /** Takes the queues from the machine, cleans them, and lets the machine go. Nothing without one. */
  detach(): void {
    const kvm = this.#kvm;
    if (kvm === undefined) return;
    if (kvm.pqapHook === this.#pqapHook) kvm.pqapHook = undefined;
    kvm.clearMasks();
    this.reset();
    this.#kvm = undefined;
    kvm.matrices -= 1;
    kvm.putReference();
  }

  /** Forgets the machine and leaves it what it has, as the drafts of 2018 did. */
  forget(): void {
    this.#kvm = undefined;
  }

  /** Gives the machine another matrix, and tells it. Nothing without one. */
  push(masks: ApMatrix): void {
    if (this.#kvm === undefined) return;
    this.#kvm.setMasks(masks);
    this.triggers[VFIO_AP_CFG_CHG_IRQ_INDEX]?.signal();
  }

  /**
   * User space is asked to let go of the device, again every ten seconds (vfio_ap_mdev_request). A guest loses its queues
   * at the first request, though nobody has taken them from its matrix: a later {@link push} gives them back.
   */
  request(count: number): void {
    const { log, name } = this.parts;
    if (this.#kvm !== undefined) {
      this.#kvm.clearMasks();
      this.triggers[VFIO_AP_CFG_CHG_IRQ_INDEX]?.signal();
    }
    const trigger = this.triggers[VFIO_AP_REQ_IRQ_INDEX];
    if (trigger !== undefined) {
      if (count % 10 === 0) log.write('info', name, `relaying device request to user (#${count})`);
      trigger.signal();
    } else if (count === 0) {
      log.write('warning', name, 'no device request registered, blocked until released by user');
    }
  }

  /** VFIO_DEVICE_RESET: zeroizes all queues; false if ZAPQ did not answer 00 for each. */
  reset(): boolean {
    return this.parts.reset.resetQueues(this.parts.queues());
  }

  /** User space unmapped a range of the guest's storage: nothing may stay pinned there (vfio_ap_mdev_dma_unmap). */
  dmaUnmap(iova: number, size: number): void {
    for (const queue of this.parts.queues()) {
      const nib = queue.irq?.nib;
      if (nib !== undefined && nib >= iova && nib < iova + size)
        this.parts.interrupts.disable(queue);
    }
  }

  readonly #pqapHook: PqapHook = (aqic) => {
    const kvm = this.#kvm;
    if (kvm !== undefined && !kvm.aiv) return undefined;
    const queue = this.parts.queue(aqic.apqn);
    const pins = this.#pins;
    if (kvm === undefined || pins === undefined || queue === undefined)
      return queueStatus(AP_RESPONSE.Q_NOT_AVAIL);
    return aqic.enable
      ? this.parts.interrupts.enable(queue, kvm, pins, aqic)
      : this.parts.interrupts.disable(queue);
  };
}
