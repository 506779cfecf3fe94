import type { MatrixMask } from '../arch/matrix.js';

/** What can be assigned to a matrix, as the files `assign_…` and `unassign_…` call it. */
export type Assignable = 'adapter' | 'domain' | 'control_domain';

/** Which set of the matrix each belongs to. */
export const ASSIGNABLE: Readonly<Record<Assignable, MatrixMask>> = {
  adapter: 'apm',
  domain: 'aqm',
  control_domain: 'adm',
};
