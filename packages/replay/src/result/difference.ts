import type { TraceOp } from '../trace/trace.js';

/** One way in which the model's outcome of an operation is not the recorded one. */
export interface Mismatch {
  /** `ret`, `out`, `ev`, `touch`, `byte`, `bitmap`: results; `hw`, `ps`, `rpm`: the hardware's state afterwards. */
  readonly aspect:
    | 'ret'
    | 'out'
    | 'ev'
    | 'touch'
    | 'byte'
    | 'bitmap'
    | 'mem'
    | 'hw'
    | 'ps'
    | 'rpm'
    | 'bound'
    | 'thrown';
  /** The device whose state it is. */
  readonly dev?: number;
  readonly recorded: string;
  readonly model: string;
  /** Which bytes of `out` or of raw configuration space differ. */
  readonly offsets?: readonly number[];
}

/** An operation whose outcome is not the recorded one. */
export interface Difference {
  readonly path: string;
  readonly section: string;
  readonly op: TraceOp;
  readonly mismatches: readonly Mismatch[];
  /** The id of the rule that explains it, if one does. */
  readonly explanation?: string;
}
