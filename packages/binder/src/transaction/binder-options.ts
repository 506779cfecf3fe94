import type { StepName } from '../decision/operation.js';
import type { Process } from '../facts/vfio-users.js';
import type { HostLock } from './host-lock.js';
import type { JournalStore, TransactionState } from './journal.js';
import type { ModuleLoader } from './module-loader.js';

/** What a transaction needs besides the machine's files. */
export interface BinderOptions {
  readonly journal: JournalStore;
  readonly lock: HostLock;
  readonly loader: ModuleLoader;
  /** Who writes the journal. */
  readonly creator: string;
  /** Time as ISO 8601. */
  readonly now: () => string;
  /** A name for a new transaction, unused so far. */
  readonly newId: () => string;
  /** Waits; in milliseconds. A signal ends the waiting early, so that no timer outlives what it was for. */
  readonly pause: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
  /** Processes that keep a device from being unbound. */
  readonly holders: (device: string) => Promise<readonly Process[]>;
  /** Called when an unbind takes longer than {@link softTimeout}. `leave` gives up waiting; the journal says so. */
  readonly onBlocked?: (device: string, holders: readonly Process[]) => 'wait' | 'leave';
  /** Milliseconds after which an unbind counts as blocked. */
  readonly softTimeout?: number;
  /** How often a driver that is not ready is asked again. */
  readonly retries?: number;
  /** On kernels without `driver_override`: binds by `new_id`, which takes every unbound device of the same id. */
  readonly newIdWithoutOverride?: boolean;
}

/** What went wrong, where. */
export interface StepFailure {
  readonly step: StepName | 'rollback';
  readonly device: string;
  readonly errno: number;
  readonly message: string;
}

export interface TransactionResult {
  readonly id: string;
  /**
   * `unbinding` is a transaction that was left waiting for a device's user; `in-use` one that was not released, because
   * somebody uses a device of it: nothing was changed.
   */
  readonly state:
    | Extract<TransactionState, 'committed' | 'rolled-back' | 'needs-attention' | 'released'>
    | 'unbinding'
    | 'in-use';
  readonly failures: readonly StepFailure[];
  /** What else happened. */
  readonly notices: readonly string[];
}

/** What recovery did about one transaction that was not finished. */
export interface Recovery {
  readonly id: string;
  readonly state: 'rolled-back' | 'committed' | 'needs-attention' | 'archived' | 'waiting';
  readonly notes: readonly string[];
}
