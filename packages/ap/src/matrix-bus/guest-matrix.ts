import { kstrtoul } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import { ApMask } from '../arch/mask.js';
import {
  type ApMatrix,
  EMPTY_MATRIX,
  intersectMatrices,
  type MatrixMask,
  queuesOf,
  sameMatrix,
} from '../arch/matrix.js';
import { highestIds } from '../arch/qci.js';
import type { Kvm } from '../kvm/kvm.js';
import { ASSIGNABLE, type Assignable } from '../passthrough/assignable.js';
import { GuestAttachment } from '../passthrough/guest-attachment.js';
import type { PagePins } from '../vfio/page-pins.js';
import type { MatrixBus, OwnedQueue } from './matrix-bus.js';

/**
 * A matrix of its own on the matrix bus, for one guest: the parent of at most one mediated device, which is what the guest
 * sees of it.
 *
 * What belongs to the matrix ({@link matrix}), what the guest is shown of it ({@link narrow}) and what the partition has
 * meet in {@link effective}.
 */
export class GuestMatrix {
  /** What is assigned. Its queues are the matrix's own; the host does not see them. */
  #matrix: ApMatrix = EMPTY_MATRIX;
  /** What the mediated device shows; all of it unless narrowed. */
  #view: ApMatrix | undefined;
  #pushed: ApMatrix = EMPTY_MATRIX;
  /** Whether there is a mediated device on it. */
  mediated = false;
  readonly attachment: GuestAttachment;

  constructor(
    readonly name: string,
    private readonly bus: MatrixBus,
  ) {
    const { reset, interrupts, log } = bus.parts;
    this.attachment = new GuestAttachment({
      name,
      reset,
      interrupts,
      log,
      irqs: 2,
      answersAqic: true,
      queues: () => this.#ownedQueues(),
      queue: (apqn) => {
        const queue = bus.owned(apqn);
        return queue?.owner === this ? queue : undefined;
      },
    });
  }

  get matrix(): ApMatrix {
    return this.#matrix;
  }

  /** What a guest has of the matrix: what is assigned, shown, and there. */
  get effective(): ApMatrix {
    const shown =
      this.#view === undefined ? this.#matrix : intersectMatrices(this.#matrix, this.#view);
    return intersectMatrices(shown, this.bus.lpar);
  }

  /**
   * Assigns an adapter, a usage domain or a control domain. The queues that it adds leave the host at once, and reach the
   * guest when they are clean.
   *
   * @throws VfioError `EINVAL`, `ERANGE`, `ENODEV`, then `EADDRINUSE` if another matrix has one of the queues.
   */
  assign(what: Assignable, text: string): void {
    const mask = ASSIGNABLE[what];
    const id = this.#parseId(`assign_${what}`, mask, text);
    if (this.#matrix[mask].has(id)) return;
    const next: ApMatrix = { ...this.#matrix, [mask]: this.#matrix[mask].with(id) };
    if (mask !== 'adm') {
      const added = { ...next, [mask]: ApMask.of(id) };
      const sharer = this.bus.findSharer(added, this);
      if (sharer !== undefined)
        throw new VfioError(
          'EADDRINUSE',
          `${this.name}: queues of the matrix belong to ${sharer.name}; unassign them there first`,
        );
      this.bus.take(this, [...queuesOf(added)]);
    }
    this.#matrix = next;
    this.refresh();
  }

  /**
   * The opposite of {@link assign}: the guest loses the queues, they are cleaned, the host gets them.
   *
   * @throws VfioError `EINVAL`, `ERANGE`, `ENODEV`; `EBUSY` while a guest has the matrix and nothing may be forced.
   */
  unassign(what: Assignable, text: string): void {
    const mask = ASSIGNABLE[what];
    const id = this.#parseId(`unassign_${what}`, mask, text);
    if (!this.#matrix[mask].has(id)) return;
    const { kvm } = this.attachment;
    if (this.bus.parts.reclaim === 'strict' && kvm !== undefined)
      throw new VfioError(
        'EBUSY',
        `${this.name}: machine "${kvm.name}" uses the matrix; detach it first`,
      );
    const gone = mask === 'adm' ? undefined : { ...this.#matrix, [mask]: ApMask.of(id) };
    this.#matrix = { ...this.#matrix, [mask]: this.#matrix[mask].without(id) };
    this.refresh();
    if (gone !== undefined) this.bus.give(this, [...queuesOf(gone)]);
  }

  /** Shows the guest less than the matrix has; everything again with `undefined`. @throws VfioError `EINVAL` for more. */
  narrow(view: ApMatrix | undefined): void {
    if (view !== undefined && !sameMatrix(intersectMatrices(view, this.#matrix), view))
      throw new VfioError('EINVAL', `${this.name}: cannot show what it does not have`);
    this.#view = view;
    this.refresh();
  }

  /**
   * The mediated device is opened for a machine.
   *
   * @throws VfioError `EINVAL` without one. `EPERM` if it has a matrix: two products united would be a larger product, with
   *   queues that belong to nobody of the two. One mediated device a matrix does not keep a machine from opening those of
   *   two matrices.
   */
  open(kvm: Kvm | undefined, pins: PagePins): void {
    if (kvm === undefined)
      throw new VfioError('EINVAL', `${this.name}: no virtual machine is associated with the file`);
    if (kvm.matrices > 0)
      throw new VfioError('EPERM', `${this.name}: machine "${kvm.name}" has another matrix`);
    this.#pushed = this.effective;
    this.attachment.attach(kvm, this.#pushed, pins);
  }

  /** The mediated device is closed: the queues are cleaned, and stay the matrix's. */
  close(): void {
    this.attachment.detach();
  }

  /** Works out anew what the guest has, and gives it that if it changed. */
  refresh(): void {
    const effective = this.effective;
    if (this.attachment.kvm === undefined || sameMatrix(effective, this.#pushed)) return;
    this.#pushed = effective;
    this.attachment.push(effective);
  }

  #ownedQueues(): readonly OwnedQueue[] {
    const queues: OwnedQueue[] = [];
    for (const apqn of queuesOf(intersectMatrices(this.#matrix, this.bus.lpar))) {
      const queue = this.bus.owned(apqn);
      if (queue?.owner === this) queues.push(queue);
    }
    return queues;
  }

  #parseId(attribute: string, mask: MatrixMask, text: string): number {
    const id = kstrtoul(text, `${this.name}: ${attribute}`);
    const { apid, apqi } = highestIds(this.bus.lpar);
    const highest = mask === 'apm' ? apid : apqi;
    if (id > highest)
      throw new VfioError(
        'ENODEV',
        `${this.name}: ${attribute}: ${id} is above ${highest}, the highest there is`,
      );
    return id;
  }
}
