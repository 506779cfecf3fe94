import { baseName, readText, type Sysfs } from '@vfiokit/driver-model';
import { EAGAIN, EBUSY, EEXIST, ENODEV, errnoName, VfioError } from '@vfiokit/uapi';
import {
  bindPath,
  type Operation,
  overridePath,
  type StepName,
  type Target,
  unbindPath,
} from '../decision/operation.js';
import type { Process } from '../facts/usage-facts.js';
import type { HostLock } from './host-lock.js';
import {
  type DeviceState,
  deviceState,
  type JournalIntent,
  type JournalRecord,
  type JournalStep,
  type JournalStore,
  type JournalTarget,
  parseJournal,
  pendingIds,
  resolvedTargets,
  type TransactionState,
} from './journal.js';
import { type LiveDevice, readLive, sameDevice } from './live-device.js';
import type { ModuleLoader } from './module-loader.js';
import { restoreDevice } from './restore-device.js';

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
  /** Waits; in milliseconds. */
  readonly pause: (milliseconds: number) => Promise<void>;
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
  /** `unbinding` is a transaction that was left waiting for a device's user. */
  readonly state:
    | Extract<TransactionState, 'committed' | 'rolled-back' | 'needs-attention' | 'released'>
    | 'unbinding';
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

const DEFAULT_SOFT_TIMEOUT = 5000;
const DEFAULT_RETRIES = 5;
const RETRY_PAUSE = 200;

/** Ends a transaction half-way: everything it did is taken back. */
class Abort extends Error {
  constructor(readonly failure: StepFailure) {
    super(failure.message);
  }
}

/** Ends the waiting for a device's user: nothing is taken back, and nothing can be. */
class LeftUnbinding extends Error {}

/**
 * Carries plans out as transactions: for all devices of a plan, or for none. Before the first write the intent is in the
 * journal, so that a crash at any point leaves a record from which {@link recover} finishes.
 */
export class Binder {
  readonly #notices: string[] = [];

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
        'a capture has no kernel behind it: plan there, bind on a model or live',
      );
    await using _ = await this.options.lock.acquire();
    const intent = await this.#intend(targets);
    const { id } = intent;
    this.#notices.length = 0;
    try {
      const resolved = await this.#load(id, intent.targets);
      await this.#forward(id, resolved);
      await this.#state(id, 'verified');
      await this.#state(id, 'committed');
      return { id, state: 'committed', failures: [], notices: [...this.#notices] };
    } catch (error) {
      if (error instanceof LeftUnbinding)
        return { id, state: 'unbinding', failures: [], notices: [...this.#notices] };
      if (!(error instanceof Abort)) throw error;
      return this.#rollBack(id, error.failure);
    }
  }

  /** Undoes transactions that were committed, the last first; those of earlier boots are history. */
  async release(
    wanted?: (record: JournalRecord) => boolean,
  ): Promise<readonly TransactionResult[]> {
    await using _ = await this.options.lock.acquire();
    const bootId = await this.#bootId();
    const results: TransactionResult[] = [];
    for (const record of (await this.records()).toReversed()) {
      if (record.state !== 'committed' || record.intent.bootId !== bootId) continue;
      if (wanted !== undefined && !wanted(record)) continue;
      const { failures, notes } = await this.#restore(record);
      const state = failures.length > 0 ? 'needs-attention' : 'released';
      await this.#finish(record.intent.id, state);
      results.push({ id: record.intent.id, state, failures, notices: notes });
    }
    return results;
  }

  /**
   * Finishes what earlier processes left unfinished: everything is taken back, unless it was done and only the last line
   * is missing and `forward` is asked for. Running it twice gives the same state.
   */
  async recover(forward = false): Promise<readonly Recovery[]> {
    await using _ = await this.options.lock.acquire();
    const bootId = await this.#bootId();
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

  /** Every transaction of this machine that is not history. */
  async records(): Promise<readonly JournalRecord[]> {
    const { journal } = this.options;
    const records: JournalRecord[] = [];
    for (const id of await journal.list()) {
      const record = parseJournal(await journal.read(id));
      if (record !== undefined) records.push(record);
    }
    return records;
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
    const { failures, notes } = await this.#restore(record);
    const state = failures.length > 0 ? 'needs-attention' : 'rolled-back';
    await this.#finish(id, state);
    return { id, state, notes: [...notes, ...failures.map(({ message }) => message)] };
  }

  async #allBound(targets: readonly JournalTarget[]): Promise<boolean> {
    for (const target of targets) if ((await this.#verify(target)) !== undefined) return false;
    return true;
  }

  /** Compares the plan with the machine and puts the intent into the journal. */
  async #intend(targets: readonly Target[]): Promise<JournalIntent> {
    const journaled: JournalTarget[] = [];
    for (const target of targets) {
      const live = await readLive(this.sysfs, target.device);
      if (live === undefined)
        throw new VfioError('ENODEV', `${target.device}: is gone; plan again`);
      const { driver, override } = target.before;
      if (live.driver !== driver || (live.override !== undefined && live.override !== override))
        throw new VfioError(
          'EAGAIN',
          `${target.device}: has changed since the plan was made; plan again`,
        );
      if (
        typeof (await this.sysfs.readLink(`/sys/bus/pci/devices/${target.device}/virtfn0`)) ===
        'string'
      )
        throw new VfioError(
          'EBUSY',
          `${target.device}: has VFs, which go with its driver; write 0 to sriov_numvfs first`,
        );
      if (live.override === undefined && this.options.newIdWithoutOverride !== true)
        throw new VfioError(
          'EOPNOTSUPP',
          `${target.device}: this kernel has no driver_override; --new-id binds by id, which takes every unbound device of that id`,
        );
      journaled.push({ ...target, driver: target.driver ?? null, identity: live.identity });
    }
    const intent: JournalIntent = {
      version: 1,
      id: this.options.newId(),
      bootId: await this.#bootId(),
      release: await this.#procText('osrelease'),
      creator: this.options.creator,
      time: this.options.now(),
      targets: journaled,
    };
    await this.options.journal.create(intent.id, JSON.stringify(intent));
    return intent;
  }

  /** Loads what has to be loaded, and finds out what the drivers are called. */
  async #load(id: string, targets: readonly JournalTarget[]): Promise<readonly JournalTarget[]> {
    const names = new Map<string, string>();
    for (const { load: module, device } of targets) {
      if (module === undefined || names.has(module)) continue;
      const before = await this.#bindings();
      const loaded = await this.options.loader.load(module);
      if (loaded !== undefined)
        this.#abort('load', device, loaded.errno, `${module}: ${loaded.message}`);
      const links = await this.sysfs.list(`/sys/module/${module}/drivers`);
      const link =
        typeof links === 'number' ? undefined : links.find((name) => name.startsWith('pci:'));
      if (link === undefined)
        this.#abort('load', device, -ENODEV, `${module}: was loaded and has no PCI driver`);
      const driver = link!.slice('pci:'.length);
      names.set(module, driver);
      await this.#append(id, { loaded: module, driver });
      for (const [other, now] of await this.#bindings())
        if (before.get(other) !== now)
          this.#notices.push(
            `${other}: loading ${module} bound it to ${now}; its override was waiting for that`,
          );
    }
    return targets.map((target) => {
      const driver = target.load === undefined ? undefined : names.get(target.load);
      return driver === undefined ? target : { ...target, driver };
    });
  }

  async #forward(id: string, targets: readonly JournalTarget[]): Promise<void> {
    const reached = (device: string, state: DeviceState) => this.#append(id, { device, state });
    const shielded = await this.#override(targets, reached);
    for (const target of targets) await this.#unbind(target, reached);
    for (const target of targets) {
      if (target.driver === null) continue;
      await reached(target.device, 'binding');
      await (shielded.has(target.device) ? this.#bindOne(target) : this.#bindByNewId(id, target));
      await reached(target.device, 'bound');
    }
    for (const target of targets) {
      const problem = await this.#verify(target);
      if (problem !== undefined) this.#abort('verify', target.device, -ENODEV, problem);
    }
  }

  /** Writes every override before the first unbind; returns the devices that have one. */
  async #override(
    targets: readonly JournalTarget[],
    reached: (device: string, state: DeviceState) => Promise<void>,
  ): Promise<ReadonlySet<string>> {
    const shielded = new Set<string>();
    for (const { device, driver } of targets) {
      const live = await readLive(this.sysfs, device);
      if (live !== undefined && live.override === undefined) continue;
      const errno = await this.sysfs.write(overridePath(device), driver ?? 'none');
      if (errno < 0)
        this.#abort('override', device, errno, `${device}: its override can't be set to ${driver}`);
      shielded.add(device);
      await reached(device, 'overridden');
    }
    return shielded;
  }

  async #unbind(
    { device, before }: JournalTarget,
    reached: (device: string, state: DeviceState) => Promise<void>,
  ): Promise<void> {
    if (before.driver === null) return;
    await reached(device, 'unbinding');
    const errno = await this.#withSoftTimeout(
      device,
      this.sysfs.write(unbindPath(before.driver), device),
    );
    if (errno < 0) {
      const now = (await readLive(this.sysfs, device))?.driver ?? null;
      const what = now === null ? 'somebody else unbound it' : `it is bound to ${now}`;
      this.#abort(
        'unbind',
        device,
        errno,
        `${device}: can't be unbound from ${before.driver}: ${what}`,
      );
    }
    await reached(device, 'unbound');
  }

  /** Waits for an unbind, and says who holds it up when it takes long: it can't be called back. */
  async #withSoftTimeout(device: string, unbinding: Promise<number>): Promise<number> {
    const { softTimeout = DEFAULT_SOFT_TIMEOUT, pause, holders, onBlocked } = this.options;
    const blocked = Symbol('blocked');
    const first = await Promise.race([unbinding, pause(softTimeout).then(() => blocked)]);
    if (typeof first === 'number') return first;
    const who = await holders(device);
    this.#notices.push(blockedText(device, who));
    if (onBlocked?.(device, who) === 'leave') throw new LeftUnbinding(device);
    return unbinding;
  }

  async #bindOne({ device, driver }: JournalTarget): Promise<void> {
    const { retries = DEFAULT_RETRIES, pause } = this.options;
    let errno = await this.sysfs.write(bindPath(driver!), device);
    for (let attempt = 0; errno === -EAGAIN && attempt < retries; attempt += 1) {
      await pause(RETRY_PAUSE);
      errno = await this.sysfs.write(bindPath(driver!), device);
    }
    if (errno >= 0) return;
    // Somebody may have been quicker with the very driver: the override made sure that it can be no other.
    if (errno === -EBUSY && (await readLive(this.sysfs, device))?.driver === driver) return;
    this.#abort('bind', device, errno, await explainBind(this.sysfs, device, driver!, errno));
  }

  async #bindByNewId(id: string, { device, driver, identity }: JournalTarget): Promise<void> {
    const match = /^pci:v0{4}(\w{4})d0{4}(\w{4})/.exec(identity.modalias);
    const ids = `${match?.[1]} ${match?.[2]}`.toLowerCase();
    const folder = `/sys/bus/pci/drivers/${driver}`;
    await this.#append(id, { device, newId: ids, driver: driver! });
    const added = await this.sysfs.write(`${folder}/new_id`, ids);
    if (added < 0 && added !== -EEXIST)
      this.#abort('bind', device, added, `${device}: ${driver} does not take the id ${ids}`);
    if ((await readLive(this.sysfs, device))?.driver !== driver)
      await this.sysfs.write(bindPath(driver!), device);
    // Only what was added here is removed: an id that was there before belongs to somebody.
    if (added >= 0) await this.sysfs.write(`${folder}/remove_id`, ids);
    await this.#append(id, { device, newIdRemoved: ids });
  }

  /** What is wrong with a device that should be done; undefined if nothing is. */
  async #verify(target: JournalTarget): Promise<string | undefined> {
    const { device, driver, identity } = target;
    const live = await readLive(this.sysfs, device);
    if (live === undefined) return `${device}: is gone`;
    if (!sameDevice(live.identity, identity))
      return `${device}: another device has its address now`;
    if (live.driver !== driver)
      return `${device}: is bound to ${live.driver ?? 'nothing'} instead of ${driver ?? 'nothing'}`;
    return driver === null ? undefined : wrongBinding(live, device, driver);
  }

  async #rollBack(id: string, failure: StepFailure): Promise<TransactionResult> {
    await this.#state(id, 'rolling-back', failure.message);
    const record = parseJournal(await this.options.journal.read(id))!;
    const { failures, notes } = await this.#restore(record);
    const state = failures.length > 0 ? 'needs-attention' : 'rolled-back';
    await this.#finish(id, state);
    return { id, state, failures: [failure, ...failures], notices: [...this.#notices, ...notes] };
  }

  /** Restores every device of a transaction, the last first. */
  async #restore(record: JournalRecord): Promise<{ failures: StepFailure[]; notes: string[] }> {
    const failures: StepFailure[] = [];
    const notes: string[] = [];
    for (const { driver, newId } of pendingIds(record))
      await this.sysfs.write(`/sys/bus/pci/drivers/${driver}/remove_id`, newId);
    for (const target of resolvedTargets(record).toReversed()) {
      const restored = await restoreDevice(this.sysfs, target);
      if (restored.kind === 'dropped') notes.push(restored.note);
      if (restored.kind === 'needs-attention')
        failures.push({
          step: 'rollback',
          device: target.device,
          errno: restored.errno ?? -EBUSY,
          message: restored.note,
        });
    }
    return { failures, notes };
  }

  async #bindings(): Promise<ReadonlyMap<string, string>> {
    const devices = await this.sysfs.list('/sys/bus/pci/devices');
    const found = new Map<string, string>();
    for (const device of typeof devices === 'number' ? [] : devices) {
      const link = await this.sysfs.readLink(`/sys/bus/pci/devices/${device}/driver`);
      if (typeof link === 'string') found.set(device, baseName(link));
    }
    return found;
  }

  #abort(step: Operation['step'], device: string, errno: number, message: string): never {
    throw new Abort({ step, device, errno, message: `${message} (${errnoName(errno)})` });
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

  #bootId(): Promise<string> {
    return this.#procText('random/boot_id');
  }

  async #procText(name: string): Promise<string> {
    const text = await readText(this.sysfs, `/proc/sys/kernel/${name}`);
    return typeof text === 'number' ? 'unknown' : text.trim();
  }
}

function isFinal(state: TransactionState): boolean {
  return (
    state === 'committed' ||
    state === 'rolled-back' ||
    state === 'needs-attention' ||
    state === 'released'
  );
}

function blockedText(device: string, holders: readonly Process[]): string {
  const who = holders.map(({ pid, command }) => `process ${pid} (${command})`).join(', ');
  return `${device}: its unbind waits for ${who || 'a user that could not be seen'}; it goes on when that lets go`;
}

function wrongBinding(live: LiveDevice, device: string, driver: string): string | undefined {
  if (live.override !== undefined && live.override !== driver)
    return `${device}: somebody has changed its override to ${live.override ?? 'nothing'}`;
  return live.providesVfio ? undefined : `${device}: ${driver} provides no VFIO device`;
}

/** What a refusal of `bind` means here: one errno has several causes, which only another look at the device tells apart. */
async function explainBind(
  sysfs: Sysfs,
  device: string,
  driver: string,
  errno: number,
): Promise<string> {
  const live = await readLive(sysfs, device);
  const subject = `${device}: can't be bound to ${driver}`;
  if (live === undefined) return `${subject}: it is gone`;
  if (live.driver !== null) return `${subject}: it is bound to ${live.driver}`;
  if (live.override !== undefined && live.override !== driver)
    return `${subject}: somebody has changed its override to ${live.override ?? 'nothing'}`;
  const group = await sysfs.readLink(`/sys/bus/pci/devices/${device}/iommu_group`);
  if (typeof group === 'number') return `${subject}: it is in no IOMMU group; is the IOMMU on?`;
  if (errno === -EBUSY) return `${subject}: its group is owned by a user, or it has VFs`;
  if (errno === -EAGAIN) return `${subject}: it is not ready, however often it was asked`;
  return `${subject}: the driver's own probe refuses`;
}
