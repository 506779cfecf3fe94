import type { ErrorSeverity } from './advanced-error-reporting.js';

/** The memory that a function reaches. Addresses are numbers below 2^53, or bigints. 0 or a negated errno. */
export interface DmaPort {
  read(iova: number | bigint, into: Uint8Array): number;
  write(iova: number | bigint, from: Uint8Array): number;
}

/** What leaves a function towards the machine. */
export interface FunctionWires {
  /** An interrupt message. `vector` is a hint; only address and data are on the bus. */
  message(low: number, high: number, data: number, vector: number): void;
  /** The level of the interrupt pin changed. */
  pin(asserted: boolean): void;
  /** An error message to the root port. */
  error(severity: ErrorSeverity): void;
  /** A bridge resets everything behind it. */
  secondaryReset(): void;
}

/** Wires that lead nowhere. */
export const UNWIRED: FunctionWires = {
  message() {},
  pin() {},
  error() {},
  secondaryReset() {},
};
