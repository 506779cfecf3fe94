import {
  type Attribute,
  attempt,
  attributeTable,
  Directory,
  linkTo,
  mapDirectory,
  objectDirectory,
  type SysfsDirectory,
} from '@vfiokit/driver-model';
import type { MdevDevice } from './mdev-device.js';
import type { MdevParent } from './mdev-parent.js';
import { parseUuid } from './uuid.js';

/** What a parent offers (struct mdev_type). */
export interface MdevTypeSpec {
  /** The second half of the directory's name: `passthrough` in `vfio_ap-passthrough`. */
  readonly name: string;
  /** What a person reads. */
  readonly prettyName: string;
}

/** One type of mediated device: a directory below `mdev_supported_types`. */
export class MdevType {
  /** The directory's name: the parent's driver and the type. */
  readonly id: string;

  constructor(
    readonly parent: MdevParent,
    readonly spec: MdevTypeSpec,
  ) {
    this.id = `${parent.device.driver?.name ?? parent.driver.name}-${spec.name}`;
  }

  /** How many more can be made; all types of a parent share the count. */
  get availableInstances(): number {
    return this.parent.available;
  }

  /** The devices of this type, by UUID. */
  get devices(): ReadonlyMap<string, MdevDevice> {
    return new Map(
      [...this.parent.devices]
        .filter((device) => device.type === this)
        .map((one) => [one.uuid, one]),
    );
  }

  get path(): string {
    return `${this.parent.device.path}/mdev_supported_types/${this.id}`;
  }

  /**
   * What a write to `create` asks for.
   *
   * @throws VfioError in this order: `EINVAL` no UUID, `EEXIST` used anywhere in the system, `EUSERS` none left, `ENODEV`
   *   the parent goes away, and then what the driver says.
   */
  create(text: string): MdevDevice {
    return this.parent.create(this, parseUuid(text));
  }

  /** The type's directory. */
  get node(): SysfsDirectory {
    const extra = new Directory();
    extra.set(
      'devices',
      mapDirectory(this.devices, (device) => linkTo(device.path)),
    );
    return objectDirectory<MdevType>(this, [TYPE_ATTRIBUTES], extra);
  }
}

const TYPE_ATTRIBUTES: ReadonlyMap<string, Attribute<MdevType>> = attributeTable<MdevType>([
  { name: 'name', mode: 0o444, show: ({ spec }) => `${spec.prettyName}\n` },
  { name: 'device_api', mode: 0o444, show: ({ parent }) => `${parent.driver.deviceApi}\n` },
  {
    name: 'available_instances',
    mode: 0o444,
    show: ({ availableInstances }) => `${availableInstances}\n`,
  },
  {
    name: 'create',
    mode: 0o200,
    store: (type, text) => attempt(type.parent.log, () => void type.create(text)),
  },
]);
