import type { EventFd } from './event-fd.js';
import type { IrqAction } from './irq-set.js';

/** Who is told of an interrupt: an eventfd, a function, a descriptor of the process, or nobody. */
export type IrqSink = EventFd | (() => void) | number | undefined;

/** Interrupts in a row, from `start` on, and what to do with them. */
export type IrqSettings = {
  readonly index: number;
  /** `trigger` unless given. */
  readonly action?: IrqAction;
  /** The first interrupt; 0 unless given. */
  readonly start?: number;
} & (
  | {
      /** Who is told of each, or, for `mask` and `unmask`, who does it. */
      readonly eventfds: readonly IrqSink[];
    }
  | {
      /** Which to act on now. */
      readonly bools: readonly boolean[];
    }
  | {
      /** How many to act on now; `trigger` of none disables the index. */
      readonly count: number;
    }
);

/** A write to a BAR that the signals of an eventfd become. */
export interface IoEventFdSettings {
  readonly region: number;
  readonly offset: number;
  readonly size: 1 | 2 | 4 | 8;
  readonly data: bigint;
  /** `undefined` to remove the entry. */
  readonly eventfd: EventFd | undefined;
}
