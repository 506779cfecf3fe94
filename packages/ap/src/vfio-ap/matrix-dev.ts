import type { KernelLog } from '@vfiokit/driver-model';
import type { Apqn } from '../arch/apqn.js';
import { apidOf, apqnOf, formatApqn } from '../arch/apqn.js';
import type { ApInstructions } from '../arch/instructions.js';
import { ApMask } from '../arch/mask.js';
import {
  EMPTY_MATRIX,
  intersectMatrices,
  matricesShareQueues,
  matrixHas,
  matrixIsEmpty,
  type QueueMatrix,
  queuesOf,
  sameMatrix,
  subtractMatrix,
} from '../arch/matrix.js';
import { EMPTY_QCI, type QciInfo } from '../arch/qci.js';
import { AP_RESPONSE, responseCode } from '../arch/queue-status.js';
import { OLDEST_TYPE } from '../bus/ap-driver.js';
import type { QueueInterrupts } from '../passthrough/queue-interrupts.js';
import type { QueueReset } from '../passthrough/queue-reset.js';
import type { ApMatrixMdev } from './ap-matrix-mdev.js';
import type { VfioApGeneration } from './generation.js';
import { filterMatrix } from './matrix-filter.js';
import { VfioApQueue } from './vfio-ap-queue.js';

/** Answers whether queues belong to the host's own drivers. The AP bus knows it. */
export interface ApOwnership {
  /** Whether any queue of a product is reserved for default drivers (ap_apqn_in_matrix_owned_by_def_drv). */
  anyOwnedByDefaultDrivers(queues: QueueMatrix): boolean;
}

/** What the matrix device leans on. */
export interface MatrixDevParts {
  readonly ap: ApInstructions;
  readonly ownership: ApOwnership;
  readonly reset: QueueReset;
  readonly interrupts: QueueInterrupts;
  readonly generation: VfioApGeneration;
  readonly log: KernelLog;
}

const { NORMAL, DECONFIGURED, CHECKSTOPPED } = AP_RESPONSE;

/**
 * The matrix device: all queues that are bound to vfio_ap, all mediated devices, and what links them
 * (struct ap_matrix_dev).
 */
export class MatrixDev {
  readonly ap: ApInstructions;
  readonly ownership: ApOwnership;
  readonly reset: QueueReset;
  readonly interrupts: QueueInterrupts;
  readonly generation: VfioApGeneration;
  readonly log: KernelLog;
  readonly mdevs: ApMatrixMdev[] = [];
  readonly #queues: (VfioApQueue | undefined)[] = [];
  #info: QciInfo;

  constructor(parts: MatrixDevParts) {
    this.ap = parts.ap;
    this.ownership = parts.ownership;
    this.reset = parts.reset;
    this.interrupts = parts.interrupts;
    this.generation = parts.generation;
    this.log = parts.log;
    // Without QCI nothing is ever known to be configured, and so nothing ever passes the filter.
    this.#info = parts.ap.qci() ?? EMPTY_QCI;
  }

  /** The host's configuration as far as the AP bus has reported it. */
  get info(): QciInfo {
    return this.#info;
  }

  /** The queue, if it is bound to vfio_ap. */
  findQueue(apqn: Apqn): VfioApQueue | undefined {
    return this.#queues[apqn];
  }

  /** The device to whose matrix a queue is assigned. */
  findMdev(apqn: Apqn): ApMatrixMdev | undefined {
    return this.mdevs.find((mdev) => matrixHas(mdev.matrix, apqn));
  }

  /** Links the queues of a product, as far as they are bound, to a device. */
  linkQueues(mdev: ApMatrixMdev, queues: QueueMatrix): void {
    for (const apqn of queuesOf(queues)) {
      const queue = this.#queues[apqn];
      if (queue !== undefined) queue.mdev = mdev;
    }
  }

  /**
   * Looks for devices that have queues of a product assigned, and says in the log which (vfio_ap_mdev_verify_no_sharing).
   * Whether they have a guest makes no difference.
   */
  sharers(queues: QueueMatrix, except?: ApMatrixMdev): readonly ApMatrixMdev[] {
    const sharers = this.mdevs.filter(
      (mdev) => mdev !== except && matricesShareQueues(mdev.matrix, queues),
    );
    for (const { uuid, matrix } of sharers)
      for (const apqn of queuesOf({
        apm: matrix.apm.and(queues.apm),
        aqm: matrix.aqm.and(queues.aqm),
      }))
        this.log.write('warning', formatApqn(apqn), `assigned to mediated device ${uuid}`);
    return sharers;
  }

  /**
   * Makes a device's guest matrix anew, gives it to the guest if it changed, and resets what the guest lost, so that it is
   * clean when it comes back.
   */
  refilter(
    mdev: ApMatrixMdev,
    what: { readonly queues: boolean; readonly control: boolean },
  ): void {
    const before = mdev.shadow;
    let unplugged = ApMask.NONE;
    if (what.queues) {
      const filtered = filterMatrix(mdev.matrix, this.#info, before, (apqn) =>
        this.#passable(mdev, apqn),
      );
      unplugged = filtered.unplugged;
      mdev.shadow = { ...mdev.shadow, apm: filtered.apm, aqm: filtered.aqm };
    }
    if (what.control) mdev.shadow = { ...mdev.shadow, adm: mdev.matrix.adm.and(this.#info.adm) };
    if (!sameMatrix(before, mdev.shadow)) mdev.push();
    if (!unplugged.isEmpty)
      this.reset.resetQueues(mdev.linkedQueues({ apm: unplugged, aqm: mdev.shadow.aqm }));
  }

  #passable(mdev: ApMatrixMdev, apqn: Apqn): boolean {
    const queue = this.#queues[apqn];
    if (queue?.mdev !== mdev) return false;
    const code = responseCode(queue.resetStatus);
    return code === NORMAL || code === DECONFIGURED || code === CHECKSTOPPED;
  }

  /**
   * Takes adapters or domains of a device away from its guest: masks first, then reset and wait, so that nothing of the
   * guest is left in them (vfio_ap_mdev_hot_unplug_adapters, _domains). The filter is not run: what it had taken away
   * because of them stays away until something else runs it.
   */
  hotUnplug(mdev: ApMatrixMdev, dimension: 'apm' | 'aqm', removed: ApMask): void {
    const before = mdev.shadow;
    const queues = mdev.linkedQueues({ ...mdev.matrix, [dimension]: removed });
    mdev.shadow = { ...before, [dimension]: before[dimension].andNot(removed) };
    if (!sameMatrix(before, mdev.shadow)) mdev.push();
    this.reset.resetQueues(queues.filter((queue) => matrixHas(before, queue.apqn)));
    for (const queue of queues) queue.mdev = undefined;
  }

  /** A queue gets bound to vfio_ap (vfio_ap_mdev_probe_queue). */
  probeQueue(apqn: Apqn): VfioApQueue {
    const queue = new VfioApQueue(apqn);
    this.#queues[apqn] = queue;
    const mdev = this.findMdev(apqn);
    queue.mdev = mdev;
    // What the host has just got reaches the guest at once when the scan is complete, not queue by queue.
    if (this.generation.hotPlug && mdev !== undefined && matrixIsEmpty(mdev.pending))
      this.refilter(mdev, { queues: true, control: false });
    return queue;
  }

  /** A queue leaves vfio_ap: unbound by hand, by a mask, or because it is gone (vfio_ap_mdev_remove_queue). */
  removeQueue(apqn: Apqn): void {
    const queue = this.#queues[apqn];
    if (queue === undefined) return;
    const { mdev } = queue;
    if (!this.generation.hotPlug) {
      this.reset.resetQueues([queue]);
    } else if (mdev !== undefined && matrixHas(mdev.shadow, apqn)) {
      const adapter = ApMask.of(apidOf(apqn));
      const queues = mdev.linkedQueues({ apm: adapter, aqm: mdev.shadow.aqm });
      mdev.shadow = { ...mdev.shadow, apm: mdev.shadow.apm.andNot(adapter) };
      mdev.push();
      this.reset.resetQueues(queues);
    } else if (matrixHas(this.#info, apqn)) {
      this.reset.resetQueues([queue]);
    }
    queue.releaseIrq();
    queue.mdev = undefined;
    this.#queues[apqn] = undefined;
  }

  /** A mediated device is removed: its queues are cleaned, and are nobody's again (vfio_ap_mdev_remove). */
  forget(mdev: ApMatrixMdev): void {
    const queues = mdev.linkedQueues();
    this.reset.resetQueues(queues);
    for (const queue of queues) queue.mdev = undefined;
    this.mdevs.splice(this.mdevs.indexOf(mdev), 1);
  }

  /** What the queue's `status` says. */
  statusOf(queue: VfioApQueue): 'unassigned' | 'assigned' | 'in use' {
    const mdev = this.findMdev(queue.apqn);
    return mdev === undefined ? 'unassigned' : mdev.statusOf(queue);
  }

  /** The veto: whether any queue of a product is assigned (vfio_ap_mdev_resource_in_use). */
  inUse(queues: QueueMatrix): boolean {
    return this.sharers(queues).length > 0;
  }

  /** The AP bus has found another configuration, and has not yet acted on it (vfio_ap_on_cfg_changed). */
  onConfigChanged(next: QciInfo, previous: QciInfo): void {
    const removed = subtractMatrix(previous, next);
    const added = subtractMatrix(next, previous);
    for (const mdev of this.mdevs) {
      const shadow = subtractMatrix(mdev.shadow, removed);
      if (sameMatrix(shadow, mdev.shadow)) continue;
      mdev.shadow = shadow;
      mdev.push();
    }
    if (this.mdevs.length > 0) {
      const passable = { ...added, apm: this.#withoutOldAdapters(added) };
      for (const mdev of this.mdevs) mdev.pending = intersectMatrices(mdev.matrix, passable);
    }
    this.#info = next;
  }

  /** The AP bus has acted on the configuration that it reported: additions reach the guests (vfio_ap_on_scan_complete). */
  onScanComplete(): void {
    for (const mdev of this.mdevs) {
      const { pending } = mdev;
      mdev.pending = EMPTY_MATRIX;
      if (matrixIsEmpty(pending)) continue;
      this.refilter(mdev, {
        queues: !(pending.apm.isEmpty && pending.aqm.isEmpty),
        control: !pending.adm.isEmpty,
      });
    }
  }

  /**
   * Adapters that are too old to be passed, as one of their domains tells. Only domains that came with the same change are
   * asked, as in the kernel, so that an adapter alone is always taken for new enough.
   */
  #withoutOldAdapters(added: QueueMatrix): ApMask {
    const old: number[] = [];
    for (const apid of added.apm.ids)
      for (const apqi of added.aqm.ids) {
        const info = this.ap.tapqInfo(apqnOf(apid, apqi));
        if (info === undefined || info.type < OLDEST_TYPE) {
          old.push(apid);
          break;
        }
      }
    return added.apm.andNot(ApMask.from(old));
  }
}
