import type { Sysfs } from '@vfiokit/driver-model';
import { EBUSY, errnoName, VfioError } from '@vfiokit/uapi';
import { overridePath, overrideText, unbindPath } from '../decision/operation.js';
import type { JournalTarget } from '../transaction/journal.js';
import { type LiveDevice, readLive } from '../transaction/live-device.js';
import { restoreDevice } from '../transaction/restore-device.js';

/** `compat` does what libvirt does, its gaps included; `native` verifies, and restores what it found. */
export type StubMode = 'compat' | 'native';

const DRIVERS_PROBE = '/sys/bus/pci/drivers_probe';

/** How libvirt brings a device to its stub driver and back: by the override, an unbind, a probe (virpci.c). */
export class StubBinding {
  constructor(
    private readonly sysfs: Sysfs,
    private readonly mode: StubMode,
  ) {}

  /**
   * Binds a device to a driver.
   *
   * @returns what it was before; undefined for one that has the driver already, of which nothing is written.
   * @throws VfioError for the step that fails. Only the native mode takes back what was done until then.
   */
  async bind(address: string, driver: string): Promise<JournalTarget | undefined> {
    const live = await this.#live(address);
    if (live.driver === driver) return undefined;
    const before = { driver: live.driver, override: live.override ?? null };
    const found = { device: address, driver, before, identity: live.identity };
    await this.#write(
      overridePath(address),
      driver,
      `${address}: the override can't be set to ${driver}`,
    );
    try {
      await this.#rebind(address, live.driver);
      if (this.mode === 'native') await this.#verify(address, driver);
    } catch (error) {
      throw this.mode === 'native' ? await this.#takenBack(found, error) : error;
    }
    return found;
  }

  /**
   * Gives a device back.
   *
   * @param found what {@link bind} found; the kernel's choice of a driver is taken without it, and in `compat` always.
   * @throws VfioError for the step that fails.
   */
  async unbind(address: string, found: JournalTarget | undefined): Promise<void> {
    if (this.mode === 'native' && found !== undefined) {
      const restored = await restoreDevice(this.sysfs, found, this.#unbindOnly);
      if (restored.kind === 'needs-attention')
        throw VfioError.fromErrno(restored.errno ?? -EBUSY, restored.note);
      return;
    }
    const { driver } = await this.#live(address);
    await this.#write(
      overridePath(address),
      overrideText(null),
      `${address}: the override can't be cleared`,
    );
    await this.#rebind(address, driver);
  }

  async #rebind(address: string, bound: string | null): Promise<void> {
    if (bound !== null)
      await this.#write(unbindPath(bound), address, `${address}: can't be unbound from ${bound}`);
    await this.#write(DRIVERS_PROBE, address, `${address}: can't be probed`);
  }

  /** What libvirt leaves out: looks whether the probe has bound anything. */
  async #verify(address: string, driver: string): Promise<void> {
    const bound = (await this.#live(address)).driver;
    if (bound !== driver)
      throw new VfioError(
        'ENODEV',
        `${address}: ${driver} did not take it; it is bound to ${bound ?? 'nothing'}`,
      );
  }

  /** Takes back what failed half-way: the error, with what could not be taken back. */
  async #takenBack(found: JournalTarget, error: unknown): Promise<unknown> {
    const restored = await restoreDevice(this.sysfs, found, this.#unbindOnly);
    if (restored.kind !== 'needs-attention' || !(error instanceof VfioError)) return error;
    return new VfioError(error.code, `${error.message}; ${restored.note}`, { cause: error });
  }

  readonly #unbindOnly = (device: string, driver: string): Promise<number> =>
    this.sysfs.write(unbindPath(driver), device);

  async #live(address: string): Promise<LiveDevice> {
    const live = await readLive(this.sysfs, address);
    if (live === undefined) throw new VfioError('ENODEV', `${address}: no such device`);
    return live;
  }

  async #write(path: string, text: string, message: string): Promise<void> {
    const result = await this.sysfs.write(path, text);
    if (result >= 0) return;
    throw VfioError.fromErrno(result, `${message} (${errnoName(result)})`);
  }
}
