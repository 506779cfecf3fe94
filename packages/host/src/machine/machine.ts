import {
  NATIVE_DRIVERS,
  registerCore,
  SILICON,
  type SiliconModel,
  VFIO_PCI_DRIVERS,
  VfioPci,
  type VfioPciDriver,
} from '@vfiokit/core';
import {
  DriverCore,
  ModelSysfs,
  PciBusDevice,
  PciDriverBus,
  VirtualClock,
} from '@vfiokit/driver-model';
import {
  DevVfio,
  GENERIC_IOMMU,
  type IommuGroup,
  IommuGroups,
  NumberPool,
  registerIommu,
  VfioGroups,
} from '@vfiokit/iommu';
import { type PciDevice, PciTopology } from '@vfiokit/pci';
import { VfioError } from '@vfiokit/uapi';
import { type DependencyContainer, type InjectionToken, container as root } from 'tsyringe';
import { functionDescription } from './config-image.js';
import type { FunctionSpec, MachineDescription } from './description.js';
import { functionFacts } from './function-facts.js';
import { machineFiles } from './machine-files.js';
import { MachineModules } from './machine-modules.js';
import { type DeviceUser, OpenDevices } from './open-devices.js';

export interface MachineOptions {
  /** Puts more on the machine's container: variant drivers, platform hooks. Gets the machine's firmware tables. */
  readonly register?: (container: DependencyContainer, machine: MachineDescription) => void;
  /** VFIO drivers besides vfio-pci that this machine's kernel was built with. */
  readonly vfioDrivers?: readonly VfioPciDriver[];
  /** Tells this boot from others. */
  readonly bootId?: string;
  /** The parameter `enable_sriov` of vfio-pci. */
  readonly enableSriov?: boolean;
  readonly disableDenylist?: boolean;
  /** The parameter `ids` of vfio-pci: what it takes without an override. */
  readonly ids?: string;
}

const BOOT_ID = '6ba7b810-9dad-11d1-80b4-00c04fd430c8';

/**
 * A simulated machine: functions, IOMMU groups, drivers, modules, and the VFIO drivers of this framework, put together
 * by the kernel's rules. User space meets it through {@link Machine.sysfs} and by opening devices.
 */
export class Machine {
  readonly clock = new VirtualClock();
  readonly core = new DriverCore(this.clock);
  readonly container: DependencyContainer;
  readonly topology: PciTopology;
  readonly pci: PciDriverBus;
  readonly sysfs: ModelSysfs;
  readonly vfio: VfioPci;
  readonly iommuGroups: IommuGroups;
  readonly users: OpenDevices;
  readonly #specs = new Map<string, FunctionSpec>();
  readonly #functions = new Map<PciBusDevice, PciDevice>();
  readonly #groupOf = new Map<string, IommuGroup>();
  readonly #modules: MachineModules;
  /** Overrides of VFs that their PF's VFIO driver has captured. */
  readonly #overrides = new Map<string, string>();
  readonly #silicon: readonly SiliconModel[];
  /** VFs that silicon has shown and the bus does not know yet. */
  #newVfs: PciDevice[] = [];
  /** Devices whose remover was signalled. */
  readonly #interrupted = new Set<string>();
  #removedByUser: FunctionSpec[] = [];

  constructor(
    readonly description: MachineDescription,
    options: MachineOptions = {},
  ) {
    this.container = root.createChildContainer();
    registerIommu(this.container);
    registerCore(this.container, {
      parameters: {
        enable_sriov: options.enableSriov ?? false,
        disable_denylist: options.disableDenylist ?? false,
        ids: options.ids ?? '',
      },
      overrideDriver: (vf, driver) => this.#overrides.set(vf.name, driver),
    });
    for (const driver of options.vfioDrivers ?? [])
      this.container.register(VFIO_PCI_DRIVERS, { useValue: driver });
    options.register?.(this.container, description);
    this.topology = new PciTopology();
    this.vfio = this.container.resolve(VfioPci);
    this.iommuGroups = this.container.resolve(IommuGroups);
    const groups = this.container.resolve(VfioGroups);
    const vfioDrivers = this.#registered(VFIO_PCI_DRIVERS);
    this.#silicon = this.#registered(SILICON);
    this.pci = new PciDriverBus(this.core, {
      dma: {
        claim: (device) =>
          this.#groupOf.get(device.name)?.useDefaultDomain(this.#holder(device)) ?? 0,
        release: (device) =>
          this.#groupOf.get(device.name)?.unuseDefaultDomain(this.#holder(device)),
      },
      removed: (device) => this.#forget(device),
      scan: () => this.#rescan(),
    });
    const pathOf = (name: string) => this.pci.devices.get(name)?.path;
    this.users = new OpenDevices(groups, this.container.resolve(DevVfio), pathOf);
    this.#modules = new MachineModules(description, vfioDrivers, {
      bus: () => this.pci,
      function: (device) => this.#functions.get(device)!,
      provides: (device) => (this.#specs.get(device.name) ?? this.#vfSpec(device))?.provides ?? {},
      classes: this.core.sys.directory('class'),
      settleVfs: () => this.#settleVfs(),
      core: this.core,
      vfio: this.vfio,
      numbers: new NumberPool(),
      nativeDrivers: this.#registered(NATIVE_DRIVERS),
      group: (device) => this.#groupOf.get(device.name),
    });
    this.topology.listen({
      added: (pdev) => {
        if (pdev.isVirtfn) this.#newVfs.push(pdev);
      },
    });
    this.sysfs = new ModelSysfs(
      machineFiles({
        description,
        core: this.core,
        bootId: options.bootId ?? BOOT_ID,
        vfioDrivers,
        groups,
        iommuGroups: this.iommuGroups,
        users: this.users,
        pathOf,
      }),
    );
    this.#boot();
  }

  /** The function of this name as the PCI core knows it. @throws VfioError `ENODEV`. */
  function(name: string): PciDevice {
    const device = this.pci.devices.get(name);
    const found = device === undefined ? undefined : this.#functions.get(device);
    if (found === undefined)
      throw new VfioError('ENODEV', `${name}: no such function in ${this.description.name}`);
    return found;
  }

  /** The IOMMU group of a function. */
  group(name: string): IommuGroup | undefined {
    return this.#groupOf.get(name);
  }

  /** Plugs a function in while the machine runs. */
  plug(spec: FunctionSpec): PciBusDevice {
    return this.#add(spec);
  }

  /**
   * Opens a device, or several of one group, as a virtual machine monitor does.
   *
   * @throws VfioError what opening fails with.
   */
  open(names: string | readonly string[], command?: string, guest?: string): DeviceUser {
    const all = typeof names === 'string' ? [names] : names;
    const group = this.#groupOf.get(all[0] ?? '');
    if (group === undefined)
      throw new VfioError('EINVAL', `${all[0]}: in no IOMMU group; there is nothing to open`);
    return this.users.open(all, `${group.id}`, {
      ...(command === undefined ? {} : { command }),
      ...(guest === undefined ? {} : { guest }),
    });
  }

  /**
   * Loads a module, as `modprobe -b` does: one that is blacklisted is refused.
   *
   * @throws VfioError `EPERM` for a blacklisted module, `ENOENT` for one that is not installed.
   */
  loadModule(name: string): void {
    this.#modules.load(name);
  }

  /**
   * Unloads a module: its drivers let go of their devices.
   *
   * @throws VfioError `EBUSY` while a device of it is open, `ENOENT` for one that is not loaded, `EPERM` for one that is
   *   compiled in.
   */
  unloadModule(name: string): Promise<void> {
    return this.#modules.unload(name);
  }

  /** A signal comes for the process whose write to `unbind` waits: the wait does not end, and can't be ended any more. */
  interruptRemoval(name: string, command: string): void {
    if (this.#interrupted.has(name)) return;
    this.#interrupted.add(name);
    this.core.log.write(
      'warning',
      name,
      `device is currently in use, task "${command}" blocked until device is released`,
    );
  }

  /** Everything that was put on the machine's container for a token; nothing is a normal answer. */
  #registered<T>(token: InjectionToken<T>): readonly T[] {
    return this.container.isRegistered(token, true) ? this.container.resolveAll(token) : [];
  }

  /** Firmware and the kernel come first, then modules in their order, then the device manager's overrides. */
  #boot(): void {
    const { functions } = this.description;
    this.pci.driversAutoprobe = false;
    for (const spec of functions) this.#add(spec);
    this.#modules.boot();
    this.pci.driversAutoprobe = true;
    for (const device of [...this.pci.devices.values()])
      if (this.#specs.get(device.name)?.probe) void this.pci.driversProbe(device.name);
    for (const { at, sriov } of functions) {
      const device = this.pci.devices.get(at)!;
      const driver = this.pci.driverOf(device);
      if (sriov === undefined || sriov.enabled === 0) continue;
      device.sriov!.driversAutoprobe = sriov.probe;
      void driver?.sriovConfigure?.(device, sriov.enabled);
      device.sriov!.driversAutoprobe = true;
    }
  }

  #add(spec: FunctionSpec): PciBusDevice {
    this.#specs.set(spec.at, spec);
    const silicon = this.#silicon.reduce(
      (description, model) => model.describe(spec.at, description),
      functionDescription(spec),
    );
    const pdev = this.topology.add(spec.at, silicon);
    const bridge = pdev.bus.self;
    const above = bridge === undefined ? undefined : this.pci.devices.get(bridge.name);
    const hostBridge = this.core.root(`pci${spec.at.slice(0, spec.at.lastIndexOf(':'))}`);
    const device = new PciBusDevice(spec.at, functionFacts(pdev, spec), above ?? hostBridge);
    device.driverOverride = spec.override;
    this.#insert(device, pdev, spec.group);
    void this.pci.add(device);
    return device;
  }

  #insert(device: PciBusDevice, pdev: PciDevice, wanted: FunctionSpec['group']): void {
    this.#functions.set(device, pdev);
    if (this.description.iommu === 'none' || wanted === 'none') return;
    const known = wanted === undefined ? undefined : this.iommuGroups.get(wanted);
    const group =
      known ??
      this.iommuGroups.create({
        iommu: GENERIC_IOMMU,
        ...(wanted === undefined ? {} : { id: wanted }),
      });
    group.members.add(device.name);
    this.#groupOf.set(device.name, group);
    device.entries.set('iommu_group', {
      kind: 'link',
      target: `/sys/kernel/iommu_groups/${group.id}`,
    });
  }

  /** Puts VFs on the bus that silicon has shown: their overrides are known by now, and their PF's links are there. */
  #settleVfs(): void {
    const vfs = this.#newVfs;
    this.#newVfs = [];
    for (const pdev of vfs) {
      const pf = this.pci.devices.get(pdev.physfn!.name)!;
      const device = new PciBusDevice(pdev.name, functionFacts(pdev, undefined), pf.parent, pf);
      device.driverOverride = this.#overrides.get(pdev.name);
      this.#insert(device, pdev, this.#vfSpec(device)?.group);
      void this.pci.addVf(device);
    }
  }

  /** What the description says of one VF. */
  #vfSpec({ physfn, address }: PciBusDevice) {
    const sriov = physfn && this.#specs.get(physfn.name)?.sriov;
    if (sriov === undefined) return undefined;
    const distance = address.routingId - physfn!.address.routingId - sriov.offset;
    return sriov.vfs[distance / sriov.stride];
  }

  #forget(device: PciBusDevice): void {
    const pdev = this.#functions.get(device);
    const spec = this.#specs.get(device.name);
    this.#functions.delete(device);
    const group = this.#groupOf.get(device.name);
    group?.members.delete(device.name);
    this.#groupOf.delete(device.name);
    this.#overrides.delete(device.name);
    if (group !== undefined && group.members.size === 0) this.iommuGroups.remove(group);
    if (spec === undefined || pdev === undefined) return;
    this.topology.remove(pdev);
    this.#removedByUser = [...this.#removedByUser, spec];
  }

  /** Functions that were removed by hand are still in their slots. */
  *#rescan(): Iterable<PciBusDevice> {
    const found = this.#removedByUser;
    this.#removedByUser = [];
    for (const spec of found) if (!this.pci.devices.has(spec.at)) yield this.#add(spec);
  }

  #holder(device: PciBusDevice): string {
    return `${device.name} (${device.driver?.name ?? 'no driver'})`;
  }
}
