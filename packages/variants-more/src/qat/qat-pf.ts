/** What the native driver of an accelerator does for one VF; results are 0 or negated errnos (include/linux/qat/qat_mig_dev.h). */
export interface QatMigDevice {
  init(): number;
  cleanup(): void;
  reset(): void;
  open(): number;
  close(): void;
  suspend(): number;
  resume(): number;
  /** Fills the part of the state by which the target finds out whether it is compatible; bytes of it. */
  saveSetup(state: Uint8Array): number;
  saveState(state: Uint8Array): number;
  /** Checks the setup part; `-EAGAIN` while it is not complete. */
  loadSetup(state: Uint8Array, length: number): number;
  loadState(state: Uint8Array): number;
}

/** The callbacks that a PF has to have. */
export const QAT_CALLBACKS = [
  'init',
  'cleanup',
  'reset',
  'open',
  'close',
  'suspend',
  'resume',
  'saveSetup',
  'saveState',
  'loadSetup',
  'loadState',
] as const satisfies readonly (keyof QatMigDevice)[];

/** Bytes of a VF's state, always sent whole. */
export const QAT_STATE_SIZE = 4096;

/** The native driver of a QuickAssist PF. */
export abstract class QatPf {
  /** What it does for a VF, counted from 0. */
  abstract migDevice(vf: number): Partial<QatMigDevice>;
}
