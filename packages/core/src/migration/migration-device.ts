import { EINVAL, ERRNO, type MigrationFile, type MigrationState, VfioError } from '@vfiokit/uapi';
import { MigrationBroken, type MigrationOps } from '../extension.js';
import { MigrationDataFile } from './data-file.js';
import { isSaving, nextState } from './next-state.js';

/**
 * The migration state of a device: it walks from arc to arc, as every migration driver of the kernel does in its own
 * migration_set_state, and owns the data file between the arcs that begin and end a transfer.
 */
export class MigrationDevice {
  #state: MigrationState = 'RUNNING';
  #file: MigrationDataFile | undefined;
  /** What came while an arc was under way, and takes effect after it. */
  #pending: 'reset' | 'failure' | undefined;
  #moving = false;
  /** The user asked for the second version of precopy information; forgotten at the last close. */
  precopyInfoV2 = false;

  constructor(readonly ops: MigrationOps) {
    const self = this;
    ops.attach?.({
      get state() {
        return self.#state;
      },
      fail: () => this.#fail(),
    });
  }

  get state(): MigrationState {
    return this.#state;
  }

  /**
   * Goes to a state.
   *
   * @returns the data file if the last arc began a transfer; a negated errno leaves the device in the last state that it
   *   reached, or in ERROR.
   */
  set(target: MigrationState): MigrationFile | undefined | number {
    this.#moving = true;
    try {
      return this.#walk(target);
    } finally {
      this.#moving = false;
      const pending = this.#pending;
      this.#pending = undefined;
      if (pending === 'reset') this.reset();
      else if (pending === 'failure') this.#fail();
    }
  }

  /** The first open finds the device running, whatever its last user left. */
  open(): void {
    this.#endTransfer();
    this.#state = 'RUNNING';
  }

  #walk(target: MigrationState): MigrationFile | undefined | number {
    if (this.#state === 'ERROR') return -ERRNO[this.ops.errorErrno ?? 'EINVAL'];
    if (nextState(this.ops.support, this.#state, target) === undefined) return -EINVAL;
    let file: MigrationDataFile | undefined;
    while (this.#state !== target) {
      const next = nextState(this.ops.support, this.#state, target);
      if (next === undefined) return -EINVAL;
      try {
        file = this.#arc(next);
        // Only the last arc may begin a transfer; the user would never learn of one before it.
        if (file !== undefined && next !== target) {
          this.#endTransfer();
          return -EINVAL;
        }
      } catch (error) {
        if (!(error instanceof VfioError)) throw error;
        if (error instanceof MigrationBroken) this.#break();
        return error.errno;
      }
    }
    return file;
  }

  /** The device was reset: it runs, and open data files are dead. In the middle of an arc that waits for its end. */
  reset(): void {
    if (this.#moving) {
      this.#pending = 'reset';
      return;
    }
    this.#endTransfer();
    this.ops.reset?.();
    this.#state = 'RUNNING';
  }

  /** The last close ends a transfer that is under way. */
  close(): void {
    this.#endTransfer();
    this.precopyInfoV2 = false;
  }

  #arc(next: MigrationState): MigrationDataFile | undefined {
    const from = this.#state;
    const stream = this.ops.arc(from, next);
    // Nothing leads from RESUMING to a state that saves, so what goes on is always a file to read.
    if (!isSaving(next)) this.#endTransfer();
    this.#state = next;
    if (stream === undefined) return undefined;
    this.#file = new MigrationDataFile(stream, this);
    return this.#file;
  }

  #fail(): void {
    if (this.#moving) {
      this.#pending ??= 'failure';
      return;
    }
    this.#break();
  }

  #break(): void {
    this.#endTransfer();
    this.#state = 'ERROR';
  }

  #endTransfer(): void {
    this.#file?.end();
    this.#file = undefined;
  }
}
