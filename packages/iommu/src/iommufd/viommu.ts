import { IOMMU_VEVENTQ_FLAG_LOST_EVENTS, iommufdVeventHeader, type VfioFile } from '@vfiokit/uapi';
import type { Iommu } from '../hardware/iommu.js';
import type { HwptPaging } from './hwpt.js';
import type { IommufdDevice } from './iommufd-device.js';
import { IommufdObject } from './object.js';

/** Sequence numbers of events have 31 bits. */
const SEQUENCES = 2 ** 31;

/** A slice of a physical IOMMU for one guest (viommu.c: struct iommufd_viommu). */
export class Viommu extends IommufdObject {
  readonly type = 'viommu';
  /** Devices by the number that the guest knows them by. */
  readonly vdevices = new Map<bigint, Vdevice>();
  /** Event queues by type: one of each. */
  readonly queues = new Map<number, VeventQueue>();

  constructor(
    readonly kind: number,
    readonly iommu: Iommu,
    readonly parent: HwptPaging,
  ) {
    super();
    parent.users += 1;
  }

  override destroy(): void {
    this.parent.users -= 1;
  }
}

/** A device as the guest's IOMMU names it (struct iommufd_vdevice). */
export class Vdevice extends IommufdObject {
  readonly type = 'vdevice';

  constructor(
    readonly viommu: Viommu,
    readonly device: IommufdDevice,
    readonly virtId: bigint,
  ) {
    super();
    viommu.users += 1;
    viommu.vdevices.set(virtId, this);
  }

  override destroy(): void {
    this.viommu.vdevices.delete(this.virtId);
    this.viommu.users -= 1;
  }
}

/** What is left of a {@link Vdevice} whose device has gone: its number, until it is destroyed. */
export class Tombstone extends IommufdObject {
  readonly type = 'tombstone';
  override destroy(): void {}
}

/**
 * What a guest's IOMMU reports, on its way to user space; bounded (eventq.c: struct iommufd_veventq). It cannot be
 * destroyed while its file is open.
 */
export class VeventQueue extends IommufdObject implements VfioFile {
  readonly type = 'veventq';
  readonly kind = 'other';
  readonly #events: { readonly sequence: number; readonly data: Uint8Array }[] = [];
  #sequence = 0;
  /** The last event was lost. One that comes after it shows that by its sequence number. */
  #lost = false;

  constructor(
    readonly viommu: Viommu,
    readonly eventType: number,
    private readonly depth: number,
  ) {
    super();
    viommu.users += 1;
    viommu.queues.set(eventType, this);
  }

  /** An event happens; it is lost if the queue is full. */
  report(data: Uint8Array): void {
    const sequence = this.#sequence;
    this.#sequence = (sequence + 1) % SEQUENCES;
    this.#lost = this.#events.length >= this.depth;
    if (!this.#lost) this.#events.push({ sequence, data });
  }

  /** read(2): as many whole events as there is room for, each behind its header; a header alone says that events were lost. */
  read(into: Uint8Array): number {
    let at = 0;
    while (this.#events.length > 0 || this.#lost) {
      const event = this.#events[0];
      const size = iommufdVeventHeader.size + (event?.data.length ?? 0);
      if (at + size > into.length) break;
      if (event === undefined) {
        const sequence = (this.#sequence + SEQUENCES - 1) % SEQUENCES;
        iommufdVeventHeader.encode({ flags: IOMMU_VEVENTQ_FLAG_LOST_EVENTS, sequence }, into, at);
        this.#lost = false;
      } else {
        iommufdVeventHeader.encode({ flags: 0, sequence: event.sequence }, into, at);
        into.set(event.data, at + iommufdVeventHeader.size);
        this.#events.shift();
      }
      at += size;
    }
    return at;
  }

  close(): void {
    this.users -= 1;
  }

  override destroy(): void {
    this.viommu.queues.delete(this.eventType);
    this.viommu.users -= 1;
  }
}

/** A queue in guest memory that hardware reads itself: its memory stays mapped (struct iommufd_hw_queue). */
export class HwQueue extends IommufdObject {
  readonly type = 'hw-queue';

  constructor(
    readonly viommu: Viommu,
    readonly index: number,
    /** Rows of the areas that it lies in. */
    private readonly rows: readonly number[],
  ) {
    super();
    viommu.users += 1;
    for (const row of rows) viommu.parent.ioas.areas.locks.add(row);
  }

  override destroy(): void {
    for (const row of this.rows) this.viommu.parent.ioas.areas.locks.delete(row);
    this.viommu.users -= 1;
  }
}
