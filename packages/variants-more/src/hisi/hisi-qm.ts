/** An accelerator's VF as its queue manager serves it. Results are 0 or negated errnos. */
export interface HisiVf {
  /** The guest's driver has set the device up. */
  readonly guestReady: boolean;
  /** Queues are paused and caches written back. */
  stop(): number;
  start(): number;
  /** All 176 bytes: who the device is, and its registers and queues. */
  state(): Uint8Array;
  load(state: Uint8Array): number;
}

/** The native driver of an accelerator's PF, as far as it serves VFs (drivers/crypto/hisilicon/qm.c). */
export abstract class HisiQm {
  /** Hardware version; migration takes 3. */
  abstract readonly version: number;
  /** From version 4 on: the PF has the registers of migration, and the VF's BAR 2 is all the user's. */
  abstract readonly pfControlsMigration: boolean;
  /** Somebody resets the accelerator or one of its VFs. */
  resetting = false;
  /** A VF, counted from 0. */
  abstract vf(index: number): HisiVf;
}
