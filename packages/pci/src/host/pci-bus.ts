import type { PciDevice } from './pci-device.js';
import type { PciTopology } from './pci-topology.js';

/** The functions of one device number, which a hotplug slot holds or lets go together (struct pci_slot). */
export interface PciSlot {
  /** Device number on the bus. */
  readonly number: number;
  readonly devices: readonly PciDevice[];
}

/** A bus with its functions (struct pci_bus). */
export class PciBus {
  readonly #devices: PciDevice[] = [];
  readonly #slots = new Map<number, PciSlot>();

  constructor(
    readonly topology: PciTopology,
    readonly domain: number,
    readonly number: number,
    /** The bridge that leads here; none to a root bus. */
    readonly self: PciDevice | undefined,
  ) {}

  get isRoot(): boolean {
    return this.self === undefined;
  }

  /** In order of device and function number. */
  get devices(): readonly PciDevice[] {
    return this.#devices;
  }

  /** The buses behind this bus's bridges. */
  get children(): readonly PciBus[] {
    return this.#devices.flatMap(({ subordinate }) => subordinate ?? []);
  }

  /** Everything on and below the bus, each bridge before what is behind it (pci_walk_bus). */
  *walk(): Generator<PciDevice> {
    for (const device of this.#devices) {
      yield device;
      if (device.subordinate !== undefined) yield* device.subordinate.walk();
    }
  }

  /** The wire that resets everything on and below the bus; nothing is saved. */
  reset(): void {
    for (const device of this.#devices) {
      device.function.reset('bus');
      device.subordinate?.reset();
    }
  }

  /** The slot of a device number; the same object as long as something is in it. */
  slot(number: number): PciSlot {
    let slot = this.#slots.get(number);
    if (slot === undefined) {
      const bus = this;
      slot = {
        number,
        get devices() {
          return bus.devices.filter(({ address }) => address.device === number);
        },
      };
      this.#slots.set(number, slot);
    }
    return slot;
  }

  /** Only the topology adds and removes. */
  insert(device: PciDevice): void {
    this.#devices.push(device);
    this.#devices.sort((a, b) => a.address.compare(b.address));
  }

  remove(device: PciDevice): void {
    const index = this.#devices.indexOf(device);
    if (index !== -1) this.#devices.splice(index, 1);
  }
}
