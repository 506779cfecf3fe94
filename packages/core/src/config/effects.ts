/**
 * What the rest of the device does when a user writes registers that mean more than their bits.
 *
 * The configuration space knows when; the device knows how.
 */
export interface ConfigEffects {
  /** Memory is about to go: user mappings are dropped and exported buffers revoked. */
  suspendMemory(): void;
  /** Exported buffers may be used again if memory is enabled now. */
  resumeMemory(): void;
  /** Puts the function into a D-state; failures are invisible to the user (quirk W32). */
  setPowerState(state: number): void;
  /** Resets the function by the host's best method; failures are invisible to the user. */
  resetFunction(): void;
  maskIntx(): void;
  unmaskIntx(): void;
  /** Whether MSI is the active interrupt type. */
  readonly msiActive: boolean;
  /** log2 of the vectors that the last MSI enable got. */
  readonly msiQmax: number;
  /** The host's VPD service; the number of bytes or a negated errno. */
  readVpd(offset: number, into: Uint8Array): number;
  writeVpd(offset: number, from: Uint8Array): number;
  /** The Maximum Payload Size in force, in bytes. */
  readonly maxPayload: number;
  /** Asks the host for a Maximum Read Request Size in bytes; it may refuse. */
  setReadRequest(bytes: number): void;
}
