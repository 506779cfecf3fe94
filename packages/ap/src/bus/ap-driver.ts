import type { Driver } from '@vfiokit/driver-model';
import type { QueueMatrix } from '../arch/matrix.js';
import type { QciInfo } from '../arch/qci.js';
import type { ApCard } from './ap-card.js';
import type { ApQueue } from './ap-queue.js';

/** The adapter types that drivers know: CEX4 to CEX8. */
export const AP_DEVICE_TYPES = { CEX4: 10, CEX5: 11, CEX6: 12, CEX7: 13, CEX8: 14 } as const;

/** The oldest and the newest type that has a device at all. */
export const OLDEST_TYPE = AP_DEVICE_TYPES.CEX4;
export const NEWEST_TYPE = AP_DEVICE_TYPES.CEX8;

/** What drivers of cards and of queues have in common (struct ap_driver). */
interface ApDriverBase {
  /** The card types that it knows. */
  readonly types: readonly number[];
  /**
   * Marks a driver of the host itself: it gets the queues that `apmask` and `aqmask` reserve, the others get the rest
   * (AP_DRIVER_FLAG_DEFAULT).
   */
  readonly isDefault: boolean;
  /**
   * The veto: asked before masks reserve more queues for the host. Anything but 0 keeps them as they are.
   *
   * @param queues the product that would newly be reserved, at least.
   */
  inUse?(queues: QueueMatrix): number;
  /** The configuration is another one, and no device has followed yet. */
  onConfigChanged?(next: QciInfo, previous: QciInfo): void;
  /** All devices have followed a changed configuration. */
  onScanComplete?(next: QciInfo, previous: QciInfo): void;
}

/** A driver for cards. It binds them whatever the masks say. */
export interface ApCardDriver extends ApDriverBase, Driver<ApCard> {
  readonly kind: 'card';
  inUse?(queues: QueueMatrix): number;
  /** @returns 0 or a negated errno. */
  probe(card: ApCard): number;
}

/** A driver for queues. Its removal from a queue cannot be refused. */
export interface ApQueueDriver extends ApDriverBase, Driver<ApQueue> {
  readonly kind: 'queue';
  inUse?(queues: QueueMatrix): number;
  /** @returns 0 or a negated errno. */
  probe(queue: ApQueue): number;
}

/** A driver on the AP bus. */
export type ApDriver = ApCardDriver | ApQueueDriver;
