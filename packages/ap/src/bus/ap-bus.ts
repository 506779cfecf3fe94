import { Bus, type Device, type DriverCore, parseDriverOverride } from '@vfiokit/driver-model';
import { EINVAL, VfioError } from '@vfiokit/uapi';
import { type Apqn, apidOf, apqiOf, apqnOf } from '../arch/apqn.js';
import type { ApInstructions } from '../arch/instructions.js';
import type { QueueMatrix } from '../arch/matrix.js';
import type { KernelClock } from '../kernel-clock.js';
import { type ApAttributes, ApBusType, type ApDevice } from './ap-bus-type.js';
import type { ApCard } from './ap-card.js';
import type { ApDriver } from './ap-driver.js';
import { ApPerms, type PermMask } from './ap-perms.js';
import type { ApQueue, QueueEnvironment } from './ap-queue.js';
import type { Phases } from './phases.js';

/** The parameters of the kernel's AP bus. */
export interface ApBusParameters {
  readonly apmask?: string;
  readonly aqmask?: string;
  /** The default domain. */
  readonly domain?: number;
  /** Whether to work with interrupts. */
  readonly useirq?: boolean;
}

/** What stands behind an AP bus. */
export interface ApBusParts {
  /** The kernel that it is part of. */
  readonly core: DriverCore;
  /** The instructions of the level that the kernel runs on. */
  readonly ap: ApInstructions;
  readonly clock: KernelClock;
}

/**
 * The AP bus: cards, queues, their drivers, and which queue may go to which of them (ap_bus.c).
 *
 * Nothing here knows vfio_ap; it is a driver that happens not to be a default one and happens to have a veto.
 */
export class ApBus extends Bus<ApDevice, ApDriver> {
  readonly ap: ApInstructions;
  readonly clock: KernelClock;
  readonly perms: ApPerms;
  readonly parameters: ApBusParameters;
  readonly environment: QueueEnvironment;
  /** `/sys/devices/ap`, the parent of the cards. */
  readonly root: Device;
  readonly #apType: ApBusType;
  readonly #cards = new Map<number, ApCard>();
  #overrides = 0;
  #completionArmed = true;
  #completions = 0;
  /** Finished scans; the scanner counts them. */
  scans = 0;

  constructor(parts: ApBusParts, attributes: ApAttributes, parameters: ApBusParameters = {}) {
    const perms = new ApPerms(parameters);
    const type = new ApBusType(perms, attributes, () => this.armCompletion());
    super(parts.core, type);
    this.#apType = type;
    this.perms = perms;
    this.ap = parts.ap;
    this.clock = parts.clock;
    this.parameters = parameters;
    this.root = parts.core.root('ap');
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

  /** Every queue device there is, card by card. */
  *queues(): Generator<ApQueue, void> {
    for (const card of this.#cards.values()) yield* card.queues.values();
  }

  /** A queue device, bound or not. */
  queue(apqn: Apqn): ApQueue | undefined {
    return this.#cards.get(apidOf(apqn))?.queues.get(apqiOf(apqn));
  }

  override add(device: ApDevice): void {
    if (device.kind === 'card') this.#cards.set(device.apid, device);
    else device.card.queues.set(apqiOf(device.apqn), device);
    void super.add(device);
  }

  /** Takes a device away. A card's queues go before it. */
  override removeDevice(device: ApDevice): void {
    if (device.kind === 'card')
      for (const queue of [...device.queues.values()]) this.removeDevice(queue);
    void super.removeDevice(device);
    if (device.kind === 'card') {
      this.#cards.delete(device.apid);
      return;
    }
    device.card.queues.delete(apqiOf(device.apqn));
    // The kernel forgets to count an override down that goes with its queue: masks could never be written again.
    if (device.driverOverride !== undefined) this.#overrides -= 1;
  }

  override register(driver: ApDriver): void {
    super.register(driver);
    this.checkBindings();
  }

  /** Tells user space of a change of the bus itself. */
  emitChange(env: Readonly<Record<string, string>>): void {
    this.core.uevents.emit({ action: 'change', devpath: '/devices/ap', subsystem: this.name, env });
  }

  /**
   * Whether a queue belongs to the default drivers (ap_owned_by_def_drv): by its override if it is bound with one, else
   * by the masks. Whether it exists makes no difference then.
   *
   * @returns 0, 1, or `-EINVAL` for ids above 255.
   */
  ownedByDefaultDrivers(apid: number, apqi: number): number {
    if (apid < 0 || apid > 255 || apqi < 0 || apqi > 255) return -EINVAL;
    const apqn = apqnOf(apid, apqi);
    const queue = this.#apType.lookup(apqn);
    if (queue?.driverOverride !== undefined) return this.driverOf(queue)?.isDefault ? 1 : 0;
    return this.perms.reserves(apqn) ? 1 : 0;
  }

  /** Whether any queue of a product belongs to them (ap_apqn_in_matrix_owned_by_def_drv). */
  anyOwnedByDefaultDrivers(queues: QueueMatrix): boolean {
    if (this.#overrides === 0) return this.perms.reservesAny(queues);
    return queues.apm.ids.some((apid) =>
      queues.aqm.ids.some((apqi) => this.ownedByDefaultDrivers(apid, apqi) !== 0),
    );
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
    // Only what is newly reserved for the host is asked for: nobody objects to what the host gives away.
    if (plan.reserved !== undefined && this.inUse(plan.reserved).errno !== 0)
      throw new VfioError(
        'EBUSY',
        `${which}: queues that would go to the host are in use; unassign them first`,
      );
    this.perms.commit(which, plan.mask);
    for (const queue of this.#misplacedQueues()) {
      yield `revise the binding of ${queue.name}`;
      // Somebody else may have moved or removed it meanwhile.
      if (!queue.dead && this.#misplaced(queue)) void this.reattach(queue);
    }
    this.emitChange({ [which.toUpperCase()]: String(plan.mask) });
  }

  #misplacedQueues(): readonly ApQueue[] {
    const misplaced: ApQueue[] = [];
    for (const card of this.#cards.values())
      for (const queue of card.queues.values()) if (this.#misplaced(queue)) misplaced.push(queue);
    return misplaced;
  }

  /** Whether a queue is with the wrong kind of driver, or with none (__ap_revise_reserved). */
  #misplaced(queue: ApQueue): boolean {
    const driver = queue.driver as ApDriver | undefined;
    if (queue.driverOverride !== undefined) return driver?.name !== queue.driverOverride;
    return driver?.isDefault !== this.perms.reserves(queue.apqn);
  }

  /**
   * A write to a queue's `driver_override`. Nothing is bound anew.
   *
   * @throws VfioError `EINVAL` while the masks are in use, or for a text as long as a page.
   */
  setDriverOverride(queue: ApQueue, text: string): void {
    this.perms.refuseOverride(queue.name);
    const name = parseDriverOverride(text);
    if (typeof name === 'number')
      throw new VfioError('EINVAL', `${queue.name}: driver_override: longer than a page`);
    this.#overrides += Number(name !== null) - Number(queue.driverOverride !== undefined);
    queue.driverOverride = name ?? undefined;
  }

  /** Bound queue devices, and all queue devices. */
  get bindings(): { readonly bound: number; readonly total: number; readonly complete: boolean } {
    let bound = 0;
    let total = 0;
    for (const card of this.#cards.values())
      for (const queue of card.queues.values()) {
        total += 1;
        if (queue.bound) bound += 1;
      }
    return { bound, total, complete: bound === total && this.scans > 0 };
  }

  /** How often completion was announced. */
  get completions(): number {
    return this.#completions;
  }

  /** Makes the next completion one to announce. */
  armCompletion(): void {
    this.#completionArmed = true;
  }

  /** Announces that every queue has a driver, once for each time that there was something to bind. */
  checkBindings(): void {
    if (!this.#completionArmed || !this.bindings.complete) return;
    this.#completionArmed = false;
    this.#completions += 1;
    this.emitChange({ BINDINGS: 'complete', COMPLETECOUNT: String(this.#completions) });
  }
}
