import type { Sysfs } from '@vfiokit/driver-model';
import { EBUSY, VfioError } from '@vfiokit/uapi';
import type { Target } from '../decision/operation.js';
import { describeProcesses } from '../facts/vfio-users.js';
import type { BinderOptions, Recovery, StepFailure, TransactionResult } from './binder-options.js';
import { Abort, ForwardSteps } from './forward-steps.js';
import { intend, readBootId } from './intend.js';
import {
  deviceState,
  type JournalRecord,
  type JournalStep,
  type JournalTarget,
  parseJournal,
  pendingIds,
  resolvedTargets,
  type TransactionState,
} from './journal.js';
import { readLive } from './live-device.js';
import { restoreDevice } from './restore-device.js';
import { blockedText, LeftUnbinding, unbindWatched } from './watched-unbind.js';

/**
 * Carries plans out as transactions: for all devices of a plan, or for none. Before the first write the intent is in the
 * journal, so that a crash at any point leaves a record from which {@link recover} finishes.
 */
export class Binder {
  constructor(
    private readonly sysfs: Sysfs,
    private readonly options: BinderOptions,
  ) {}

  /**
   * Brings devices to their drivers.
   *
   * @throws VfioError `EROFS` for a capture; `EBUSY` if another transaction runs; `ENODEV` or `EAGAIN` for a plan that
   *   the machine has left behind; `EIO` for a journal that can't be written. Nothing is changed then.
   */
  async bind(targets: readonly Target[]): Promise<TransactionResult> {
    if (this.sysfs.kind === 'capture')
      throw new VfioError(
        'EROFS',
        'a capture has no kernel behind it: plan there, or bind on a model of it (--simulate)',
      );
    await using _ = await this.options.lock.acquire();
    const intent = await intend(this.sysfs, this.options, targets);
    const { id } = intent;
    const forward = new ForwardSteps(this.sysfs, this.options, (step) => this.#append(id, step));
    try {
      await forward.run(intent.targets);
      await this.#state(id, 'verified');
      await this.#state(id, 'committed');
      return { id, state: 'committed', failures: [], notices: forward.notices };
    } catch (error) {
      if (error instanceof LeftUnbinding)
        return { id, state: 'unbinding', failures: [], notices: forward.notices };
      if (!(error instanceof Abort)) throw error;
      return this.#rollBack(id, error.failure, forward.notices);
    }
  }

  /**
   * Undoes transactions that were committed, and tries those again that needed a person, the last first; those of earlier
   * boots are history. One of whose devices
   * somebody uses is left alone, its result says who: an unbind that has begun can't be called back.
   *
   * @param wait unbinds all the same, and waits for whoever uses a device.
   */
  async release(
    wanted?: (record: JournalRecord) => boolean,
    wait = false,
  ): Promise<readonly TransactionResult[]> {
    await using _ = await this.options.lock.acquire();
    const bootId = await readBootId(this.sysfs);
    const results: TransactionResult[] = [];
    for (const record of (await this.records()).toReversed()) {
      if (!isReleasable(record.state) || record.intent.bootId !== bootId) continue;
      if (wanted !== undefined && !wanted(record)) continue;
      results.push(await this.#release(record, wait));
    }
    return results;
  }

  async #release(record: JournalRecord, wait: boolean): Promise<TransactionResult> {
    const { id } = record.intent;
    const inUse = wait ? [] : await this.#inUse(record);
    if (inUse.length > 0) return { id, state: 'in-use', failures: inUse, notices: [] };
    const notices: string[] = [];
    try {
      const failures = await this.#restore(record, notices);
      const state = failures.length > 0 ? 'needs-attention' : 'released';
      await this.#finish(id, state);
      return { id, state, failures, notices };
    } catch (error) {
      if (!(error instanceof LeftUnbinding)) throw error;
      return { id, state: 'unbinding', failures: [], notices };
    }
  }

  /** Who keeps which device of a transaction from being given back. */
  async #inUse(record: JournalRecord): Promise<StepFailure[]> {
    const failures: StepFailure[] = [];
    for (const { device } of resolvedTargets(record)) {
      const users = await this.options.holders(device);
      if (users.length > 0)
        failures.push({
          step: 'unbind',
          device,
          errno: -EBUSY,
          message: `${device}: is in use by ${describeProcesses(users)}; stop that first`,
        });
    }
    return failures;
  }

  /**
   * Finishes what earlier processes left unfinished: everything is taken back, unless it was done and only the last line
   * is missing and `forward` is asked for. Running it twice gives the same state.
   */
  async recover(forward = false): Promise<readonly Recovery[]> {
    await using _ = await this.options.lock.acquire();
    const bootId = await readBootId(this.sysfs);
    const recoveries: Recovery[] = [];
    for (const record of (await this.records()).toReversed()) {
      const { id } = record.intent;
      if (record.intent.bootId !== bootId) {
        // The drivers' state is gone with the boot that it belonged to.
        await this.options.journal.archive(id);
        recoveries.push({ id, state: 'archived', notes: ['of an earlier boot'] });
      } else if (!isFinal(record.state)) recoveries.push(await this.#recoverOne(record, forward));
    }
    return recoveries;
  }

  /** Every transaction of this machine that is not history. Damaged journals are passed over: see {@link damaged}. */
  async records(): Promise<readonly JournalRecord[]> {
    return (await this.#journals()).flatMap(({ record }) => record ?? []);
  }

  /** Journals that can't be read: what they began nobody can take back but a person who looks at the devices. */
  async damaged(): Promise<readonly string[]> {
    return (await this.#journals()).flatMap(({ id, problem }) => (problem ? [id] : []));
  }

  async #journals(): Promise<
    readonly {
      readonly id: string;
      readonly record?: JournalRecord;
      readonly problem?: VfioError;
    }[]
  > {
    const { journal } = this.options;
    const found = [];
    for (const id of await journal.list())
      try {
        const record = parseJournal(await journal.read(id));
        if (record !== undefined) found.push({ id, record });
      } catch (problem) {
        if (!(problem instanceof VfioError)) throw problem;
        found.push({ id, problem });
      }
    return found;
  }

  async #recoverOne(record: JournalRecord, forward: boolean): Promise<Recovery> {
    const { id } = record.intent;
    const targets = resolvedTargets(record);
    for (const { device } of targets) {
      // The links go before a removal has ended, and a second unbind would only wait behind the first.
      if (deviceState(record, device) !== 'unbinding') continue;
      const holders = await this.options.holders(device);
      if ((await readLive(this.sysfs, device))?.driver === null && holders.length > 0)
        return { id, state: 'waiting', notes: [blockedText(device, holders)] };
    }
    if (forward && (await this.#allBound(targets))) {
      await this.#state(id, 'committed');
      return { id, state: 'committed', notes: [] };
    }
    await this.#state(id, 'rolling-back');
    const notes: string[] = [];
    try {
      const failures = await this.#restore(record, notes);
      const state = failures.length > 0 ? 'needs-attention' : 'rolled-back';
      await this.#finish(id, state);
      return { id, state, notes: [...notes, ...failures.map(({ message }) => message)] };
    } catch (error) {
      if (!(error instanceof LeftUnbinding)) throw error;
      return { id, state: 'waiting', notes };
    }
  }

  async #allBound(targets: readonly JournalTarget[]): Promise<boolean> {
    const steps = new ForwardSteps(this.sysfs, this.options, async () => {});
    for (const target of targets) if ((await steps.verify(target)) !== undefined) return false;
    return true;
  }

  async #rollBack(
    id: string,
    failure: StepFailure,
    notices: readonly string[],
  ): Promise<TransactionResult> {
    await this.#state(id, 'rolling-back', failure.message);
    const record = parseJournal(await this.options.journal.read(id))!;
    const notes = [...notices];
    try {
      const failures = await this.#restore(record, notes);
      const state = failures.length > 0 ? 'needs-attention' : 'rolled-back';
      await this.#finish(id, state);
      return { id, state, failures: [failure, ...failures], notices: notes };
    } catch (error) {
      if (!(error instanceof LeftUnbinding)) throw error;
      return { id, state: 'unbinding', failures: [failure], notices: notes };
    }
  }

  /** Restores every device of a transaction, the last first; what could not be. @throws LeftUnbinding */
  async #restore(record: JournalRecord, notes: string[]): Promise<StepFailure[]> {
    const failures: StepFailure[] = [];
    const unbind = async (device: string, driver: string): Promise<number> => {
      await this.#append(record.intent.id, { device, state: 'unbinding' });
      return unbindWatched(this.sysfs, this.options, { device, driver }, (text) =>
        notes.push(text),
      );
    };
    for (const { driver, newId } of pendingIds(record))
      await this.sysfs.write(`/sys/bus/pci/drivers/${driver}/remove_id`, newId);
    for (const target of resolvedTargets(record).toReversed()) {
      const restored = await restoreDevice(this.sysfs, target, unbind);
      if (restored.kind === 'dropped') notes.push(restored.note);
      if (restored.kind === 'needs-attention')
        failures.push({
          step: 'rollback',
          device: target.device,
          errno: restored.errno ?? -EBUSY,
          message: restored.note,
        });
    }
    return failures;
  }

  #append(id: string, step: JournalStep): Promise<void> {
    return this.options.journal.append(id, JSON.stringify(step));
  }

  #state(id: string, state: TransactionState, note?: string): Promise<void> {
    return this.#append(id, note === undefined ? { state } : { state, note });
  }

  /** A transaction that left nothing behind is history; one that needs somebody stays in sight. */
  async #finish(id: string, state: TransactionState): Promise<void> {
    await this.#state(id, state);
    if (state !== 'needs-attention') await this.options.journal.archive(id);
  }
}

function isReleasable(state: TransactionState): boolean {
  return state === 'committed' || state === 'needs-attention';
}

function isFinal(state: TransactionState): boolean {
  return (
    state === 'committed' ||
    state === 'rolled-back' ||
    state === 'needs-attention' ||
    state === 'released'
  );
}
