import { commandErrno, type Mlx5Commands } from './command-interface.js';
import {
  HCA_CAP_GENERAL,
  HCA_CAP_GENERAL_2,
  MLX5_CMD_OP,
  queryHcaCapIn,
  queryHcaCapOut,
} from './commands.js';
import type { PageTrackCaps } from './page-tracker/layout.js';

/** What the firmware of a PF can do (general capabilities). */
export interface Mlx5Capabilities {
  readonly migration: boolean;
  /** An image may be loaded in several pieces. */
  readonly migrationMultiLoad: boolean;
  /** Changes can be tracked while a device is saved. */
  readonly migrationTrackingState: boolean;
  /** Images can be had in chunks. */
  readonly migrationInChunks: boolean;
  /** It says when a device was initialised anew. */
  readonly migrationState: boolean;
  /** Dirty pages can be tracked (adv_virtualization), and how. */
  readonly pageTrack: PageTrackCaps | undefined;
}

/** A current ConnectX with everything but chunks. */
export const CONNECTX_CAPABILITIES: Mlx5Capabilities = {
  migration: true,
  migrationMultiLoad: true,
  migrationTrackingState: true,
  migrationInChunks: false,
  migrationState: false,
  pageTrack: {
    logMaxNum: 4,
    maxNumRange: 8,
    logMinAddrSpace: 12,
    logMaxAddrSpace: 48,
    logMinMsgSize: 6,
    logMaxMsgSize: 12,
    logMinPageSize: 12,
    logMaxPageSize: 21,
  },
};

/** What a PF tells about one of its VFs. */
export type VfEvent = 'DISABLE_VF' | 'ENABLE_VF';

export interface Mlx5CoreOptions {
  readonly commands: Mlx5Commands;
  readonly capabilities?: Partial<Mlx5Capabilities>;
}

/** The native driver of a ConnectX PF, as far as it serves others (drivers/net/ethernet/mellanox/mlx5/core). */
export class Mlx5Core {
  readonly commands: Mlx5Commands;
  readonly capabilities: Mlx5Capabilities;
  /** The interface to the firmware is up; not so while the PF recovers. */
  interfaceUp = true;
  readonly #listeners = new Map<number, Set<(event: VfEvent) => void>>();

  constructor({ commands, capabilities }: Mlx5CoreOptions) {
    this.commands = commands;
    this.capabilities = { ...CONNECTX_CAPABILITIES, ...capabilities };
  }

  /** Calls back for events of a VF, counted from 0; the returned function ends that. */
  listen(vf: number, listener: (event: VfEvent) => void): () => void {
    const listeners = this.#listeners.get(vf) ?? new Set();
    this.#listeners.set(vf, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Something is about to happen to a VF, or has happened (mlx5_sriov_blocking_notifier). */
  notify(vf: number, event: VfEvent): void {
    for (const listener of this.#listeners.get(vf) ?? []) listener(event);
  }

  /** Whether a VF may migrate; functions of the PF count VFs from 1. */
  isMigratable(functionId: number): boolean {
    const output = this.#queryOther(functionId, HCA_CAP_GENERAL_2);
    return output?.migratable === 1;
  }

  /** The id under which the firmware knows a VF's virtual HCA; undefined if it does not tell. */
  vhcaId(functionId: number): number | undefined {
    return this.#queryOther(functionId, HCA_CAP_GENERAL)?.vhcaId;
  }

  #queryOther(functionId: number, opMod: number) {
    const opcode = MLX5_CMD_OP.QUERY_HCA_CAP;
    const input = queryHcaCapIn.encode({ opcode, opMod, otherFunction: 1, functionId });
    const output = this.commands.execute(input);
    return commandErrno(output) < 0 ? undefined : queryHcaCapOut.decode(output);
  }
}
