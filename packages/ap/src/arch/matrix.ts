import { type Apqn, apidOf, apqiOf, apqnOf } from './apqn.js';
import { ApMask } from './mask.js';

/**
 * Adapters, usage domains and control domains that belong together: what a CRYCB grants, what QCI reports, what an
 * administrator assigns.
 *
 * The queues of a matrix are the product of its adapters and usage domains: no mask of the architecture can grant or
 * withhold a single queue.
 */
export interface ApMatrix {
  /** The adapters (AP mask). */
  readonly apm: ApMask;
  /** The usage domains (AP queue mask). */
  readonly aqm: ApMask;
  /** The control domains (AP domain mask). */
  readonly adm: ApMask;
}

/** The adapters and usage domains of a matrix: what decides over queues. */
export type QueueMatrix = Pick<ApMatrix, 'apm' | 'aqm'>;

/** The three dimensions of a matrix, as its sets are called. */
export type MatrixMask = keyof ApMatrix;

/** A matrix with nothing in it. */
export const EMPTY_MATRIX: ApMatrix = { apm: ApMask.NONE, aqm: ApMask.NONE, adm: ApMask.NONE };

/** Whether a matrix contains a queue. */
export function matrixHas(matrix: QueueMatrix, apqn: Apqn): boolean {
  return matrix.apm.has(apidOf(apqn)) && matrix.aqm.has(apqiOf(apqn));
}

/** What both matrices have, each set by itself: how every level of the architecture limits the one above it. */
export function intersectMatrices(a: ApMatrix, b: ApMatrix): ApMatrix {
  return { apm: a.apm.and(b.apm), aqm: a.aqm.and(b.aqm), adm: a.adm.and(b.adm) };
}

/** What the first matrix has and the second has not, each set by itself. */
export function subtractMatrix(from: ApMatrix, what: ApMatrix): ApMatrix {
  return {
    apm: from.apm.andNot(what.apm),
    aqm: from.aqm.andNot(what.aqm),
    adm: from.adm.andNot(what.adm),
  };
}

export function sameMatrix(a: ApMatrix, b: ApMatrix): boolean {
  return a.apm.equals(b.apm) && a.aqm.equals(b.aqm) && a.adm.equals(b.adm);
}

export function matrixIsEmpty(matrix: ApMatrix): boolean {
  return matrix.apm.isEmpty && matrix.aqm.isEmpty && matrix.adm.isEmpty;
}

/** Whether two matrices have a queue in common: an adapter *and* a usage domain. */
export function matricesShareQueues(a: QueueMatrix, b: QueueMatrix): boolean {
  return a.apm.intersects(b.apm) && a.aqm.intersects(b.aqm);
}

/** The queues of a product, adapters ascending and domains ascending inside. */
export function* queuesOf(matrix: QueueMatrix): Generator<Apqn, void> {
  for (const apid of matrix.apm.ids) for (const apqi of matrix.aqm.ids) yield apqnOf(apid, apqi);
}
