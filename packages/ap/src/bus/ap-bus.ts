import { ENODEV, errnoName, VfioError } from '@vfiokit/uapi';
import { type Apqn, apidOf, apqiOf, apqnOf, parseApqn } from '../arch/apqn.js';
import type { ApInstructions } from '../arch/instructions.js';
import type { QueueMatrix } from '../arch/matrix.js';
import type { VirtualClock } from '../clock.js';
import type { KernelLog } from '../kernel-log.js';
import type { ApOwnership } from '../vfio-ap/matrix-dev.js';
import type { ApCard } from './ap-card.js';
import type { ApCardDriver, ApDriver, ApQueueDriver } from './ap-driver.js';
import { ApPerms, type PermMask } from './ap-perms.js';
import type { ApQueue, QueueEnvironment } from './ap-queue.js';
import { finish, type Phases } from './phases.js';

/** The parameters of the kernel's AP bus. */
export interface ApBusParameters {
  readonly apmask?: string;
  readonly aqmask?: string;
  /** The default domain. */
  readonly domain?: number;
  /** Whether to work with interrupts; they are used if the hardware has them. */
  readonly useirq?: boolean;
  /** Seconds between two scans. */
  readonly configTime?: number;
}

/** A change that the bus tells user space. */
export interface Uevent {
  readonly action: 'add' | 'remove' | 'change' | 'bind' | 'unbind';
  /** The device: `card05`, `05.0004`, or `ap` for the bus's root device. */
  readonly device: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A device of the bus. */
export type ApDevice = ApCard | ApQueue;

/** What stands behind an AP bus. */
export interface ApBusParts {
  /** The instructions of the level that the bus runs on. */
  readonly ap: ApInstructions;
  readonly clock: VirtualClock;
  readonly log: KernelLog;
}

/**
 * The AP bus: cards, queues, their drivers, and which queue may go to which of them (ap_bus.c).
 *
 * Nothing here knows vfio_ap; it is a driver that happens not to be a default one and happens to have a veto.
 */
export class ApBus implements ApOwnership {
  readonly ap: ApInstructions;
  readonly clock: VirtualClock;
  readonly log: KernelLog;
  readonly perms: ApPerms;
  readonly parameters: ApBusParameters;
  readonly uevents: Uevent[] = [];
  readonly environment: QueueEnvironment;
  readonly #cards = new Map<number, ApCard>();
  readonly #drivers: ApDriver[] = [];
  readonly #going = new Set<ApDriver>();
  /** Queues that are bound or just being probed, by APQN. */
  readonly #lookup: (ApQueue | undefined)[] = [];
  #overrides = 0;
  #completeArmed = true;
  #completions = 0;
  /** Counts finished scans; the scanner does. */
  scans = 0;

  constructor(parts: ApBusParts, parameters: ApBusParameters = {}) {
    this.ap = parts.ap;
    this.clock = parts.clock;
    this.log = parts.log;
    this.parameters = parameters;
    this.perms = new ApPerms({
      ...(parameters.apmask === undefined ? {} : { apmask: parameters.apmask }),
      ...(parameters.aqmask === undefined ? {} : { aqmask: parameters.aqmask }),
    });
    this.environment = {
      ap: parts.ap,
      clock: parts.clock,
      interrupts: parameters.useirq ?? true,
    };
  }

  /** Cards by id, in the order of their arrival. */
  get cards(): ReadonlyMap<number, ApCard> {
    return this.#cards;
  }

  /** Drivers in the order of their registration. */
  get drivers(): readonly ApDriver[] {
    return this.#drivers;
  }

  /** Every queue device there is. */
  *queues(): Generator<ApQueue, void> {
    for (const card of this.#cards.values()) yield* card.queues.values();
  }

  /** A queue device, bound or not. */
  queue(apqn: Apqn): ApQueue | undefined {
    return this.#cards.get(apidOf(apqn))?.queues.get(apqiOf(apqn));
  }

  /** A device by its name, `card05` or `05.0004`; `undefined` without one. */
  device(name: string): ApDevice | undefined {
    const apqn = parseApqn(name);
    if (apqn !== undefined) return this.queue(apqn);
    const card = /^card([0-9a-f]{2})$/.exec(name);
    return card ? this.#cards.get(Number.parseInt(card[1]!, 16)) : undefined;
  }

  // Registration

  /** Adds a card or queue device and looks for its driver. */
  addDevice(device: ApDevice): void {
    if (device.kind === 'card') this.#cards.set(device.apid, device);
    else device.card.queues.set(apqiOf(device.apqn), device);
    this.emit('add', device.name, deviceEnv(device));
    this.attach(device);
  }

  /** Takes a device away; its driver has to let go. A card's queues are to be gone before. */
  removeDevice(device: ApDevice): void {
    this.release(device);
    if (device.kind === 'card') {
      this.#cards.delete(device.apid);
    } else {
      device.card.queues.delete(apqiOf(device.apqn));
      // The kernel forgets to count an override down that goes with its queue: masks could never be written again.
      if (device.driverOverride !== undefined) this.#overrides -= 1;
    }
    this.emit('remove', device.name, deviceEnv(device));
  }

  /** Registers a driver and offers it every device that has none (ap_driver_register). */
  registerDriver(driver: ApDriver): void {
    this.#drivers.push(driver);
    for (const card of this.#cards.values()) {
      if (card.driver === undefined) this.#tryBind(card, driver);
      for (const queue of card.queues.values())
        if (queue.driver === undefined) this.#tryBind(queue, driver);
    }
    this.checkBindings();
  }

  /** Takes a driver away; what it was bound to stays without one (ap_driver_unregister). */
  unregisterDriver(driver: ApDriver): void {
    this.#going.add(driver);
    for (const card of this.#cards.values()) {
      if (card.driver === driver) this.release(card);
      for (const queue of card.queues.values()) if (queue.driver === driver) this.release(queue);
    }
    this.#drivers.splice(this.#drivers.indexOf(driver), 1);
    this.#going.delete(driver);
  }

  // Binding

  /** Offers a device to the drivers, in the order of their registration, until one takes it. */
  attach(device: ApDevice): void {
    for (const driver of this.#drivers) if (this.#tryBind(device, driver)) return;
  }

  /** Takes a device away from its driver, which cannot refuse. */
  release(device: ApDevice): void {
    const { driver } = device;
    if (driver === undefined) return;
    if (device.kind === 'card') {
      (driver as ApCardDriver).remove(device);
    } else {
      device.prepareRemove();
      (driver as ApQueueDriver).remove(device);
      device.finishRemove();
      this.#lookup[device.apqn] = undefined;
    }
    device.driver = undefined;
    this.emit('unbind', device.name, deviceEnv(device));
  }

  /** The driver's `bind` file. @throws VfioError `ENODEV` if there is no such device, or it is not for this driver. */
  bind(driver: ApDriver, name: string): void {
    const device = this.device(name);
    if (device === undefined || !matches(device, driver))
      throw new VfioError('ENODEV', `${name}: no device of the AP bus that ${driver.name} knows`);
    if (device.driver !== undefined)
      throw new VfioError('EBUSY', `${name}: bound to ${device.driver.name}; unbind it first`);
    const errno = this.probe(device, driver);
    if (errno === -ENODEV)
      throw new VfioError(
        'ENODEV',
        `${name}: not for ${driver.name}; apmask and aqmask, or driver_override, say whose it is`,
      );
    if (errno !== 0)
      throw new VfioError('EIO', `${name}: probe with ${driver.name} failed: ${errnoName(errno)}`);
  }

  /** The driver's `unbind` file: always succeeds on a device that is bound to it. @throws VfioError `ENODEV`. */
  unbind(driver: ApDriver, name: string): void {
    const device = this.device(name);
    if (device?.driver !== driver)
      throw new VfioError('ENODEV', `${name}: not bound to ${driver.name}`);
    this.release(device);
  }

  /**
   * The bus's part of every probe: whose a queue is decides before its driver is asked (ap_device_probe).
   *
   * @returns 0 or a negated errno; `-ENODEV` lets the next driver try.
   */
  probe(device: ApDevice, driver: ApDriver): number {
    if (device.kind === 'card') {
      const errno = (driver as ApCardDriver).probe(device);
      if (errno === 0) this.#bound(device, driver);
      return errno;
    }
    const { driverOverride } = device;
    if (driverOverride === undefined) {
      if (this.perms.reserves(device.apqn) !== driver.isDefault) return -ENODEV;
    } else if (driverOverride !== driver.name) {
      return -ENODEV;
    }
    this.armCompletion();
    this.#lookup[device.apqn] = device;
    device.driver = driver;
    const errno = (driver as ApQueueDriver).probe(device);
    if (errno === 0) this.#bound(device, driver);
    else {
      device.driver = undefined;
      this.#lookup[device.apqn] = undefined;
    }
    return errno;
  }

  // Ownership

  /**
   * Whether a queue belongs to the default drivers (ap_owned_by_def_drv): by its override if it is bound with one, else
   * by the masks. Whether it exists makes no difference then.
   *
   * @returns 0, 1, or `-EINVAL` for ids above 255.
   */
  ownedByDefaultDrivers(apid: number, apqi: number): 0 | 1 | -22 {
    if (apid < 0 || apid > 255 || apqi < 0 || apqi > 255) return -22;
    const queue = this.#lookup[apqnOf(apid, apqi)];
    if (queue?.driverOverride !== undefined) return queue.driver?.isDefault ? 1 : 0;
    return this.perms.reserves(apqnOf(apid, apqi)) ? 1 : 0;
  }

  anyOwnedByDefaultDrivers(queues: QueueMatrix): boolean {
    if (this.#overrides === 0) return this.perms.reservesAny(queues);
    for (const apid of queues.apm.ids)
      for (const apqi of queues.aqm.ids)
        if (this.ownedByDefaultDrivers(apid, apqi) !== 0) return true;
    return false;
  }

  /**
   * A write to `apmask` or `aqmask`. Until the first `yield` nobody comes in between: the answer to the veto still holds
   * when the mask is in force. Then queue by queue changes hands.
   *
   * @throws VfioError `EINVAL` with an override active or for a text that is no mask; `EBUSY` after a veto.
   */
  *storeMask(which: PermMask, text: string): Phases {
    if (this.#overrides > 0)
      throw new VfioError('EINVAL', `${which}: a queue has a driver_override; clear it first`);
    const plan = this.perms.plan(which, text);
    if (plan === undefined) return;
    if (plan.reserved !== undefined) this.#askVeto(which, plan.reserved);
    this.perms.commit(which, plan.mask);
    for (const queue of [...this.queues()]) {
      if (!this.#misplaced(queue)) continue;
      yield `revise the binding of ${queue.name}`;
      // Somebody else may have moved or removed it meanwhile.
      if (this.queue(queue.apqn) === queue && this.#misplaced(queue)) this.rebind(queue);
    }
    this.emit('change', 'ap', { [which.toUpperCase()]: String(plan.mask) });
  }

  /** {@link storeMask} with nobody in between. */
  setMask(which: PermMask, text: string): void {
    finish(this.storeMask(which, text));
  }

  #askVeto(which: PermMask, reserved: QueueMatrix): void {
    for (const driver of this.#drivers) {
      if (driver.inUse === undefined || this.#going.has(driver)) continue;
      if (driver.inUse(reserved) !== 0)
        throw new VfioError(
          'EBUSY',
          `${which}: ${driver.name} has queues in use that would go to the host; unassign them first`,
        );
    }
  }

  /** Whether a queue is with the wrong kind of driver, or with none (__ap_revise_reserved). */
  #misplaced(queue: ApQueue): boolean {
    if (queue.driverOverride !== undefined) return queue.driver?.name !== queue.driverOverride;
    return queue.driver?.isDefault !== this.perms.reserves(queue.apqn);
  }

  /** Takes a queue from its driver, and offers it to all. It may stay without one. */
  rebind(queue: ApQueue): void {
    this.release(queue);
    this.attach(queue);
  }

  /**
   * A write to a queue's `driver_override`. Nothing is bound anew.
   *
   * @throws VfioError `EINVAL` while the masks are in use.
   */
  setDriverOverride(queue: ApQueue, text: string): void {
    this.perms.refuseOverride(queue.name);
    if (text.length >= 4095)
      throw new VfioError('EINVAL', `${queue.name}: driver_override: longer than a page`);
    const name = text.split('\n')[0] ?? '';
    this.#overrides += Number(name !== '') - Number(queue.driverOverride !== undefined);
    queue.driverOverride = name === '' ? undefined : name;
  }

  // Bindings complete

  /** Bound queue devices, and all queue devices. */
  get bindings(): { readonly bound: number; readonly total: number; readonly complete: boolean } {
    let bound = 0;
    let total = 0;
    for (const card of this.#cards.values())
      for (const queue of card.queues.values()) {
        total += 1;
        if (queue.driver !== undefined) bound += 1;
      }
    return { bound, total, complete: bound === total && this.scans > 0 };
  }

  /** How often completion was announced. */
  get completions(): number {
    return this.#completions;
  }

  /** Makes the next completion one to announce. */
  armCompletion(): void {
    this.#completeArmed = true;
  }

  /** Announces that every queue has a driver, once for each time there was something to bind. */
  checkBindings(): void {
    if (!this.#completeArmed || !this.bindings.complete) return;
    this.#completeArmed = false;
    this.#completions += 1;
    this.emit('change', 'ap', { BINDINGS: 'complete', COMPLETECOUNT: String(this.#completions) });
  }

  emit(action: Uevent['action'], device: string, env: Readonly<Record<string, string>> = {}): void {
    this.uevents.push({ action, device, env });
  }

  #tryBind(device: ApDevice, driver: ApDriver): boolean {
    if (this.#going.has(driver) || !matches(device, driver)) return false;
    const errno = this.probe(device, driver);
    if (errno !== 0 && errno !== -ENODEV)
      this.log.warn(`${device.name}: probe with driver ${driver.name} failed: ${errnoName(errno)}`);
    return errno === 0;
  }

  #bound(device: ApDevice, driver: ApDriver): void {
    device.driver = driver;
    this.emit('bind', device.name, deviceEnv(device));
  }
}

/** Whether a driver knows a device: by kind and type. Masks and overrides are the probe's affair (ap_bus_match). */
function matches(device: ApDevice, driver: ApDriver): boolean {
  return device.kind === driver.kind && driver.types.includes(device.deviceType);
}

/** The variables of a device's uevents (ap_uevent). */
function deviceEnv(device: ApDevice): Readonly<Record<string, string>> {
  if (device.kind === 'queue') return { MODE: device.card.functions.mode };
  return {
    DEV_TYPE: device.type.toString(16).toUpperCase().padStart(4, '0'),
    MODALIAS: device.modalias,
    MODE: device.functions.mode,
  };
}
