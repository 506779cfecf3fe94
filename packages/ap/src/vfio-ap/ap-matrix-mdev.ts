import { VfioError } from '@vfiokit/uapi';
import {
  type ApMatrix,
  EMPTY_MATRIX,
  matrixHas,
  type QueueMatrix,
  queuesOf,
} from '../arch/matrix.js';
import { highestIds } from '../arch/qci.js';
import type { Kvm } from '../kvm/kvm.js';
import { GuestAttachment } from '../passthrough/guest-attachment.js';
import type { PagePins } from '../vfio/page-pins.js';
import type { MatrixDev } from './matrix-dev.js';
import type { VfioApQueue } from './vfio-ap-queue.js';

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
  /** The highest ids that can be assigned, as they were when the device was created. */
  readonly highest: { readonly apid: number; readonly apqi: number };
  readonly attachment: GuestAttachment;
  /** Present while the device is open. */
  #pins: PagePins | undefined;

  constructor(
    readonly uuid: string,
    readonly matrixDev: MatrixDev,
  ) {
    this.highest = highestIds(matrixDev.info);
    this.attachment = new GuestAttachment({
      name: uuid,
      reset: matrixDev.reset,
      interrupts: matrixDev.interrupts,
      log: matrixDev.log,
      irqs: matrixDev.generation.irqs,
      answersAqic: matrixDev.generation.interrupts,
      queues: () => this.linkedQueues(),
      queue: (apqn) => {
        const queue = matrixDev.findQueue(apqn);
        return queue?.mdev === this ? queue : undefined;
      },
    });
  }

  /** The machine that uses the device. */
  get kvm(): Kvm | undefined {
    return this.attachment.kvm;
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
    this.attachment.push(this.shadow);
  }

  /**
   * First open of the device (vfio_ap_mdev_open_device).
   *
   * @param kvm the machine that the VFIO file is associated with.
   * @param pins pins pages of its storage while the device is open.
   * @throws VfioError `EINVAL` without a machine, `EPERM` if it has another matrix; older generations open all the same.
   */
  open(kvm: Kvm | undefined, pins: PagePins): void {
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
      this.#attach(kvm, pins);
    }
    this.#pins = pins;
    if (generation.kvm === 'notified' && kvm !== undefined) this.kvmChanged(kvm);
  }

  /** The VFIO file was associated with a machine, or with none, while the device is open (VFIO_GROUP_NOTIFY_SET_KVM). */
  kvmChanged(kvm: Kvm | undefined): void {
    const { generation, log } = this.matrixDev;
    const pins = this.#pins;
    if (pins === undefined || generation.kvm !== 'notified') return;
    if (kvm !== undefined && this.#isTaken(kvm)) {
      // The notifier's answer goes nowhere: the open has succeeded, and the guest just gets nothing through this device.
      log.write('warning', this.uuid, `machine "${kvm.name}" has another matrix; not attached`);
      return;
    }
    if (kvm !== undefined) this.#attach(kvm, pins);
    else if (generation.detachesWhenForgotten) this.attachment.detach();
    else this.attachment.forget();
  }

  /** Last close of the device: the guest loses its queues, and they are cleaned (vfio_ap_mdev_close_device). */
  close(): void {
    this.attachment.detach();
    this.#pins = undefined;
  }

  /** What the `status` of one of its queues says (vfio_ap_ops.c: status_show). */
  statusOf(queue: VfioApQueue): 'in use' | 'assigned' {
    return this.kvm !== undefined && matrixHas(this.shadow, queue.apqn) ? 'in use' : 'assigned';
  }

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

  #attach(kvm: Kvm, pins: PagePins): void {
    if (!this.matrixDev.generation.hotPlug) this.shadow = this.matrix;
    this.attachment.attach(kvm, this.shadow, pins);
  }
}
