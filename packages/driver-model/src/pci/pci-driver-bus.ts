import { PciAddress, pciModalias } from '@vfiokit/pci';
import { ENODEV, VfioError } from '@vfiokit/uapi';
import { andThen, type Blocking, inTurn } from '../blocking.js';
import { Bus } from '../bus.js';
import { triggerOnNumber } from '../bus-sysfs.js';
import type { BusType } from '../bus-type.js';
import type { DriverCore } from '../driver-core.js';
import { type Attribute, attributeTable } from '../sysfs/attribute.js';
import { linkTo, type SysfsDirectory } from '../sysfs/node.js';
import { DynamicIds } from './dynamic-ids.js';
import { PCI_DEVICE_ATTRIBUTES } from './pci-attributes.js';
import { PciBusDevice, type PciFunctionFacts } from './pci-bus-device.js';
import type { PciDriver } from './pci-driver.js';
import { matchDevice, type PciIdEntry } from './pci-id-table.js';

/** Who owns DMA of a device's IOMMU group; drivers that manage it themselves are not asked (iommu_device_use_default_domain). */
export interface DmaOwnership {
  /** Claims it for the kernel: 0, `-EBUSY` if a user owns the group, `-EAGAIN` without a default domain. */
  claim(device: PciBusDevice): number;
  release(device: PciBusDevice): void;
}

/** What a machine adds to its PCI bus. */
export interface PciBusOptions {
  readonly dma?: DmaOwnership;
  /** A device appears or goes; called before it is probed and after it was unbound (bus notifiers). */
  added?(device: PciBusDevice): void;
  removed?(device: PciBusDevice): void;
  /** What is known of a VF beyond what its PF tells. */
  vfFacts?(pf: PciBusDevice, index: number): Partial<PciFunctionFacts>;
  /** Functions that a bus scan would find; those that are on the bus are left alone. */
  scan?(): Iterable<PciBusDevice>;
}

/**
 * The driver core's PCI bus, what `/sys/bus/pci` is: ids and overrides decide who matches, IOMMU groups who may be bound
 * (drivers/pci/pci-driver.c: pci_bus_type). A segment with functions on it is a `PciBus` of `@vfiokit/pci`.
 */
export class PciDriverBus extends Bus<PciBusDevice, PciDriver> {
  readonly #options: PciBusOptions;
  readonly #dynamicIds: Map<PciDriver, DynamicIds>;

  constructor(core: DriverCore, options: PciBusOptions = {}) {
    const dynamicIds = new Map<PciDriver, DynamicIds>();
    super(
      core,
      pciBusType(dynamicIds, options, () => this),
    );
    this.#options = options;
    this.#dynamicIds = dynamicIds;
  }

  /** The ids that a driver was given at run time. */
  dynamicIds(driver: PciDriver): DynamicIds {
    return dynamicIdsOf(this.#dynamicIds, driver);
  }

  /** The entry by which a driver would take a device now. */
  matchedEntry(device: PciBusDevice, driver: PciDriver): PciIdEntry | undefined {
    return matchDevice(
      driver,
      this.dynamicIds(driver).entries,
      device.facts,
      device.driverOverride,
    );
  }

  override add(device: PciBusDevice): Blocking<void> {
    this.#options.added?.(device);
    return super.add(device);
  }

  override removeDevice(device: PciBusDevice): Blocking<void> {
    return andThen(this.disableVfs(device), () =>
      andThen(super.removeDevice(device), () => this.#options.removed?.(device)),
    );
  }

  /** Takes a new id for a driver and offers it every unbound device, as `new_id` does. */
  newId(driver: PciDriver, text: string): number {
    const errno = this.dynamicIds(driver).add(text);
    if (errno === 0) this.offer(driver);
    return errno;
  }

  /** Gives a driver an id and offers it every unbound device, without any question, as the parameter `ids` of a module does. */
  appendId(driver: PciDriver, entry: PciIdEntry): void {
    this.dynamicIds(driver).append(entry);
    this.offer(driver);
  }

  /** Looks for functions that are there and not on the bus. */
  rescan(): void {
    for (const device of this.#options.scan?.() ?? [])
      if (!this.devices.has(device.name)) void this.add(device);
  }

  /**
   * Creates a PF's VFs, for its driver (pci_enable_sriov).
   *
   * @throws VfioError `EINVAL` for a device without the capability.
   */
  enableVfs(pf: PciBusDevice, count: number): void {
    const { sriov } = pf;
    if (sriov === undefined) throw new VfioError('EINVAL', `${pf.name}: has no SR-IOV capability`);
    for (let index = sriov.vfs.length; index < count; index += 1)
      void this.addVf(this.#createVf(pf, index));
  }

  /** Adds a VF that exists in silicon; the links between PF and VF stand before it is probed. */
  addVf(vf: PciBusDevice): Blocking<void> {
    const sriov = vf.physfn?.sriov;
    if (sriov !== undefined) sriov.vfs = [...sriov.vfs, vf];
    return this.add(vf);
  }

  /** Takes a PF's VFs away, the last first; blocks while one is in use (pci_disable_sriov). */
  disableVfs(pf: PciBusDevice): Blocking<void> {
    const { sriov } = pf;
    if (sriov === undefined || sriov.vfs.length === 0) return;
    return inTurn([...sriov.vfs].reverse(), (vf) =>
      andThen(this.removeDevice(vf), () => {
        sriov.vfs = sriov.vfs.filter((other) => other !== vf);
      }),
    );
  }

  #createVf(pf: PciBusDevice, index: number): PciBusDevice {
    const { offset, stride, vfDevice } = pf.sriov!;
    const { address, facts } = pf;
    const routingId = address.routingId + offset + stride * index;
    const name = PciAddress.fromRoutingId(address.domain, routingId).toString();
    const { vendor, subsystemVendor, subsystemDevice, revision, numaNode } = facts;
    return new PciBusDevice(
      name,
      {
        vendor,
        device: vfDevice,
        subsystemVendor,
        subsystemDevice,
        class: facts.class,
        revision,
        headerType: 0,
        ...(numaNode === undefined ? {} : { numaNode }),
        ...this.#options.vfFacts?.(pf, index),
      },
      pf.parent,
      pf,
    );
  }
}

function dynamicIdsOf(map: Map<PciDriver, DynamicIds>, driver: PciDriver): DynamicIds {
  let ids = map.get(driver);
  if (ids === undefined) {
    ids = new DynamicIds(driver);
    map.set(driver, ids);
  }
  return ids;
}

function pciBusType(
  dynamicIds: Map<PciDriver, DynamicIds>,
  options: PciBusOptions,
  bus: () => PciDriverBus,
): BusType<PciBusDevice, PciDriver> {
  const entry = (device: PciBusDevice, driver: PciDriver) =>
    matchDevice(driver, dynamicIds.get(driver)?.entries ?? [], device.facts, device.driverOverride);
  const driverAttributes: readonly Attribute<PciDriver>[] = [
    { name: 'new_id', mode: 0o200, store: (driver, text) => bus().newId(driver, text) },
    {
      name: 'remove_id',
      mode: 0o200,
      store: (driver, text) => dynamicIdsOf(dynamicIds, driver).remove(text),
    },
  ];
  return {
    name: 'pci',
    overridable: true,
    match: (device, driver) => entry(device, driver) !== undefined,
    probe: (device, driver) => {
      const gated = device.physfn?.sriov?.driversAutoprobe === false;
      if (gated && device.driverOverride === undefined) return -ENODEV;
      const id = entry(device, driver);
      return id === undefined ? -ENODEV : driver.probe(device, id);
    },
    remove: (device, driver) => driver.remove?.(device),
    dmaConfigure: (device, driver) => (driver.managedDma ? 0 : (options.dma?.claim(device) ?? 0)),
    dmaCleanup: (device, driver) => {
      if (!driver.managedDma) options.dma?.release(device);
    },
    driverGone: (driver) => dynamicIds.delete(driver),
    uevent,
    deviceAttributes: PCI_DEVICE_ATTRIBUTES,
    driverAttributes: attributeTable(driverAttributes),
    busAttributes: [
      {
        name: 'rescan',
        mode: 0o200,
        store: (_, text) => triggerOnNumber(text, () => bus().rescan()),
      },
    ],
    deviceEntries: sriovLinks,
  };
}

/** pci-driver.c: pci_uevent. */
function uevent({ facts, name }: PciBusDevice): Readonly<Record<string, string>> {
  const id = (value: number) => value.toString(16).toUpperCase().padStart(4, '0');
  return {
    PCI_CLASS: facts.class.toString(16).toUpperCase().padStart(4, '0'),
    PCI_ID: `${id(facts.vendor)}:${id(facts.device)}`,
    PCI_SUBSYS_ID: `${id(facts.subsystemVendor)}:${id(facts.subsystemDevice)}`,
    PCI_SLOT_NAME: name,
    MODALIAS: pciModalias(facts),
  };
}

function sriovLinks(device: PciBusDevice): SysfsDirectory {
  const links = new Map<string, PciBusDevice>();
  if (device.physfn !== undefined) links.set('physfn', device.physfn);
  for (const [index, vf] of device.sriov?.vfs.entries() ?? []) links.set(`virtfn${index}`, vf);
  return {
    kind: 'directory',
    get: (name) => {
      const target = links.get(name);
      return target === undefined ? undefined : linkTo(target.path);
    },
    names: () => links.keys(),
  };
}
