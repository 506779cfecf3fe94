import type { KernelLog } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import { type Apqn, apqnOf } from '../arch/apqn.js';
import type { ApInstructions } from '../arch/instructions.js';
import { LimitedInstructions } from '../arch/limited.js';
import { ApMask } from '../arch/mask.js';
import { matrixHas, type QueueMatrix, queuesOf } from '../arch/matrix.js';
import { EMPTY_QCI, type QciInfo, sameQci } from '../arch/qci.js';
import { PassedQueue } from '../passthrough/passed-queue.js';
import type { QueueInterrupts } from '../passthrough/queue-interrupts.js';
import type { QueueReset } from '../passthrough/queue-reset.js';
import { GuestMatrix } from './guest-matrix.js';

/**
 * Whether the host may take back what a running guest uses: `strict` refuses, as the veto does; `forced` takes it, with
 * an orderly unplug.
 */
export type Reclaim = 'strict' | 'forced';

/** What a matrix bus leans on. */
export interface MatrixBusParts {
  /** The instructions of the partition. */
  readonly ap: ApInstructions;
  readonly reset: QueueReset;
  readonly interrupts: QueueInterrupts;
  readonly log: KernelLog;
  readonly reclaim: Reclaim;
}

/** The host's own AP bus, as the matrix bus below it meets it. */
export interface HostBus {
  /** Takes queues away from their drivers and off the bus. They are gone when this returns. */
  release(apqns: readonly Apqn[]): void;
  /** Looks for what there is now. */
  rescan(): void;
}

/** A queue that a guest matrix owns. */
export class OwnedQueue extends PassedQueue {
  constructor(
    apqn: Apqn,
    readonly owner: GuestMatrix,
  ) {
    super(apqn);
  }
}

/**
 * The matrix bus: below the AP bus, above the partition. It knows whose every queue is, in one table, and shows the host's
 * AP bus a partition without those that guests own.
 *
 * This is the design that was proposed on the mailing list and not taken. Nothing binds or unbinds to pass a queue, so
 * there is no veto; hardware that goes just drops out of every intersection.
 */
export class MatrixBus {
  readonly #matrices = new Map<string, GuestMatrix>();
  readonly #owned: (OwnedQueue | undefined)[] = [];
  #lpar: QciInfo;
  #host: HostBus | undefined;

  /** The AP instructions of the host's own AP bus: whatever a guest owns answers with response code 01. */
  readonly hostInstructions: ApInstructions;

  constructor(readonly parts: MatrixBusParts) {
    this.#lpar = parts.ap.qci() ?? EMPTY_QCI;
    this.hostInstructions = new LimitedInstructions(parts.ap, {
      reaches: (apqn) => this.#owned[apqn] === undefined,
      configuration: (lpar) => this.#hostConfiguration(lpar),
    });
  }

  /** The partition's configuration as the bus saw it last. */
  get lpar(): QciInfo {
    return this.#lpar;
  }

  /** The matrices of guests, by name. */
  get matrices(): ReadonlyMap<string, GuestMatrix> {
    return this.#matrices;
  }

  /** A queue that belongs to a guest matrix; `undefined` for one of the host's. */
  owned(apqn: Apqn): OwnedQueue | undefined {
    return this.#owned[apqn];
  }

  /** The host's AP bus comes up on {@link hostInstructions}. */
  attachHost(host: HostBus): void {
    this.#host = host;
  }

  /** Makes an empty guest matrix. No guest need exist yet. @throws VfioError `EEXIST`. */
  createMatrix(name: string): GuestMatrix {
    if (this.#matrices.has(name)) throw new VfioError('EEXIST', `${name}: there is such a matrix`);
    const matrix = new GuestMatrix(name, this);
    this.#matrices.set(name, matrix);
    return matrix;
  }

  /** Takes a matrix away; its queues return to the host, clean. @throws VfioError `EBUSY` while it has a mediated device. */
  destroyMatrix(matrix: GuestMatrix): void {
    if (matrix.mediated)
      throw new VfioError('EBUSY', `${matrix.name}: has a mediated device; remove that first`);
    this.give(matrix, [...queuesOf(matrix.matrix)]);
    this.#matrices.delete(matrix.name);
  }

  /** For matrices: another one that has queues of a product. */
  findSharer(queues: QueueMatrix, except: GuestMatrix): GuestMatrix | undefined {
    for (const apqn of queuesOf(queues)) {
      const owner = this.#owned[apqn]?.owner;
      if (owner !== undefined && owner !== except) return owner;
    }
    return undefined;
  }

  /** For matrices: takes queues from the host. It has let go of them, and they are clean, when this returns. */
  take(owner: GuestMatrix, apqns: readonly Apqn[]): void {
    const queues = apqns.map((apqn) => new OwnedQueue(apqn, owner));
    for (const queue of queues) this.#owned[queue.apqn] = queue;
    // A rescan alone would not do: one that is under way may have passed the queue already.
    this.#host?.release(apqns);
    this.#host?.rescan();
    this.parts.reset.resetQueues(queues.filter(({ apqn }) => this.#present(apqn)));
  }

  /** For matrices: gives queues back to the host, clean. Their guest has lost them before. */
  give(owner: GuestMatrix, apqns: readonly Apqn[]): void {
    const queues = apqns
      .map((apqn) => this.#owned[apqn])
      .filter((queue): queue is OwnedQueue => queue?.owner === owner);
    this.parts.reset.resetQueues(queues.filter(({ apqn }) => this.#present(apqn)));
    for (const queue of queues) {
      queue.releaseIrq();
      this.#owned[queue.apqn] = undefined;
    }
    this.#host?.rescan();
  }

  /**
   * Looks at the partition's configuration. What everybody has is worked out anew: nothing that was assigned is forgotten
   * because it went, so it is there again when it comes back.
   */
  scan(): void {
    const next = this.parts.ap.qci() ?? EMPTY_QCI;
    if (sameQci(next, this.#lpar)) return;
    const previous = this.#lpar;
    this.#lpar = next;
    for (const matrix of this.#matrices.values()) matrix.refresh();
    for (const queue of this.#owned)
      if (queue !== undefined && matrixHas(previous, queue.apqn) && !matrixHas(next, queue.apqn))
        queue.releaseIrq();
    this.#host?.rescan();
  }

  #present(apqn: Apqn): boolean {
    return matrixHas(this.#lpar, apqn);
  }

  /** The partition without adapters and domains of which guests own every queue. */
  #hostConfiguration(lpar: QciInfo): QciInfo {
    const apids = lpar.apm.ids;
    const apqis = lpar.aqm.ids;
    const isHost = (apid: number, apqi: number): boolean =>
      this.#owned[apqnOf(apid, apqi)] === undefined;
    const apm = apids.filter((apid) => apqis.length === 0 || apqis.some((d) => isHost(apid, d)));
    const aqm = apqis.filter((apqi) => apids.length === 0 || apids.some((a) => isHost(a, apqi)));
    return { ...lpar, apm: ApMask.from(apm), aqm: ApMask.from(aqm) };
  }
}
