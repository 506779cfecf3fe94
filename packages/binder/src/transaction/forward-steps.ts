import { baseName, type Sysfs } from '@vfiokit/driver-model';
import { EAGAIN, EBUSY, EEXIST, ENODEV, EPERM, errnoName } from '@vfiokit/uapi';
import { bindPath, overridePath, type StepName, unbindPath } from '../decision/operation.js';
import type { BinderOptions, StepFailure } from './binder-options.js';
import { groupObstacle } from './group-obstacle.js';
import type { DeviceState, JournalStep, JournalTarget } from './journal.js';
import { type LiveDevice, readLive, sameDevice } from './live-device.js';
import { unbindWatched } from './watched-unbind.js';

const DEFAULT_RETRIES = 5;
const RETRY_PAUSE = 200;

/** Ends a transaction half-way: everything it did is taken back. */
export class Abort extends Error {
  constructor(readonly failure: StepFailure) {
    super(failure.message);
  }
}

/** Notes how far a device has got, before the next step is taken. */
type Reached = (device: string, state: DeviceState) => Promise<void>;

/** The way forward of one transaction: load, shield all, unbind all, bind all, verify all. Stops by throwing {@link Abort}. */
export class ForwardSteps {
  readonly #notices: string[] = [];

  /** @param append puts a step into the transaction's journal. */
  constructor(
    private readonly sysfs: Sysfs,
    private readonly options: BinderOptions,
    private readonly append: (step: JournalStep) => Promise<void>,
  ) {}

  /** What else happened on the way. */
  get notices(): readonly string[] {
    return this.#notices;
  }

  /** Brings every target to its driver. */
  async run(targets: readonly JournalTarget[]): Promise<void> {
    await this.#forward(await this.#load(targets));
  }

  /** Loads what has to be loaded, and finds out what the drivers are called. */
  async #load(targets: readonly JournalTarget[]): Promise<readonly JournalTarget[]> {
    const names = new Map<string, string>();
    for (const { load: module, device } of targets)
      if (module !== undefined && !names.has(module))
        names.set(module, await this.#loadModule(module, device));
    return targets.map((target) => {
      const driver = target.load === undefined ? undefined : names.get(target.load);
      return driver === undefined ? target : { ...target, driver };
    });
  }

  /** Loads a module; the name of its driver, which only its links know. */
  async #loadModule(module: string, device: string): Promise<string> {
    const before = await this.#bindings();
    const loaded = await this.options.loader.load(module);
    if (loaded !== undefined)
      this.#abort('load', device, loaded.errno, `${module}: ${loaded.message}`);
    const links = await this.sysfs.list(`/sys/module/${module}/drivers`);
    const link =
      typeof links === 'number' ? undefined : links.find((name) => name.startsWith('pci:'));
    if (link === undefined)
      this.#abort('load', device, -ENODEV, `${module}: was loaded and has no PCI driver`);
    const driver = link.slice('pci:'.length);
    await this.append({ loaded: module, driver });
    for (const [other, now] of await this.#bindings())
      if (before.get(other) !== now)
        this.#notices.push(
          `${other}: loading ${module} bound it to ${now}; its override was waiting for that`,
        );
    return driver;
  }

  async #forward(targets: readonly JournalTarget[]): Promise<void> {
    const reached: Reached = (device, state) => this.append({ device, state });
    const shielded = await this.#override(targets, reached);
    for (const target of targets) await this.#unbind(target, reached);
    const bound: JournalTarget[] = [];
    for (const target of targets) {
      if (target.driver === null) {
        bound.push(target);
        continue;
      }
      await reached(target.device, 'binding');
      if (shielded.has(target.device)) bound.push(await this.#bindFirst(target));
      else {
        await this.#bindByNewId(target);
        bound.push(target);
      }
      await reached(target.device, 'bound');
    }
    for (const target of bound) {
      const problem = await this.verify(target);
      if (problem !== undefined) this.#abort('verify', target.device, -ENODEV, problem);
    }
    // Only now every member that was asked for is where it shall be.
    for (const { device, driver } of bound) {
      const obstacle = driver === null ? undefined : await groupObstacle(this.sysfs, device);
      if (obstacle !== undefined) this.#abort('verify', device, -EPERM, obstacle);
    }
  }

  /**
   * Binds a device to the first driver of its chain that takes it and is a VFIO driver. Between two attempts it is
   * unbound and its override names the next one: what it had before never gets it back in between.
   */
  async #bindFirst(target: JournalTarget): Promise<JournalTarget> {
    let current = target;
    for (const next of target.alternatives ?? []) {
      const failure = await this.#attempt(current);
      if (failure === undefined) return current;
      this.#notices.push(failure.message);
      current = await this.#tryNext(current, next);
    }
    await this.#bindOne(current);
    return current;
  }

  /** One driver of a chain: undefined if it has the device and provides a VFIO device. */
  async #attempt(target: JournalTarget): Promise<StepFailure | undefined> {
    const { device } = target;
    try {
      await this.#bindOne(target);
    } catch (error) {
      if (error instanceof Abort) return error.failure;
      throw error;
    }
    const problem = await this.verify(target);
    return problem === undefined
      ? undefined
      : { step: 'verify', device, errno: -ENODEV, message: problem };
  }

  async #tryNext(
    target: JournalTarget,
    { driver, load }: NonNullable<JournalTarget['alternatives']>[number],
  ): Promise<JournalTarget> {
    const { device } = target;
    // What took the device and is no VFIO driver lets go of it while the journal still names it.
    if ((await readLive(this.sysfs, device))?.driver === target.driver)
      await this.sysfs.write(unbindPath(target.driver!), device);
    const next = load === undefined ? driver! : await this.#loadModule(load, device);
    await this.append({ device, trying: next });
    const errno = await this.sysfs.write(overridePath(device), next);
    if (errno < 0)
      this.#abort('override', device, errno, `${device}: its override can't be set to ${next}`);
    return { ...target, driver: next };
  }

  /** Writes every override before the first unbind; returns the devices that have one. */
  async #override(
    targets: readonly JournalTarget[],
    reached: Reached,
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

  async #unbind({ device, before }: JournalTarget, reached: Reached): Promise<void> {
    if (before.driver === null) return;
    await reached(device, 'unbinding');
    const errno = await unbindWatched(
      this.sysfs,
      this.options,
      { device, driver: before.driver },
      (text) => this.#notices.push(text),
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

  async #bindByNewId({ device, driver, identity }: JournalTarget): Promise<void> {
    const match = /^pci:v0{4}(\w{4})d0{4}(\w{4})/.exec(identity.modalias);
    const ids = `${match?.[1]} ${match?.[2]}`.toLowerCase();
    const folder = `/sys/bus/pci/drivers/${driver}`;
    await this.append({ device, newId: ids, driver: driver! });
    const added = await this.sysfs.write(`${folder}/new_id`, ids);
    if (added < 0 && added !== -EEXIST)
      this.#abort('bind', device, added, `${device}: ${driver} does not take the id ${ids}`);
    if ((await readLive(this.sysfs, device))?.driver !== driver)
      await this.sysfs.write(bindPath(driver!), device);
    // Only what was added here is removed: an id that was there before belongs to somebody.
    if (added >= 0) await this.sysfs.write(`${folder}/remove_id`, ids);
    await this.append({ device, newIdRemoved: ids });
  }

  /** What is wrong with a device that should be done; undefined if nothing is. */
  async verify(target: JournalTarget): Promise<string | undefined> {
    const { device, driver, identity } = target;
    const live = await readLive(this.sysfs, device);
    if (live === undefined) return `${device}: is gone`;
    if (!sameDevice(live.identity, identity))
      return `${device}: another device has its address now`;
    if (live.driver !== driver)
      return `${device}: is bound to ${live.driver ?? 'nothing'} instead of ${driver ?? 'nothing'}`;
    return driver === null ? undefined : wrongBinding(live, device, driver);
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

  #abort(step: StepName, device: string, errno: number, message: string): never {
    throw new Abort({ step, device, errno, message: `${message} (${errnoName(errno)})` });
  }
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
