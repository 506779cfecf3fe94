import { EINVAL, EIO } from '@vfiokit/uapi';
import {
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_IO,
  PCI_COMMAND_MASTER,
  PCI_COMMAND_MEMORY,
  PCI_D0,
  PCI_INTERRUPT_PIN,
  PCI_LATENCY_TIMER,
} from '../regs/index.js';
import type { PciDevice } from './pci-device.js';
import { IORESOURCE_UNSET } from './pci-resource.js';

/** The least and the preset latency timer of a conventional bus master (pcibios_set_master). */
const LATENCY_MIN = 16;
const LATENCY_PRESET = 64;

/** Brings a function up and takes it down, counted (pci_enable_device, pci_disable_device). */
export class Enablement {
  #count = 0;

  constructor(
    private readonly device: PciDevice,
    /** Reads the D-state back. */
    private readonly updateState: () => void,
  ) {}

  get count(): number {
    return this.#count;
  }

  enable(): number {
    this.updateState();
    this.#count += 1;
    if (this.#count > 1) return 0;
    const bridge = this.device.bus.self;
    // What is behind a bridge needs the bridge (pci_enable_bridge).
    if (bridge !== undefined) {
      if (bridge.enableCount === 0) bridge.enable();
      bridge.setMaster(true);
    }
    const error = this.#enable();
    if (error < 0) this.#count -= 1;
    return error;
  }

  disable(): void {
    if (this.#count === 0) return;
    this.#count -= 1;
    if (this.#count === 0) this.#change(PCI_COMMAND_MASTER, 0);
  }

  setMaster(on: boolean): void {
    this.#change(PCI_COMMAND_MASTER, on ? PCI_COMMAND_MASTER : 0);
    if (!on || this.device.isPcie) return;
    const latency = this.device.config.read(PCI_LATENCY_TIMER, 1);
    if (latency >= 0 && latency < LATENCY_MIN)
      this.device.config.write(PCI_LATENCY_TIMER, 1, LATENCY_PRESET);
  }

  /** pci_intx: the command register is written only if the bit changes. */
  intx(on: boolean): void {
    this.#change(PCI_COMMAND_INTX_DISABLE, on ? 0 : PCI_COMMAND_INTX_DISABLE);
  }

  /** do_pci_enable_device. */
  #enable(): number {
    const { device } = this;
    const error = device.setPowerState(PCI_D0);
    if (error < 0 && error !== -EIO) return error;
    const wanted = this.#decoding();
    if (wanted < 0) return wanted;
    this.#change(0, wanted);
    if (device.vectorKind !== undefined) return 0;
    if (device.config.read(PCI_INTERRUPT_PIN, 1) > 0) this.intx(true);
    return 0;
  }

  /** The enable bits that the resources need, or `-EINVAL` for one without an address (pci_enable_resources). */
  #decoding(): number {
    let bits = 0;
    // The ROM is decoded only while somebody reads it.
    for (const resource of this.device.resources.slice(0, 6)) {
      if (resource.length === 0) continue;
      if ((resource.flags & IORESOURCE_UNSET) !== 0) return -EINVAL;
      bits |= resource.isIo ? PCI_COMMAND_IO : resource.isMemory ? PCI_COMMAND_MEMORY : 0;
    }
    return bits;
  }

  #change(clear: number, set: number): void {
    const { config } = this.device;
    const before = config.read(PCI_COMMAND, 2);
    const after = (before & ~clear) | set;
    if (before >= 0 && after !== before) config.write(PCI_COMMAND, 2, after);
  }
}
