/** Commands of the PF's administration queue that a vfio driver uses (include/linux/pds/pds_adminq.h). */
export const PDS_LM_CMD = {
  HOST_VF_STATUS: 1,
  STATE_SIZE: 16,
  SUSPEND: 18,
  SUSPEND_STATUS: 19,
  RESUME: 20,
  SAVE: 21,
  RESTORE: 22,
  DIRTY_STATUS: 32,
  DIRTY_ENABLE: 33,
  DIRTY_DISABLE: 34,
  DIRTY_READ_SEQ: 35,
  DIRTY_WRITE_ACK: 36,
} as const;

export const PDS_SUSPEND_FULL = 0;
export const PDS_SUSPEND_P2P = 1;

/** A command: opcode u8, padding, VF u16 (counted from 0), then what is its own; and the memory that it names. */
export interface PdsCommand {
  readonly opcode: number;
  readonly vf: number;
  /** Type of a suspend or resume; status of the VF. */
  readonly type?: number;
  readonly ranges?: readonly {
    readonly base: bigint;
    readonly pages: number;
    readonly logPage: number;
  }[];
  readonly offset?: number;
  readonly memory?: Uint8Array;
}

/** What a command ended with: a value, 0, or a negated errno. */
export type PdsResult = number;

/** The native driver of the PF, as far as it serves VFs (drivers/net/ethernet/amd/pds_core). */
export abstract class PdsCore {
  abstract execute(command: PdsCommand): PdsResult;
  readonly #listeners = new Set<(event: { kind: 'reset'; state: number }) => void>();

  /** Registers a client; a negated errno refuses it. */
  registerClient(_name: string): number {
    return 0;
  }

  unregisterClient(_name: string): void {}

  listen(listener: (event: { kind: 'reset'; state: number }) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The firmware recovers (0) or has recovered (1). */
  notifyReset(state: number): void {
    for (const listener of this.#listeners) listener({ kind: 'reset', state });
  }
}
