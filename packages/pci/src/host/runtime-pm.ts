/** The runtime PM callbacks of a driver (struct dev_pm_ops); 0 or a negated errno. */
export interface RuntimePmCallbacks {
  suspend?(): number;
  resume?(): number;
}

/** What the bus does to suspend a device and to resume it, around the driver's callbacks; 0 or a negated errno. */
export interface RuntimePmBus {
  suspend(callbacks: RuntimePmCallbacks | undefined): number;
  resume(callbacks: RuntimePmCallbacks | undefined): number;
}

/** When a device that nobody uses is suspended: at once, or when {@link RuntimePm.settle} is called. */
export type IdlePolicy = 'immediate' | 'deferred';

/**
 * Runtime power management of a device: while its usage count is zero it may be suspended
 * (drivers/base/power/runtime.c, without its timers).
 *
 * A device starts active with a count of 1, which the bus holds from enumeration on; a driver that wants its device
 * suspended while idle drops that one ({@link put}), and takes it back when it lets the device go.
 */
export class RuntimePm {
  /** The driver's; none while no driver is bound. */
  callbacks: RuntimePmCallbacks | undefined;
  #usage = 1;
  #suspended = false;
  /** A suspend or a resume is under way, whose callbacks may count but not begin another. */
  #changing = false;

  constructor(
    private readonly bus: RuntimePmBus,
    private readonly policy: IdlePolicy = 'immediate',
  ) {}

  /** How many reasons there are to stay awake. */
  get usage(): number {
    return this.#usage;
  }

  get suspended(): boolean {
    return this.#suspended;
  }

  /**
   * Keeps the device awake, and wakes it up if need be (pm_runtime_resume_and_get); 0, or a negated errno with nothing
   * counted.
   */
  get(): number {
    this.#usage += 1;
    return this.#suspended ? this.#resume() : 0;
  }

  /** Counts a reason to stay awake without waking up (pm_runtime_get_noresume). */
  getNoresume(): void {
    this.#usage += 1;
  }

  /** Takes a reason away; the last one lets the device be suspended (pm_runtime_put). */
  put(): void {
    this.#usage -= 1;
    if (this.#usage <= 0 && this.policy === 'immediate') this.#suspend();
  }

  /** Takes a reason away without looking whether it was the last (pm_runtime_put_noidle). */
  putNoidle(): void {
    this.#usage -= 1;
  }

  /** Suspends a device that is idle now. */
  settle(): void {
    if (this.#usage <= 0) this.#suspend();
  }

  #suspend(): void {
    if (this.#suspended || this.#changing) return;
    this.#changing = true;
    this.#suspended = this.bus.suspend(this.callbacks) === 0;
    this.#changing = false;
  }

  #resume(): number {
    if (this.#changing) return 0;
    this.#changing = true;
    const error = this.bus.resume(this.callbacks);
    this.#changing = false;
    if (error === 0) this.#suspended = false;
    else this.#usage -= 1;
    return error;
  }
}
