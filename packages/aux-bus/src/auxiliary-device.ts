import { Device } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';

/** What a parent's driver says of a child it publishes (struct auxiliary_device). */
export interface AuxiliaryDeviceSpec {
  /** The build name of the module that publishes it, such as `mlx5_core`. */
  readonly module: string;
  /** What it is, such as `eth`. */
  readonly name: string;
  /** The parent's business; unique together with the names. Signed. */
  readonly id: number;
  readonly parent: Device;
  /** What parent and child's driver share. */
  readonly shared?: unknown;
  /** Called when the last reference goes. */
  readonly release?: () => void;
}

/** A piece of a device's function that another driver than the device's own may take (drivers/base/auxiliary.c). */
export class AuxiliaryDevice extends Device {
  readonly module: string;
  readonly id: number;
  readonly shared: unknown;
  readonly #release: (() => void) | undefined;
  #references = 1;

  /**
   * auxiliary_device_init. Where this throws there is no device, and {@link AuxiliaryDeviceSpec.release} is not called; from
   * then on the last reference calls it.
   *
   * @throws VfioError `EINVAL` without a parent or a name; a name that has a slash can't be a directory.
   */
  constructor({ module, name, id, parent, shared, release }: AuxiliaryDeviceSpec) {
    const subject = `${module}.${name}.${id}`;
    if (parent === undefined)
      throw new VfioError('EINVAL', `${subject}: an auxiliary device needs a parent`);
    if (name === '') throw new VfioError('EINVAL', `${subject}: an auxiliary device needs a name`);
    super(subject, parent);
    this.module = module;
    this.id = id;
    this.shared = shared;
    this.#release = release;
  }

  /** What a driver's table is compared with: the name up to its last dot. */
  get matchName(): string {
    return this.name.slice(0, this.name.lastIndexOf('.'));
  }

  /** Takes a reference, which keeps it from being released. */
  get(): void {
    this.#references += 1;
  }

  /** Gives a reference back; the last one releases the device (auxiliary_device_uninit). */
  put(): void {
    this.#references -= 1;
    if (this.#references === 0) this.#release?.();
  }
}
