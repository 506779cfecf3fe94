import { AP_DEVICE_TYPES, type ApCardDriver, type ApQueueDriver } from './ap-driver.js';
import type { ApQueue } from './ap-queue.js';

const TYPES = Object.values(AP_DEVICE_TYPES);

/** The host's driver for cards (zcrypt_cex4.c). It takes every card, whosever the queues are. */
export const CEX4_CARD: ApCardDriver = {
  name: 'cex4card',
  kind: 'card',
  types: TYPES,
  isDefault: true,
  probe: () => 0,
  remove: () => {},
};

/** The host's driver for queues (zcrypt_cex4.c). Programs reach its queues through the zcrypt device node. */
export const CEX4_QUEUE: ApQueueDriver = {
  name: 'cex4queue',
  kind: 'queue',
  types: TYPES,
  isDefault: true,
  probe: (queue: ApQueue) => {
    // One that comes back from another driver was left uninitiated, so that the host's machine kept off it.
    if (queue.config && !queue.chkstop) queue.initialise();
    return 0;
  },
  remove: () => {},
};
