import { readText, type Sysfs } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import { type DeviceFacts, readDevice } from '../facts/device-facts.js';
import { libvirtMatch } from '../modules/best-match.js';
import { GENERIC_DRIVER } from '../policy/generic.js';
import type { JournalTarget } from '../transaction/journal.js';
import type { ModuleLoader } from '../transaction/module-loader.js';
import { findDriver } from './find-driver.js';
import { StubBinding, type StubMode } from './stub-binding.js';

/** Who has a device: a hypervisor driver such as `QEMU`, and its guest. */
export interface Owner {
  readonly driver: string;
  readonly domain: string;
}

/** A device as a guest's definition names it. */
export interface HostDevice {
  readonly address: string;
  /** Detached and reattached with the guest; else that is the operator's duty. */
  readonly managed: boolean;
  /** The driver that somebody forces (`<driver model=…>`). */
  readonly model?: string;
  readonly stub?: 'vfio' | 'none';
}

/** A device that libvirt keeps book of. */
export interface TrackedDevice extends HostDevice {
  /** The driver that it was given, by its name in sysfs. */
  readonly driver: string | undefined;
  readonly usedBy: Owner | undefined;
  /** Set when libvirt bound it itself: only then a reattach does anything. */
  readonly unbindFromStub: boolean;
  /** What it was before it was bound here; only the native mode gives it back by that. */
  readonly found?: JournalTarget;
}

export interface HostDevicesOptions {
  readonly loader: ModuleLoader;
  /** The text of the running kernel's `modules.alias`; undefined if it can't be read. */
  readonly index: () => Promise<string | undefined>;
  /** `compat` without it. */
  readonly mode?: StubMode;
  /** Resets a device before and after a guest has it. @throws VfioError. */
  readonly reset?: (device: DeviceFacts, inactive: ReadonlySet<string>) => Promise<void>;
}

const BUS = '/sys/bus/pci';
/** Names that mean a stub whatever the device shows. */
const STUBS: ReadonlySet<string> = new Set([GENERIC_DRIVER, 'pciback']);

/**
 * libvirt's keeping of host devices, step by step: what it detaches, to whom it gives it, and how it comes back
 * (virhostdev.c).
 */
export class HostDevices {
  readonly #active = new Map<string, TrackedDevice>();
  readonly #inactive = new Map<string, TrackedDevice>();
  readonly #stub: StubBinding;

  constructor(
    private readonly sysfs: Sysfs,
    private readonly options: HostDevicesOptions,
  ) {
    this.#stub = new StubBinding(sysfs, options.mode ?? 'compat');
  }

  /** Devices that guests have. */
  get active(): ReadonlyMap<string, TrackedDevice> {
    return this.#active;
  }

  /** Devices that were taken from the host and that no guest has. */
  get inactive(): ReadonlyMap<string, TrackedDevice> {
    return this.#inactive;
  }

  /** Takes a device from the host. @throws VfioError for an active device, one without a stub, a step that fails. */
  async detach(device: HostDevice): Promise<void> {
    const { address } = device;
    this.#refuseActive(address, 'detach');
    if (device.stub === 'none')
      throw new VfioError('EINVAL', `${address}: no stub driver is configured for it`);
    const driver = await this.#stubDriver(device);
    const found = await this.#stub.bind(address, driver);
    // One that was there already is left there by a later reattach.
    const unbindFromStub = found !== undefined;
    this.#track({
      ...device,
      driver,
      usedBy: undefined,
      unbindFromStub,
      ...(unbindFromStub ? { found } : {}),
    });
  }

  /** Gives a device back to the host. @throws VfioError for an active device, or a step that fails. */
  async reattach(address: string): Promise<void> {
    this.#refuseActive(address, 'reattach');
    const tracked = this.#inactive.get(address);
    if (tracked?.unbindFromStub) await this.#stub.unbind(address, tracked.found);
    this.#inactive.delete(address);
  }

  /** The administrator's own reattach: gives it back whoever took it. */
  async reattachManually(address: string): Promise<void> {
    this.#refuseActive(address, 'reattach');
    await this.#stub.unbind(address, this.#inactive.get(address)?.found);
    this.#inactive.delete(address);
  }

  /**
   * Makes devices ready for a guest: checks all before touching any, then detaches, resets and hands over.
   *
   * @throws VfioError for what one of them is not fit for; those that were detached until then are given back.
   */
  async prepare(owner: Owner, devices: readonly HostDevice[]): Promise<void> {
    for (const device of devices) await this.#check(owner, device);
    try {
      for (const device of devices) {
        if (device.managed) await this.detach(device);
        else await this.#adopt(device);
      }
      await this.#reset(devices.map(({ address }) => address));
    } catch (error) {
      await this.#unwind(devices);
      throw error;
    }
    for (const { address } of devices) {
      const tracked = this.#inactive.get(address)!;
      this.#inactive.delete(address);
      this.#active.set(address, { ...tracked, usedBy: owner });
    }
  }

  /** A guest has stopped: its devices come back, the managed ones to the host. Those of others are left alone. */
  async release(owner: Owner, addresses: readonly string[]): Promise<readonly string[]> {
    const problems: string[] = [];
    const mine = addresses.filter((address) => sameOwner(this.#active.get(address)?.usedBy, owner));
    const present: string[] = [];
    for (const address of mine) {
      const tracked = this.#active.get(address)!;
      this.#active.delete(address);
      // One that was pulled out meanwhile is forgotten.
      if (typeof (await this.sysfs.list(`${BUS}/devices/${address}`)) === 'number') continue;
      this.#inactive.set(address, { ...tracked, usedBy: undefined });
      present.push(address);
    }
    const attempt = async (act: () => Promise<void>): Promise<void> => {
      try {
        await act();
      } catch (error) {
        if (!(error instanceof VfioError)) throw error;
        problems.push(error.message);
      }
    };
    await attempt(() => this.#reset(present));
    for (const address of present)
      if (this.#inactive.get(address)!.managed) await attempt(() => this.reattach(address));
    return problems;
  }

  /** What survives a restart of the daemon: the devices of guests. What was only detached does not. */
  save(): readonly TrackedDevice[] {
    return [...this.#active.values()];
  }

  /** Takes up what {@link save} wrote. */
  load(saved: readonly TrackedDevice[]): void {
    for (const device of saved) this.#active.set(device.address, device);
  }

  /** Resets a device on an operator's word. @throws VfioError for an active one, or without a way. */
  async reset(address: string): Promise<void> {
    this.#refuseActive(address, 'reset');
    await this.#reset([address]);
  }

  async #stubDriver(device: HostDevice): Promise<string> {
    const wanted = device.model ?? (await this.#bestMatch(device.address)) ?? GENERIC_DRIVER;
    return findDriver(this.sysfs, this.options.loader, wanted);
  }

  async #bestMatch(address: string): Promise<string | undefined> {
    const modalias = await readText(this.sysfs, `${BUS}/devices/${address}/modalias`);
    const match = libvirtMatch(
      typeof modalias === 'number' ? '' : modalias,
      await this.options.index(),
    );
    if (match.kind === 'error') throw new VfioError('EINVAL', `${address}: ${match.message}`);
    return match.kind === 'match' ? match.module : undefined;
  }

  async #check(owner: Owner, device: HostDevice): Promise<void> {
    const { address } = device;
    const facts = await this.#live(address);
    if (facts.headerType.value !== 0)
      throw new VfioError('EINVAL', `${address}: only endpoints can be assigned to a guest`);
    const user = this.#active.get(address)?.usedBy;
    if (user !== undefined)
      throw new VfioError('EBUSY', `${address}: is in use by ${user.driver}, guest ${user.domain}`);
    const group = facts.group.value;
    if (!group) return;
    const members = await this.sysfs.list(`/sys/kernel/iommu_groups/${group}/devices`);
    for (const peer of typeof members === 'number' ? [] : members) {
      const other = this.#active.get(peer)?.usedBy;
      if (other !== undefined && !sameOwner(other, owner))
        throw new VfioError(
          'EBUSY',
          `${address}: ${peer} of the same group is in use by ${other.driver}, guest ${other.domain}`,
        );
    }
  }

  /** Takes over a device that somebody has put on a stub by hand. */
  async #adopt(device: HostDevice): Promise<void> {
    const { address } = device;
    if (this.#inactive.has(address)) return;
    const { driver, vfioDevices } = await this.#live(address);
    const name = driver.value ?? undefined;
    if (name === undefined || !(STUBS.has(name) || vfioDevices.length > 0))
      throw new VfioError(
        'EINVAL',
        `${address}: is bound to ${name ?? 'nothing'} and is not managed; detach it manually`,
      );
    this.#track({
      ...device,
      driver: name,
      usedBy: undefined,
      unbindFromStub: false,
    });
  }

  /** Only managed devices that were detached whole come back; one that failed half-way is left as it is. */
  async #unwind(devices: readonly HostDevice[]): Promise<void> {
    for (const { address, managed } of devices)
      if (managed && this.#inactive.has(address)) await this.reattach(address);
  }

  async #reset(addresses: readonly string[]): Promise<void> {
    const { reset } = this.options;
    if (reset === undefined) return;
    const problems: VfioError[] = [];
    for (const address of addresses) {
      try {
        await reset(await this.#live(address), new Set(this.#inactive.keys()));
      } catch (error) {
        if (!(error instanceof VfioError)) throw error;
        problems.push(error);
      }
    }
    if (problems[0] !== undefined) throw problems[0];
  }

  async #live(address: string): Promise<DeviceFacts> {
    const facts = await readDevice(this.sysfs, address);
    if (facts.ids.value === undefined) throw new VfioError('ENODEV', `${address}: no such device`);
    return facts;
  }

  #track(device: TrackedDevice): void {
    if (!this.#inactive.has(device.address)) this.#inactive.set(device.address, device);
  }

  #refuseActive(address: string, what: string): void {
    const user = this.#active.get(address)?.usedBy;
    if (user !== undefined)
      throw new VfioError(
        'EBUSY',
        `${address}: can't ${what} a device that guest ${user.domain} has`,
      );
  }
}

function sameOwner(one: Owner | undefined, other: Owner): boolean {
  return one?.driver === other.driver && one.domain === other.domain;
}
