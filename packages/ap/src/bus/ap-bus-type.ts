import { type Attribute, type BusType, Directory, objectDirectory } from '@vfiokit/driver-model';
import { ENODEV } from '@vfiokit/uapi';
import type { Apqn } from '../arch/apqn.js';
import type { ApCard } from './ap-card.js';
import type { ApCardDriver, ApDriver, ApQueueDriver } from './ap-driver.js';
import type { ApPerms } from './ap-perms.js';
import type { ApQueue } from './ap-queue.js';

/** A device of the bus. */
export type ApDevice = ApCard | ApQueue;

/** The files of the bus and its devices; who puts the bus together has them. */
export interface ApAttributes {
  readonly bus: readonly Attribute<void>[];
  readonly card: ReadonlyMap<string, Attribute<ApCard>>;
  readonly queue: ReadonlyMap<string, Attribute<ApQueue>>;
}

const NOTHING = new Directory();

/** What makes the AP bus that bus: whose a queue is, and what binding it and taking it away involve (ap_bus.c). */
export class ApBusType implements BusType<ApDevice, ApDriver> {
  readonly name = 'ap';
  /** Queues have an override of their own kind, with rules of its own. */
  readonly overridable = false;
  readonly deviceAttributes = new Map();
  readonly driverAttributes = new Map();
  readonly #attributes: ApAttributes;
  /** Queues that are bound or just being probed, by APQN. */
  readonly #lookup: (ApQueue | undefined)[] = [];

  /** @param probing called before a queue's driver is asked. */
  constructor(
    private readonly perms: ApPerms,
    attributes: ApAttributes,
    private readonly probing: () => void,
  ) {
    this.#attributes = attributes;
  }

  get busAttributes(): readonly Attribute<void>[] {
    return this.#attributes.bus;
  }

  deviceEntries(device: ApDevice) {
    return device.kind === 'card'
      ? objectDirectory(device, [this.#attributes.card], NOTHING)
      : objectDirectory(device, [this.#attributes.queue], NOTHING);
  }

  /** A queue that is bound or just being probed (ap_get_qdev). */
  lookup(apqn: Apqn): ApQueue | undefined {
    return this.#lookup[apqn];
  }

  /** By kind and type. Masks and overrides are the probe's affair (ap_bus_match). */
  match(device: ApDevice, driver: ApDriver): boolean {
    return device.kind === driver.kind && driver.types.includes(device.deviceType);
  }

  /**
   * Whose a queue is decides before its driver is asked: by its override, else by the masks (ap_device_probe).
   *
   * @returns 0 or a negated errno; `-ENODEV` lets the next driver try.
   */
  probe(device: ApDevice, driver: ApDriver): number {
    if (device.kind === 'card') return (driver as ApCardDriver).probe(device);
    const { driverOverride } = device;
    if (driverOverride === undefined) {
      if (this.perms.reserves(device.apqn) !== driver.isDefault) return -ENODEV;
    } else if (driverOverride !== driver.name) {
      return -ENODEV;
    }
    this.probing();
    this.#lookup[device.apqn] = device;
    const errno = (driver as ApQueueDriver).probe(device);
    if (errno !== 0) this.#lookup[device.apqn] = undefined;
    return errno;
  }

  /** Requests come back, the driver lets go, what it left in the queue is wiped (ap_device_remove). */
  remove(device: ApDevice, driver: ApDriver): void {
    if (device.kind === 'card') {
      void (driver as ApCardDriver).remove?.(device);
      return;
    }
    device.prepareRemove();
    void (driver as ApQueueDriver).remove?.(device);
    device.finishRemove();
    this.#lookup[device.apqn] = undefined;
  }

  /** ap_bus.c: ap_uevent */
  uevent(device: ApDevice): Readonly<Record<string, string>> {
    if (device.kind === 'queue') return { MODE: device.card.functions.mode };
    return {
      DEV_TYPE: device.type.toString(16).toUpperCase().padStart(4, '0'),
      MODALIAS: device.modalias,
      MODE: device.functions.mode,
    };
  }
}
