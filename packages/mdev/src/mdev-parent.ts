import {
  andThen,
  type Blocking,
  type Device,
  inTurn,
  type KernelLog,
  mapDirectory,
} from '@vfiokit/driver-model';
import { EIO, type ErrnoName, VfioError } from '@vfiokit/uapi';
import type { MdevBus } from './mdev-bus.js';
import { MdevDevice } from './mdev-device.js';
import type { MdevDriver } from './mdev-driver.js';
import { MdevType, type MdevTypeSpec } from './mdev-type.js';
import type { Uuid } from './uuid.js';

/** A device that others can be made of. */
export interface MdevParentSpec {
  readonly device: Device;
  readonly driver: MdevDriver;
  readonly types: readonly MdevTypeSpec[];
  /** How many devices all types may have together. */
  readonly instances: number;
  /** What `create` says when there are as many; the common rule unless a driver counts by itself. */
  readonly noInstance?: ErrnoName;
}

/** A parent of mediated devices, registered on the bus (struct mdev_parent). */
export class MdevParent {
  readonly device: Device;
  readonly driver: MdevDriver;
  readonly types: readonly MdevType[];
  readonly #devices = new Set<MdevDevice>();
  #registered = true;

  /** Registers it: user space can ask for devices (mdev_register_parent). */
  constructor(
    private readonly bus: MdevBus,
    private readonly spec: MdevParentSpec,
  ) {
    this.device = spec.device;
    this.driver = spec.driver;
    this.types = spec.types.map((type) => new MdevType(this, type));
    const byId = new Map(this.types.map((type) => [type.id, type]));
    this.device.entries.set(
      'mdev_supported_types',
      mapDirectory(byId, (type) => type.node),
    );
    this.#announce('registered');
  }

  get log(): KernelLog {
    return this.bus.core.log;
  }

  /** False from the moment at which it begins to go away. */
  get registered(): boolean {
    return this.#registered;
  }

  get available(): number {
    return this.spec.instances - this.#devices.size;
  }

  /** The devices on it. One that is being removed counts until it is gone. */
  get devices(): ReadonlySet<MdevDevice> {
    return this.#devices;
  }

  /** Makes a device; {@link MdevType.create} says how that fails. */
  create(type: MdevType, uuid: Uuid): MdevDevice {
    if (this.bus.devices.has(uuid))
      throw new VfioError('EEXIST', `${uuid}: a mediated device has this UUID; take another`);
    if (this.available <= 0)
      throw new VfioError(
        this.spec.noInstance ?? 'EUSERS',
        `${this.device.name}: all ${this.spec.instances} instances are in use; remove one first`,
      );
    if (!this.#registered) throw new VfioError('ENODEV', `${this.device.name}: is going away`);
    const device = new MdevDevice(uuid, type);
    void this.bus.add(device);
    device.attaching = true;
    const errno = this.bus.bind(this.driver, uuid);
    device.attaching = false;
    if (errno !== 0) {
      void this.bus.removeDevice(device);
      throw VfioError.fromErrno(
        typeof errno === 'number' ? errno : -EIO,
        `${uuid}: ${this.driver.name} does not take it`,
      );
    }
    device.entries.set('mdev_type', { kind: 'link', target: type.path });
    this.#devices.add(device);
    return device;
  }

  /** For devices: takes one away; blocks while it is in use. */
  removeDevice(device: MdevDevice): Blocking<void> {
    return andThen(this.bus.removeDevice(device), () => {
      this.#devices.delete(device);
    });
  }

  /** Takes the parent away with every device on it; blocks while one is in use. No new one is made meanwhile. */
  unregister(): Blocking<void> {
    this.#registered = false;
    return andThen(
      inTurn([...this.#devices], (device) => this.removeDevice(device)),
      () => {
        this.device.entries.delete('mdev_supported_types');
        this.#announce('unregistered');
      },
    );
  }

  #announce(state: 'registered' | 'unregistered'): void {
    this.bus.core.uevents.emit({
      action: 'change',
      devpath: this.device.path.slice('/sys'.length),
      subsystem: this.device.bus?.name ?? '',
      env: { MDEV_STATE: state },
    });
  }
}
