import { type ErrnoName, VfioError } from '@vfiokit/uapi';
import type { MdevBus } from './mdev-bus.js';
import { MdevDevice } from './mdev-device.js';
import { parseUuid, type Uuid } from './uuid.js';

/** What a parent's driver does for the mediated devices on it (struct mdev_driver). */
export interface MdevDriver {
  readonly name: string;
  /** What kind of VFIO device they are, such as `vfio-ap`. */
  readonly deviceApi: string;
  /** Takes a new device. @throws VfioError with the errno that `create` fails with. */
  probe(device: MdevDevice): void;
  /** Asked before a removal begins; throws VfioError to refuse it. Today's drivers never do. */
  checkRemove?(device: MdevDevice): void;
  /** Lets go of a device, and calls back when nobody uses it any more. */
  remove(device: MdevDevice, done: () => void): void;
}

/** What a parent offers. */
export interface MdevTypeSpec {
  /** The second half of the type's directory: `passthrough` in `vfio_ap-passthrough`. */
  readonly name: string;
  /** What a person reads. */
  readonly prettyName: string;
}

/** A device that others can be made of (struct mdev_parent). */
export interface MdevParentSpec {
  /** Its path below `/sys/devices`, such as `vfio_ap/matrix`. */
  readonly name: string;
  readonly driver: MdevDriver;
  readonly types: readonly MdevTypeSpec[];
  /** How many devices all types may have together. */
  readonly instances: number;
  /** What `create` says when there are as many; the common rule unless a driver counts by itself. */
  readonly noInstance?: ErrnoName;
}

/** One type of mediated device: a directory below `mdev_supported_types`. */
export class MdevType {
  /** The directory's name: driver and type. */
  readonly id: string;

  constructor(
    readonly parent: MdevParent,
    readonly spec: MdevTypeSpec,
  ) {
    this.id = `${parent.driver.name}-${spec.name}`;
  }

  /** How many more can be made; all types of a parent share the count. */
  get availableInstances(): number {
    return this.parent.available;
  }

  /** The devices of this type. */
  get devices(): readonly MdevDevice[] {
    return this.parent.devices.filter((device) => device.type === this);
  }

  /**
   * The `create` attribute.
   *
   * @throws VfioError in this order: `EINVAL` no UUID, `EEXIST` used anywhere in the system, `EUSERS` none left, `ENODEV`
   *   the parent goes away, and then what the driver says.
   */
  create(text: string): MdevDevice {
    return this.parent.create(this, parseUuid(text));
  }
}

/** A parent of mediated devices, registered on the bus. */
export class MdevParent {
  readonly name: string;
  readonly driver: MdevDriver;
  readonly types: readonly MdevType[];
  readonly #devices = new Set<MdevDevice>();
  #state: 'registered' | 'unregistering' | 'unregistered' = 'registered';

  constructor(
    private readonly bus: MdevBus,
    private readonly spec: MdevParentSpec,
  ) {
    this.name = spec.name;
    this.driver = spec.driver;
    this.types = spec.types.map((type) => new MdevType(this, type));
    bus.announce(this, 'registered');
  }

  get available(): number {
    return this.spec.instances - this.#devices.size;
  }

  get devices(): readonly MdevDevice[] {
    return [...this.#devices];
  }

  /** Makes a device; {@link MdevType.create} says how that fails. */
  create(type: MdevType, uuid: Uuid): MdevDevice {
    if (this.bus.devices.has(uuid))
      throw new VfioError('EEXIST', `${uuid}: a mediated device has this UUID; take another`);
    if (this.available <= 0)
      throw new VfioError(
        this.spec.noInstance ?? 'EUSERS',
        `${this.name}: all ${this.spec.instances} instances are in use; remove one first`,
      );
    if (this.#state !== 'registered') throw new VfioError('ENODEV', `${this.name}: is going away`);
    const device = new MdevDevice(uuid, type);
    this.driver.probe(device);
    this.#devices.add(device);
    this.bus.add(device);
    return device;
  }

  /** For devices: one is gone, and its place is free. */
  forget(device: MdevDevice): void {
    if (this.#devices.delete(device)) this.bus.delete(device);
  }

  /**
   * Takes the parent away with every device on it; that takes as long as the last one is in use. No new one is made
   * meanwhile.
   *
   * @param done called when all are gone, maybe before this returns.
   */
  unregister(done: () => void = () => {}): void {
    this.#state = 'unregistering';
    const finish = (): void => {
      if (this.#devices.size > 0 || this.#state === 'unregistered') return;
      this.#state = 'unregistered';
      this.bus.announce(this, 'unregistered');
      done();
    };
    for (const device of this.devices) {
      if (device.removing) device.whenGone(finish);
      else device.remove(finish);
    }
    finish();
  }
}
