import type { MdevDevice } from './mdev-device.js';
import type { MdevParent } from './mdev-parent.js';
import type { Uuid } from './uuid.js';

/** What user space is told of a parent or a mediated device. */
export interface MdevEvent {
  readonly action: 'add' | 'remove' | 'change';
  /** The parent's name, or the UUID. */
  readonly device: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The bus of mediated devices: every one in the system, whatever its parent (drivers/vfio/mdev).
 *
 * Nothing is ever matched on it: a device is attached to its parent's own driver when it is created.
 */
export class MdevBus {
  readonly #devices = new Map<Uuid, MdevDevice>();
  readonly #parents = new Map<string, MdevParent>();
  readonly events: MdevEvent[] = [];

  /** The devices, in the order of their creation. */
  get devices(): ReadonlyMap<Uuid, MdevDevice> {
    return this.#devices;
  }

  /** The parents that are registered, by name. */
  get parents(): ReadonlyMap<string, MdevParent> {
    return this.#parents;
  }

  /** For parents: a device appears. */
  add(device: MdevDevice): void {
    this.#devices.set(device.uuid, device);
    this.events.push({ action: 'add', device: device.uuid, env: {} });
  }

  /** For devices: it is gone. */
  delete(device: MdevDevice): void {
    this.#devices.delete(device.uuid);
    this.events.push({ action: 'remove', device: device.uuid, env: {} });
  }

  /** For parents: it can be asked for devices, or cannot any more. */
  announce(parent: MdevParent, state: 'registered' | 'unregistered'): void {
    if (state === 'registered') this.#parents.set(parent.name, parent);
    else this.#parents.delete(parent.name);
    this.events.push({ action: 'change', device: parent.name, env: { MDEV_STATE: state } });
  }
}
