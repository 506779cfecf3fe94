import { PassedQueue } from '../passthrough/passed-queue.js';
import type { ApMatrixMdev } from './ap-matrix-mdev.js';

/** A queue that is bound to vfio_ap (struct vfio_ap_queue). */
export class VfioApQueue extends PassedQueue {
  /** The mediated device whose matrix contains the queue. A device's queue table is the queues that point to it. */
  mdev: ApMatrixMdev | undefined;
}
