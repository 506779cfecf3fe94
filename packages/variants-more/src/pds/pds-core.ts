import type { DmaMemory } from './dma-memory.js';

/** The native driver of the PF, as far as it serves VFs (drivers/net/ethernet/amd/pds_core). */
export abstract class PdsCore {
  readonly #listeners = new Set<(event: { kind: 'reset'; state: number }) => void>();

  /**
   * Has the adapter carry out a command of its administration queue (pds_client_adminq_cmd).
   *
   * @param memory what the addresses in the command lead to.
   * @returns the completion, or a negated errno: `-EAGAIN` for what has not ended yet.
   */
  abstract execute(command: Uint8Array, memory: DmaMemory): Uint8Array | number;

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
