import { type Apqn, apqnOf } from '../arch/apqn.js';
import { ApMask } from '../arch/mask.js';
import type { QueueMatrix } from '../arch/matrix.js';

/** What the filter made of an assigned matrix. */
export interface FilteredMatrix extends QueueMatrix {
  /** Adapters that the guest had, or would have had, before this and has no longer. */
  readonly unplugged: ApMask;
}

/**
 * Makes the guest's adapters and domains from the assigned ones (vfio_ap_ops.c: vfio_ap_mdev_filter_matrix).
 *
 * What the host does not have is left out. Then an adapter is left out as a whole if a single one of its queues cannot
 * be passed, because masks cannot withhold one queue. Domains are never left out for that.
 *
 * @param before the guest's matrix so far.
 * @param passable whether a queue is linked to the mediated device and came out of its last reset.
 */
export function filterMatrix(
  assigned: QueueMatrix,
  host: QueueMatrix,
  before: QueueMatrix,
  passable: (apqn: Apqn) => boolean,
): FilteredMatrix {
  const aqm = assigned.aqm.and(host.aqm);
  const candidates = assigned.apm.and(host.apm);
  const domains = aqm.ids;
  const dropped: number[] = [];
  for (const apid of candidates.ids)
    if (!domains.every((apqi) => passable(apqnOf(apid, apqi)))) dropped.push(apid);
  const out = ApMask.from(dropped);
  return { apm: candidates.andNot(out), aqm, unplugged: out.and(before.apm) };
}
