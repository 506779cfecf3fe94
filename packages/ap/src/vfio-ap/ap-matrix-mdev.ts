import { type EventFd, VfioError } from '@vfiokit/uapi';
import {
  type ApMatrix,
  EMPTY_MATRIX,
  matrixHas,
  type QueueMatrix,
  queuesOf,
} from '../arch/matrix.js';
import { highestIds } from '../arch/qci.js';
import { AP_RESPONSE, queueStatus } from '../arch/queue-status.js';
import type { Kvm } from '../kvm/kvm.js';
import type { PqapHook } from '../kvm/pqap.js';
import type { MatrixDev } from './matrix-dev.js';
import type { VfioApQueue } from './vfio-ap-queue.js';

/** The eventfds of the device, by the index that VFIO_DEVICE_SET_IRQS calls them. */
export const VFIO_AP_IRQ = { REQUEST: 0, CONFIG_CHANGED: 1 } as const;

/**
 * A mediated matrix device: what an administrator assigned, and what a guest has of it (struct ap_matrix_mdev).
 *
 * {@link matrix} never shrinks because hardware or bindings go; {@link shadow} does, and comes back by itself.
 */
export class ApMatrixMdev {
  /** What is assigned. Disjoint, queue by queue, from every other device's. */
  matrix: ApMatrix = EMPTY_MATRIX;
  /** What the guest has, or would have if it ran. */
  shadow: ApMatrix = EMPTY_MATRIX;
  /** What the host got and the guest is to get when the scan is complete. */
  pending: ApMatrix = EMPTY_MATRIX;
  /** The machine that uses the device. */
  kvm: Kvm | undefined;
  /** The highest ids that can be assigned, as they were when the device was created. */
  readonly highest: { readonly apid: number; readonly apqi: number };
  /** Signalled by {@link VFIO_AP_IRQ} index. They outlive a close. */
  readonly triggers: (EventFd | undefined)[] = [];
  #open = false;

  constructor(
    readonly uuid: string,
    readonly matrixDev: MatrixDev,
  ) {
    this.highest = highestIds(matrixDev.info);
  }

  /** The queues that are linked to the device, of all those of a product. */
  linkedQueues(of: QueueMatrix = this.matrix): VfioApQueue[] {
    const queues: VfioApQueue[] = [];
    for (const apqn of queuesOf(of)) {
      const queue = this.matrixDev.findQueue(apqn);
      if (queue?.mdev === this) queues.push(queue);
    }
    return queues;
  }

  /** Gives the guest its matrix, and tells it (vfio_ap_mdev_update_guest_apcb). Nothing without a guest. */
  push(): void {
    if (this.kvm === undefined) return;
    this.kvm.setMasks(this.shadow);
    this.triggers[VFIO_AP_IRQ.CONFIG_CHANGED]?.signal();
  }

  /**
   * First open of the device (vfio_ap_mdev_open_device).
   *
   * @param kvm the machine that the VFIO file is associated with.
   * @throws VfioError `EINVAL` without a machine, `EPERM` if it has another matrix; older generations open all the same.
   */
  open(kvm: Kvm | undefined): void {
    const { generation } = this.matrixDev;
    if (generation.kvm === 'at open') {
      if (kvm === undefined)
        throw new VfioError(
          'EINVAL',
          `${this.uuid}: no virtual machine; associate the VFIO file with one (KVM_DEV_VFIO_FILE_ADD) before the open`,
        );
      if (this.#isTaken(kvm))
        throw new VfioError(
          'EPERM',
          `${this.uuid}: machine "${kvm.name}" has another matrix; one crypto control block holds one product of adapters and domains`,
        );
      this.#attach(kvm);
    }
    this.#open = true;
    if (generation.kvm === 'notified' && kvm !== undefined) this.kvmChanged(kvm);
  }

  /** The VFIO file was associated with a machine, or with none, while the device is open (VFIO_GROUP_NOTIFY_SET_KVM). */
  kvmChanged(kvm: Kvm | undefined): void {
    const { generation, log } = this.matrixDev;
    if (!this.#open || generation.kvm !== 'notified') return;
    if (kvm !== undefined && this.#isTaken(kvm)) {
      // The notifier's answer goes nowhere: the open has succeeded, and the guest just gets nothing through this device.
      log.write('warning', this.uuid, `machine "${kvm.name}" has another matrix; not attached`);
      return;
    }
    if (kvm !== undefined) this.#attach(kvm);
    else if (generation.detachesWhenForgotten) this.#detach();
    else this.kvm = undefined;
  }

  /** Last close of the device: the guest loses its queues, and they are cleaned (vfio_ap_mdev_close_device). */
  close(): void {
    this.#detach();
    this.#open = false;
  }

  /**
   * User space is asked to let go of the device, again every ten seconds (vfio_ap_mdev_request). A guest loses its queues
   * at the first request, but they stay in {@link shadow}: a later change gives them back.
   */
  request(count: number): void {
    const { log } = this.matrixDev;
    if (this.kvm !== undefined) {
      this.kvm.clearMasks();
      this.triggers[VFIO_AP_IRQ.CONFIG_CHANGED]?.signal();
    }
    const trigger = this.triggers[VFIO_AP_IRQ.REQUEST];
    if (trigger !== undefined) {
      if (count % 10 === 0)
        log.write('info', this.uuid, `relaying device request to user (#${count})`);
      trigger.signal();
    } else if (count === 0) {
      log.write(
        'warning',
        this.uuid,
        'no device request registered, blocked until released by user',
      );
    }
  }

  /** VFIO_DEVICE_RESET: zeroizes all linked queues; false if ZAPQ did not answer 00 for each. */
  reset(): boolean {
    return this.matrixDev.reset.resetQueues(this.linkedQueues());
  }

  /** User space unmapped a range of the guest's storage: nothing may stay pinned there (vfio_ap_mdev_dma_unmap). */
  dmaUnmap(iova: number, size: number): void {
    for (const queue of this.linkedQueues()) {
      const nib = queue.irq?.nib;
      if (nib !== undefined && nib >= iova && nib < iova + size)
        this.matrixDev.interrupts.disable(queue);
    }
  }

  readonly #pqapHook: PqapHook = (aqic) => {
    const { kvm, matrixDev } = this;
    if (kvm !== undefined && !kvm.aiv) return undefined;
    const queue = matrixDev.findQueue(aqic.apqn);
    if (kvm === undefined || queue?.mdev !== this) return queueStatus(AP_RESPONSE.Q_NOT_AVAIL);
    return aqic.enable
      ? matrixDev.interrupts.enable(queue, kvm, aqic)
      : matrixDev.interrupts.disable(queue);
  };

  #isTaken(kvm: Kvm): boolean {
    switch (this.matrixDev.generation.taken) {
      case 'counter':
        return kvm.matrices > 0;
      case 'list':
        return this.matrixDev.mdevs.some((other) => other !== this && other.kvm === kvm);
      case 'hook':
        return kvm.pqapHook !== undefined;
    }
  }

  #attach(kvm: Kvm): void {
    const { generation } = this.matrixDev;
    kvm.getReference();
    kvm.matrices += 1;
    if (generation.interrupts) kvm.pqapHook = this.#pqapHook;
    this.kvm = kvm;
    if (!generation.hotPlug) this.shadow = this.matrix;
    this.kvm.setMasks(this.shadow);
  }

  #detach(): void {
    const { kvm } = this;
    if (kvm === undefined) return;
    if (kvm.pqapHook === this.#pqapHook) kvm.pqapHook = undefined;
    kvm.clearMasks();
    this.matrixDev.reset.resetQueues(this.linkedQueues());
    this.kvm = undefined;
    kvm.matrices -= 1;
    kvm.putReference();
  }

  /** What the `status` of a queue says (vfio_ap_ops.c: status_show). */
  statusOf(queue: VfioApQueue): 'in use' | 'assigned' {
    return this.kvm !== undefined && matrixHas(this.shadow, queue.apqn) ? 'in use' : 'assigned';
  }
}
