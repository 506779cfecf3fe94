import { PciAddress, type PciIds } from '@vfiokit/pci';
import { Device } from '../device.js';

/** A resource of a function as the `resource` file shows it. */
export interface ResourceFacts {
  readonly start: bigint;
  /** Bytes; 0 for one that is not there. */
  readonly length: number;
  /** IORESOURCE_*. */
  readonly flags: number;
}

/** The SR-IOV capability of a PF, as far as the driver core goes. */
export interface SriovFacts {
  readonly totalVfs: number;
  /** From the PF's routing id to the first VF's, and from one VF's to the next. */
  readonly offset: number;
  readonly stride: number;
  readonly vfDevice: number;
  /** MSI-X vectors that the PF's driver may deal out among its VFs. */
  readonly vfTotalMsix?: number;
}

/** What the bus knows of a function. Everything but the ids may be unknown; its file then is missing. */
export interface PciFunctionFacts extends PciIds {
  readonly revision: number;
  /** 0 for an endpoint, 1 for a bridge; the multifunction bit left out. */
  readonly headerType: number;
  readonly irq?: number;
  readonly numaNode?: number;
  readonly resources?: readonly ResourceFacts[];
  /** Names of `reset_method`, best first. */
  readonly resetMethods?: readonly string[];
  /** 1 for the adapter that shows the boot console; only display controllers have the file. */
  readonly bootVga?: boolean;
  readonly sriov?: SriovFacts;
  /** Configuration space: the bytes as they are now. */
  readConfig?(): Uint8Array;
  writeConfig?(bytes: Uint8Array): number;
  /** Carries out a reset: 0 or a negated errno. */
  reset?(methods: readonly string[]): number;
  /** The option ROM's image; a function without one has no `rom`. */
  readonly rom?: Uint8Array;
  /** Text of further attributes, by file name, such as `current_link_speed`. */
  readonly attributes?: Readonly<Record<string, string>>;
}

/** The state of a PF's virtual functions. */
export interface Sriov extends SriovFacts {
  vfs: readonly PciBusDevice[];
  /** Whether new VFs are probed, and VFs without an override may be bound at all. */
  driversAutoprobe: boolean;
}

/** A PCI function on the bus (struct pci_dev, the driver core's side). */
export class PciBusDevice extends Device {
  readonly address: PciAddress;
  readonly sriov: Sriov | undefined;
  /** How often it was enabled and not disabled. */
  enableCount = 0;
  /** What `reset_method` says now. */
  resetMethods: readonly string[];
  romEnabled = false;

  constructor(
    name: string,
    readonly facts: PciFunctionFacts,
    parent?: Device,
    /** The PF that a VF belongs to. */
    readonly physfn?: PciBusDevice,
  ) {
    super(name, parent);
    this.address = PciAddress.parse(name);
    this.resetMethods = facts.resetMethods ?? [];
    this.sriov = facts.sriov && { ...facts.sriov, vfs: [], driversAutoprobe: true };
  }

  get isVirtfn(): boolean {
    return this.physfn !== undefined;
  }
}
