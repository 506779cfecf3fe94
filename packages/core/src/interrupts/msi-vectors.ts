import type { PciDevice } from '@vfiokit/pci';
import { EINVAL, ENOSPC, ENOTTY, type EventFd, type Process } from '@vfiokit/uapi';
import type { IrqRequest } from './irq-set.js';

/** The host's side of message signalled interrupts. */
export type VectorFunction = Pick<
  PciDevice,
  | 'intx'
  | 'allocIrqVectors'
  | 'freeIrqVectors'
  | 'irqVectorAllocated'
  | 'msixDynamic'
  | 'allocMsixVectorAt'
  | 'connectVector'
  | 'disconnectVector'
  | 'rewriteMsixMessage'
>;

/** What MSI and MSI-X need of their device. */
export interface VectorDevice {
  readonly pdev: VectorFunction;
  /** Runs something with physical memory decoding on, and puts COMMAND back (vfio_pci_memory_lock_and_enable). */
  withMemory<T>(run: () => T): T;
  /** INTx is hidden from the user, so the line stays masked at the device. */
  readonly nointx: boolean;
  /** Too few vectors are an error instead of a positive result (sane side of quirk W13). */
  readonly fewVectorsFail: boolean;
  /** A block of vectors changes whole or not at all (sane side of quirk W12). */
  readonly vectorBlockAtomic: boolean;
}

/** The message signalled interrupts of a device: vectors, and who is told of each (vfio_pci_intrs.c: vfio_msi_*). */
export class MsiVectors {
  #active = false;
  /** Triggers by vector; a vector without one is allocated but unconnected. */
  readonly #triggers = new Map<number, EventFd>();

  constructor(
    private readonly device: VectorDevice,
    private readonly kind: 'msi' | 'msix',
    /** Called with the number of vectors that an enable got. */
    private readonly enabled: (vectors: number) => void,
  ) {}

  get active(): boolean {
    return this.#active;
  }

  /** SET_IRQS on index 1 or 2. `mayEnable` says that no other kind of interrupt is active. */
  set(request: IrqRequest, mayEnable: boolean): number {
    if (request.action !== 'trigger') return -ENOTTY;
    const { start, count, data, caller } = request;
    if (this.#active && count === 0 && data.kind === 'none') {
      this.disable();
      return 0;
    }
    if (!(this.#active || mayEnable)) return -EINVAL;
    if (data.kind === 'eventfd') {
      if (this.#active) return this.#setBlock(start, data.fds, caller);
      const error = this.#enable(start + count);
      if (error !== 0) return error;
      const failed = this.#setBlock(start, data.fds, caller);
      if (failed < 0) this.disable();
      return failed;
    }
    if (!this.#active) return -EINVAL;
    for (let i = 0; i < count; i += 1)
      if (data.kind === 'none' || data.values[i] !== 0) this.#triggers.get(start + i)?.signal();
    return 0;
  }

  /** Disconnects and frees every vector (vfio_msi_disable). */
  disable(): void {
    if (!this.#active) return;
    const { pdev } = this.device;
    for (const vector of [...this.#triggers.keys()]) this.#disconnect(vector);
    this.device.withMemory(() => pdev.freeIrqVectors());
    // Freeing vectors turned INTx back on.
    if (this.device.nointx) pdev.intx(false);
    this.#active = false;
  }

  /** 0, a negated errno, or the positive number of vectors that there would be where they are too few (vfio_msi_enable). */
  #enable(wanted: number): number {
    const { pdev, fewVectorsFail } = this.device;
    const got = this.device.withMemory(() => {
      const vectors = pdev.allocIrqVectors(this.kind, wanted);
      if (vectors > 0 && vectors < wanted) pdev.freeIrqVectors();
      return vectors;
    });
    if (got < 0) return got;
    if (got < wanted) return fewVectorsFail ? -ENOSPC : got;
    this.#active = true;
    this.enabled(wanted);
    return 0;
  }

  /** Assigns vectors in order; at the first failure everything of the block up to there is disconnected (quirk W12). */
  #setBlock(start: number, fds: Int32Array, caller: Process): number {
    if (this.device.vectorBlockAtomic) {
      const bad = fds.find((fd) => fd >= 0 && typeof caller.fds.eventFd(fd) === 'number');
      if (bad !== undefined) return caller.fds.eventFd(bad) as number;
    }
    for (let i = 0; i < fds.length; i += 1) {
      const error = this.#assign(start + i, fds[i]!, caller);
      if (error === 0) continue;
      for (let vector = start; vector <= start + i; vector += 1) this.#disconnect(vector);
      return error;
    }
    return 0;
  }

  #assign(vector: number, fd: number, caller: Process): number {
    const { pdev } = this.device;
    this.#disconnect(vector);
    if (fd < 0) return 0;
    if (!pdev.irqVectorAllocated(vector)) {
      if (this.kind === 'msi' || !pdev.msixDynamic) return -EINVAL;
      const error = pdev.allocMsixVectorAt(vector);
      if (error < 0) return error;
    }
    const trigger = caller.fds.eventFd(fd);
    if (typeof trigger === 'number') return trigger;
    const error = this.device.withMemory(() => {
      // A reset behind our back may have wiped the table entry, so the message is written again.
      if (this.kind === 'msix') pdev.rewriteMsixMessage(vector);
      return pdev.connectVector(vector, () => trigger.signal());
    });
    if (error < 0) return error;
    this.#triggers.set(vector, trigger);
    return 0;
  }

  #disconnect(vector: number): void {
    if (!this.#triggers.delete(vector)) return;
    this.device.withMemory(() => this.device.pdev.disconnectVector(vector));
  }
}
