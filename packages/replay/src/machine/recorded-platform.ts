import {
  type ConfigAccess,
  ConfigSpace,
  type InterruptMessage,
  PCI_CAP_ID_MSI,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_MSI_ADDRESS_HI,
  PCI_MSI_ADDRESS_LO,
  PCI_MSI_DATA_32,
  PCI_MSI_DATA_64,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_64BIT,
  type PciDevice,
  type PciPlatform,
  type ResetMethod,
  type VectorKind,
} from '@vfiokit/pci';
import { EBUSY, ENOMEM, ENOSPC, ENOTTY } from '@vfiokit/uapi';
import type { IoctlOp, TraceOp } from '../trace/trace.js';
import { LearnedMasks } from './learned-masks.js';

const INTX = 0;
const CONFIG_SIZE = 4096;
const LOCAL_APIC = 0xfee00000;
const MACHINE_RESETS = new Set(['device_specific', 'acpi', 'cxl_bus']);

/** What a trace's first lines say of the machine as a whole. */
export interface MachineFacts {
  readonly arch: string;
  /** Addresses of functions that were not probed, whose masks are learned. */
  readonly unprobed: ReadonlySet<string>;
  /** Device addresses, without function number, of what is in hotplug slots. */
  readonly slots: ReadonlySet<string>;
}

/**
 * The recorded machine's answers to what neither the model nor the function can know. They are read from the result of
 * the operation that is being played, and only where such a result can come from the machine: whether there were
 * interrupt vectors, whether an interrupt line was free, whether a link came back after a bus reset.
 */
export class RecordedPlatform implements PciPlatform {
  /** What is being played. */
  op: TraceOp | undefined;
  /** Functions that a driver is being taken from: whoever does that holds the device lock. */
  readonly unbinding = new Set<PciDevice>();
  /** The configuration accesses of functions that were not probed, by address. */
  readonly masks = new Map<string, LearnedMasks>();
  /** Answers that were taken from the record. */
  answers = 0;
  #linkStaysDown = false;

  /** Raw configuration space as recorded at the end of the operation that is being played. */
  registersAfter: (device: PciDevice) => Buffer = () => Buffer.alloc(CONFIG_SIZE);

  constructor(private readonly facts: MachineFacts) {}

  configAccess(config: ConfigAccess, name: string): ConfigAccess {
    if (!this.facts.unprobed.has(name) || !(config instanceof ConfigSpace)) return config;
    // Until the record says otherwise it is an ordinary function: PCI 2.3 with a COMMAND register that works.
    config.writeMask[PCI_COMMAND]! |= PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
    config.writeMask[PCI_COMMAND + 1]! |= PCI_COMMAND_INTX_DISABLE >>> 8;
    const masks = new LearnedMasks(config);
    this.masks.set(name, masks);
    return masks;
  }

  lockHeld(device: PciDevice): boolean {
    return this.unbinding.has(device);
  }

  vectorsAvailable(_device: PciDevice, _kind: 'msi' | 'msix', wanted: number): number {
    const ret = this.#result('SET_IRQS');
    if (ret === undefined || (ret > 0 && ret >= wanted)) return wanted;
    if (ret <= 0 && ret !== -ENOSPC && ret !== -ENOMEM) return wanted;
    this.answers += 1;
    return ret;
  }

  requestIrq(device: PciDevice): number {
    const ret = this.#result('SET_IRQS');
    if (ret === -EBUSY && (this.op as IoctlOp).index === INTX) {
      this.answers += 1;
      return -EBUSY;
    }
    // Whether a level that was there before anybody listened still arrives is the interrupt controller's affair.
    const { function: silicon, irq, bus } = device;
    if (silicon.intx.asserted && this.op?.ev === undefined) {
      this.answers += 1;
      bus.topology.irqLines.line(irq).set(silicon, false);
    }
    return 0;
  }

  /** Methods that only the machine knows; what they do to the registers is what a bus reset does. */
  resetMethod(_device: PciDevice, name: string): ResetMethod | undefined {
    if (!MACHINE_RESETS.has(name)) return undefined;
    return {
      name,
      probe: () => 0,
      reset: ({ function: silicon }) => {
        silicon.reset('bus');
        return 0;
      },
    };
  }

  /**
   * The message that the host allocated, which is in the function's registers after the operation. Those of MSI-X are in
   * a table that is not recorded; any will do.
   */
  interruptMessage(device: PciDevice, kind: VectorKind, vector: number): InterruptMessage {
    if (kind === 'msix') return { low: LOCAL_APIC, high: 0, data: vector };
    const bytes = this.registersAfter(device);
    const at = device.findCapability(PCI_CAP_ID_MSI);
    const wide = (bytes.readUInt16LE(at + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_64BIT) !== 0;
    return {
      low: bytes.readUInt32LE(at + PCI_MSI_ADDRESS_LO),
      high: wide ? bytes.readUInt32LE(at + PCI_MSI_ADDRESS_HI) : 0,
      data: bytes.readUInt16LE(at + (wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32)),
    };
  }

  /** The interrupt layers of other architectures in these kernels can't add vectors while MSI-X is on. */
  msixDynamic(): boolean {
    return this.facts.arch === 'x86_64';
  }

  /** A function on a root bus that is said to be reset by its bus can only be so by its hotplug slot. */
  probeSlotReset({ bus, address }: PciDevice): number {
    const slot = address.toString().replace(/\.\d$/, '');
    return bus.isRoot && this.facts.slots.has(slot) ? 0 : -ENOTTY;
  }

  resetSlot({ slot }: PciDevice): number {
    for (const { function: silicon } of slot.devices) silicon.reset('bus');
    return 0;
  }

  secondaryBusReset(): number {
    const ret = this.#result('PCI_HOT_RESET') ?? this.#result('RESET');
    // A link that did not come back once never does; one that did may be asked again.
    if (ret === -ENOTTY) this.#linkStaysDown = true;
    else if (ret === 0) this.#linkStaysDown = false;
    if (!this.#linkStaysDown) return 0;
    this.answers += 1;
    return -ENOTTY;
  }

  #result(command: string): number | undefined {
    const { op } = this;
    if (op?.op !== 'ioctl' || op.cmd !== command || typeof op.ret !== 'number') return undefined;
    return op.ret;
  }
}
