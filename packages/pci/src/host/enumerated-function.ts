import type { PciIds } from '../modalias.js';
import type { PciAddress } from '../pci-address.js';
import {
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_SSVID,
  PCI_CB_SUBSYSTEM_VENDOR_ID,
  PCI_CLASS_REVISION,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_DEVICE_ID,
  PCI_HEADER_TYPE,
  PCI_HEADER_TYPE_CARDBUS,
  PCI_HEADER_TYPE_MASK,
  PCI_HEADER_TYPE_MFD,
  PCI_HEADER_TYPE_NORMAL,
  PCI_INTERRUPT_LINE,
  PCI_INTERRUPT_PIN,
  PCI_SSVID_VENDOR_ID,
  PCI_SUBSYSTEM_VENDOR_ID,
  PCI_VENDOR_ID,
} from '../regs/index.js';
import type { ConfigAccess } from '../silicon/config-access.js';
import type { PciFunction } from '../silicon/pci-function.js';
import { findCapability, findExtendedCapability } from './capability-search.js';
import { Express } from './express.js';
import type { PciBus, PciSlot } from './pci-bus.js';
import type { PciDevice } from './pci-device.js';
import type { PciPlatform } from './pci-platform.js';
import type { PciResource } from './pci-resource.js';

/** What the kernel's quirk tables say about a function (drivers/pci/quirks.c). */
export interface PciDeviceQuirks {
  readonly noBusReset?: boolean;
  readonly noFlr?: boolean;
  readonly noPmReset?: boolean;
  readonly noD3?: boolean;
  readonly noD1D2?: boolean;
}

/**
 * What the host knows of a function that its registers do not say, or that a recording says better. What is absent is
 * found at enumeration.
 */
export interface PciDeviceFacts {
  /** 0 to 5 the BARs, 6 the ROM; from the registers without it. */
  readonly resources?: readonly PciResource[];
  /** The names in sysfs's `reset_method`; found by probing without it. */
  readonly resetMethods?: readonly string[];
  /** pdev->irq: 0 none, {@link IRQ_NOTCONNECTED}; the interrupt line register without it. */
  readonly irq?: number;
  /** DisINTx works (pci_intx_mask_supported); probed without it. */
  readonly intxMaskable?: boolean;
  /** COMMAND has no usable memory enable bit; true for a VF without it. */
  readonly noCommandMemory?: boolean;
  /** The CPU cannot map the BARs, as on some s390 machines. */
  readonly nonMappableBars?: boolean;
  /** An option ROM's contents that firmware handed over (pdev->rom). */
  readonly romImage?: Uint8Array;
  /** The copy of the ROM in RAM that stands in for resource 6 of the boot display. */
  readonly romShadow?: Uint8Array;
  /** Ids other than the registers', as a VF has them. */
  readonly ids?: Partial<PciIds>;
  /** The tracked power state; D0 without it. */
  readonly powerState?: number;
  readonly quirks?: PciDeviceQuirks;
}

/** What makes a device; only the topology does. */
export interface PciDeviceParts {
  readonly address: PciAddress;
  readonly function: PciFunction;
  readonly bus: PciBus;
  /** Seven of them. */
  readonly resources: readonly PciResource[];
  readonly facts: PciDeviceFacts;
  /** The function's PF, if it is a VF. */
  readonly physfn: PciDevice | undefined;
}

/** The kernel has no interrupt line for the function, though it has a pin. */
export const IRQ_NOTCONNECTED = 0x80000000;

/** What enumeration finds out about a function, once (drivers/pci/probe.c: pci_setup_device). */
export class EnumeratedFunction implements PciIds {
  /** The kernel's form of the address, such as `0000:00:03.0`. */
  readonly name: string;
  readonly address: PciAddress;
  /** The silicon. */
  readonly function: PciFunction;
  readonly bus: PciBus;
  readonly platform: PciPlatform;
  /** Every access of the PCI core and of drivers goes through here. */
  readonly config: ConfigAccess;

  /** Ids as the host knows them: those of a VF are real, though hardware reads all-ones. */
  readonly vendor: number;
  readonly device: number;
  readonly subsystemVendor: number;
  readonly subsystemDevice: number;
  readonly revision: number;
  /** 24 bits: base class, subclass, programming interface. */
  readonly class: number;
  /** 0 normal, 1 bridge, 2 CardBus bridge. */
  readonly headerType: number;
  readonly isMultifunction: boolean;

  /** 0 to 5 the BARs, 6 the ROM. A VF's are its share of its PF's VF BARs. */
  readonly resources: readonly PciResource[];
  /** What firmware handed over (pdev->rom), used where resource 6 has no address. */
  readonly romImage: Uint8Array | undefined;
  /** Resource 6 is a copy in RAM, whose enable bit nobody touches. */
  readonly romIsShadow: boolean;
  readonly express: Express;
  readonly physfn: PciDevice | undefined;
  /** DisINTx was found to work, and no quirk says otherwise. */
  readonly intxMaskable: boolean;
  /** COMMAND has no usable memory enable bit: VFs, and what the machine says. */
  readonly noCommandMemory: boolean;
  readonly nonMappableBars: boolean;
  readonly quirks: PciDeviceQuirks;
  /** The interrupt line: 0 none, {@link IRQ_NOTCONNECTED}. */
  irq: number;

  constructor({ address, function: silicon, bus, resources, facts, physfn }: PciDeviceParts) {
    this.name = address.toString();
    this.address = address;
    this.function = silicon;
    this.bus = bus;
    this.platform = bus.topology.platform;
    this.config = this.platform.configAccess?.(silicon.config, this.name) ?? silicon.config;
    this.physfn = physfn;
    this.resources = resources;
    this.romImage = facts.romImage;
    this.romIsShadow = facts.romShadow !== undefined;
    this.quirks = facts.quirks ?? {};

    const read = (offset: number, size: number) => Math.max(this.config.read(offset, size), 0);
    const headerType = read(PCI_HEADER_TYPE, 1);
    this.headerType = headerType & PCI_HEADER_TYPE_MASK;
    this.isMultifunction = (headerType & PCI_HEADER_TYPE_MFD) !== 0;
    const subsystem = this.#subsystemIds();
    const { ids } = facts;
    this.vendor = ids?.vendor ?? physfn?.vendor ?? read(PCI_VENDOR_ID, 2);
    this.device = ids?.device ?? physfn?.sriov?.vfDevice ?? read(PCI_DEVICE_ID, 2);
    this.subsystemVendor = ids?.subsystemVendor ?? (subsystem && read(subsystem, 2));
    this.subsystemDevice = ids?.subsystemDevice ?? (subsystem && read(subsystem + 2, 2));
    this.class = ids?.class ?? read(PCI_CLASS_REVISION, 4) >>> 8;
    this.revision = read(PCI_CLASS_REVISION, 1);

    this.express = new Express(this, this.findCapability(PCI_CAP_ID_EXP));
    this.noCommandMemory = facts.noCommandMemory ?? this.isVirtfn;
    this.nonMappableBars = facts.nonMappableBars ?? false;
    this.intxMaskable = facts.intxMaskable ?? probeIntxMask(this.config);
    this.irq = facts.irq ?? (read(PCI_INTERRUPT_PIN, 1) === 0 ? 0 : lineOf(this.config));
  }

  get isPcie(): boolean {
    return this.express.at !== 0;
  }

  /** PCI_EXP_TYPE_*; 0 also for a conventional function. */
  get pcieType(): number {
    return this.express.type;
  }

  get isVirtfn(): boolean {
    return this.physfn !== undefined;
  }

  /** What a hotplug slot holds or lets go together with this function. */
  get slot(): PciSlot {
    return this.bus.slot(this.address.device);
  }

  /** Where the subsystem ids are, which a bridge keeps in a capability of their own; 0 for nowhere. */
  #subsystemIds(): number {
    if (this.headerType === PCI_HEADER_TYPE_NORMAL) return PCI_SUBSYSTEM_VENDOR_ID;
    if (this.headerType === PCI_HEADER_TYPE_CARDBUS) return PCI_CB_SUBSYSTEM_VENDOR_ID;
    const at = this.findCapability(PCI_CAP_ID_SSVID);
    return at === 0 ? 0 : at + PCI_SSVID_VENDOR_ID;
  }

  /** The first capability of a kind, as hardware shows it now; 0 for none. */
  findCapability(id: number): number {
    return findCapability(this.config, this.headerType, id);
  }

  /** The first extended capability of a kind, as hardware shows it now; 0 for none. */
  findExtendedCapability(id: number): number {
    return findExtendedCapability(this.config, id);
  }
}

/** Firmware writes the line it chose into the register; 0xff stands for none. */
function lineOf(config: ConfigAccess): number {
  const line = config.read(PCI_INTERRUPT_LINE, 1);
  return line < 0 || line === 0xff ? 0 : line;
}

/** Toggles DisINTx to see whether it follows (pci_intx_mask_broken). */
function probeIntxMask(config: ConfigAccess): boolean {
  const before = config.read(PCI_COMMAND, 2);
  if (before < 0) return false;
  const toggled = before ^ PCI_COMMAND_INTX_DISABLE;
  config.write(PCI_COMMAND, 2, toggled);
  const after = config.read(PCI_COMMAND, 2);
  config.write(PCI_COMMAND, 2, before);
  return after === toggled;
}
