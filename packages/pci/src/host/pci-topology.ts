import { VfioError } from '@vfiokit/uapi';
import { PciAddress } from '../pci-address.js';
import { PCI_SECONDARY_BUS } from '../regs/index.js';
import type { FunctionDescription } from '../silicon/function-description.js';
import { PciFunction } from '../silicon/pci-function.js';
import { AddressSpace } from './address-space.js';
import { withSizes } from './capture-sizes.js';
import type { PciDeviceFacts } from './enumerated-function.js';
import { IrqLines } from './irq-line.js';
import { PciBus } from './pci-bus.js';
import { PciDevice } from './pci-device.js';
import { type PciPlatform, PLAIN_PLATFORM } from './pci-platform.js';
import type { IdlePolicy } from './runtime-pm.js';
import type { VirtualFunctionBus } from './sriov.js';

/** What is the same for all functions of a machine. */
export interface PciTopologyOptions {
  /** What the machine decides. */
  readonly platform?: PciPlatform;
  /** When idle devices are suspended; at once without it. */
  readonly idlePolicy?: IdlePolicy;
}

/** How a function is added that is more than its description. */
export interface AddOptions extends PciDeviceFacts {
  /** The physical function, of a VF that a capture describes on its own. */
  readonly physfn?: PciDevice;
}

/**
 * The PCI functions of a machine: domains, buses, bridges.
 *
 * Functions are added bridges first, which is the order of their addresses. A bus that no bridge leads to is a root bus.
 */
export class PciTopology implements VirtualFunctionBus {
  readonly platform: PciPlatform;
  readonly idlePolicy: IdlePolicy;
  readonly irqLines = new IrqLines();
  readonly #buses = new Map<string, PciBus>();
  readonly #addresses = new AddressSpace();
  /** Told of every function that comes, after it is complete, and of every one that goes, before. */
  readonly #listeners: TopologyListener[] = [];

  constructor(options: PciTopologyOptions = {}) {
    this.platform = options.platform ?? PLAIN_PLATFORM;
    this.idlePolicy = options.idlePolicy ?? 'immediate';
  }

  get rootBuses(): readonly PciBus[] {
    return [...this.#buses.values()].filter(({ isRoot }) => isRoot);
  }

  /** Every function, each bridge before what is behind it. */
  get devices(): readonly PciDevice[] {
    return this.rootBuses.flatMap((bus) => [...bus.walk()]);
  }

  find(address: PciAddress | string): PciDevice | undefined {
    const wanted = typeof address === 'string' ? PciAddress.parse(address) : address;
    return this.bus(wanted.domain, wanted.bus)?.devices.find((device) =>
      device.address.equals(wanted),
    );
  }

  bus(domain: number, number: number): PciBus | undefined {
    return this.#buses.get(busKey(domain, number));
  }

  /**
   * Puts a function into the machine and enumerates it. BARs without an address get one, unless `resources` are given;
   * those also say how large the BARs and the ROM are, where the description does not.
   *
   * Throws VfioError: EEXIST where something is already; EINVAL for a malformed address or description.
   */
  add(
    address: PciAddress | string,
    description: FunctionDescription,
    options: AddOptions = {},
  ): PciDevice {
    const { physfn } = options;
    const sized = withSizes(description, options.resources);
    const silicon = new PciFunction(sized, physfn?.function);
    const device = this.#insert(address, silicon, options, physfn);
    if (physfn !== undefined) physfn.virtualFunctions = [...physfn.virtualFunctions, device];
    return device;
  }

  /** Takes a function out, with everything behind it and its VFs. */
  remove(device: PciDevice): void {
    for (const vf of device.virtualFunctions) this.remove(vf);
    const { subordinate, physfn } = device;
    if (subordinate !== undefined) {
      for (const below of [...subordinate.devices]) this.remove(below);
      this.#buses.delete(busKey(subordinate.domain, subordinate.number));
    }
    for (const listener of this.#listeners) listener.removing?.(device);
    device.function.connect({});
    device.bus.remove(device);
    if (physfn !== undefined)
      physfn.virtualFunctions = physfn.virtualFunctions.filter((other) => other !== device);
  }

  /** Calls a listener from now on. The returned function ends that. */
  listen(listener: TopologyListener): () => void {
    this.#listeners.push(listener);
    return () => {
      const index = this.#listeners.indexOf(listener);
      if (index !== -1) this.#listeners.splice(index, 1);
    };
  }

  addVirtualFunctions(pf: PciDevice): number {
    const { sriov } = pf.function;
    for (const [vf, silicon] of pf.function.virtualFunctions.entries()) {
      const routingId = pf.address.routingId + sriov!.routingOffset(vf);
      const address = PciAddress.fromRoutingId(pf.address.domain, routingId);
      const resources = Array.from({ length: 6 }, (_, bar) => pf.sriov!.vfResource(vf, bar));
      const device = this.#insert(address, silicon, { resources }, pf, pf.bus);
      pf.virtualFunctions = [...pf.virtualFunctions, device];
    }
    return 0;
  }

  removeVirtualFunctions(pf: PciDevice): void {
    for (const vf of pf.virtualFunctions) this.remove(vf);
  }

  #insert(
    where: PciAddress | string,
    silicon: PciFunction,
    facts: PciDeviceFacts,
    physfn: PciDevice | undefined,
    // A VF may have a bus number that no bridge was given; it still hangs on its PF's bus.
    onBus?: PciBus,
  ): PciDevice {
    const address = typeof where === 'string' ? PciAddress.parse(where) : where;
    const secondary = secondaryBus(silicon);
    const known = this.bus(address.domain, address.bus) ?? onBus;
    if (known?.devices.some((other) => other.address.equals(address)))
      throw new VfioError('EEXIST', `${address}: there is a function already`);
    if (secondary !== 0 && this.bus(address.domain, secondary) !== undefined)
      throw new VfioError(
        'EEXIST',
        `${address}: bus ${secondary.toString(16)} exists already; add bridges before what is behind them`,
      );
    const bus = known ?? this.#addBus(address.domain, address.bus);
    const resources = this.#addresses.resources(silicon, facts.resources);
    const device = new PciDevice({ address, function: silicon, bus, resources, facts, physfn });
    if (secondary !== 0) device.subordinate = this.#addBus(address.domain, secondary, device);
    bus.insert(device);
    for (const listener of this.#listeners) listener.added?.(device);
    return device;
  }

  #addBus(domain: number, number: number, bridge?: PciDevice): PciBus {
    const bus = new PciBus(this, domain, number, bridge);
    this.#buses.set(busKey(domain, number), bus);
    return bus;
  }
}

/** The bus that a bridge leads to; 0 for one that firmware did not configure, and for other functions. */
function secondaryBus(silicon: PciFunction): number {
  return silicon.isBridge ? silicon.config.bytes[PCI_SECONDARY_BUS]! : 0;
}

/** Who wants to know of functions that come and go. */
export interface TopologyListener {
  added?(device: PciDevice): void;
  removing?(device: PciDevice): void;
}

function busKey(domain: number, number: number): string {
  return `${domain}:${number}`;
}
