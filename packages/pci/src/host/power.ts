import { EINVAL, EIO } from '@vfiokit/uapi';
import {
  PCI_BASE_ADDRESS_0,
  PCI_COMMAND,
  PCI_COMMAND_MEMORY,
  PCI_D0,
  PCI_D1,
  PCI_D2,
  PCI_D3cold,
  PCI_D3hot,
  PCI_PM_CAP_D1,
  PCI_PM_CAP_D2,
  PCI_PM_CTRL,
  PCI_PM_CTRL_NO_SOFT_RESET,
  PCI_PM_CTRL_STATE_MASK,
  PCI_PM_PMC,
} from '../regs/index.js';
import type { PciDevice } from './pci-device.js';
import { IORESOURCE_UNSET, type PciResource } from './pci-resource.js';

const NOTHING_THERE = 0xffff;

/** The D-state of a function as the PCI core tracks it (drivers/pci/pci.c: pci_set_power_state and below). */
export class Power {
  /** Tracked, not read back: 0 to 4, or 5 for unknown. */
  current: number;
  readonly #pmcsr: number;
  readonly #hasD1: boolean;
  readonly #hasD2: boolean;

  constructor(
    private readonly device: PciDevice,
    private readonly pmCap: number,
    initial: number,
  ) {
    this.current = initial;
    this.#pmcsr = pmCap + PCI_PM_CTRL;
    const pmc = pmCap === 0 ? 0 : device.config.read(pmCap + PCI_PM_PMC, 2);
    this.#hasD1 = pmc > 0 && (pmc & PCI_PM_CAP_D1) !== 0;
    this.#hasD2 = pmc > 0 && (pmc & PCI_PM_CAP_D2) !== 0;
  }

  /** Reads the state back where it can be (pci_update_current_state). */
  update(assumed: number): void {
    if (this.pmCap === 0) {
      this.current = assumed;
      return;
    }
    const pmcsr = this.#read();
    this.current = pmcsr === NOTHING_THERE ? PCI_D3cold : pmcsr & PCI_PM_CTRL_STATE_MASK;
  }

  /** 0 or a negated errno; 0 also where the kernel quietly does nothing. */
  set(wanted: number): number {
    const state = Math.max(PCI_D0, Math.min(wanted, PCI_D3cold));
    const { device } = this;
    if ((state === PCI_D1 || state === PCI_D2) && device.quirks.noD1D2 === true) return 0;
    if (this.current === state) return 0;
    if (state === PCI_D0) return this.#setFull();
    if (state >= PCI_D3hot && device.quirks.noD3 === true) return 0;
    const error = this.#setLow(state === PCI_D3cold ? PCI_D3hot : state);
    if (this.#platform(state) !== 0) return error;
    this.update(state);
    return 0;
  }

  /** pci_set_full_power_state. */
  #setFull(): number {
    const result = this.#powerUp();
    if (result < 0) return this.current === PCI_D0 ? 0 : result;
    this.current = this.#read() & PCI_PM_CTRL_STATE_MASK;
    // The function may have gone through an internal reset and have lost its addresses.
    if (this.current === PCI_D0 && result > 0) this.#restoreBars();
    return 0;
  }

  /** pci_power_up: 1 if the function may have lost its registers. */
  #powerUp(): number {
    this.#platform(PCI_D0);
    if (this.pmCap === 0) {
      this.current = PCI_D0;
      return -EIO;
    }
    const pmcsr = this.#read();
    if (pmcsr === NOTHING_THERE) {
      this.current = PCI_D3cold;
      return -EIO;
    }
    const state = pmcsr & PCI_PM_CTRL_STATE_MASK;
    const lost =
      (state === PCI_D3hot || this.current >= PCI_D3hot) &&
      (pmcsr & PCI_PM_CTRL_NO_SOFT_RESET) === 0;
    if (state !== PCI_D0) this.device.config.write(this.#pmcsr, 2, 0);
    this.current = PCI_D0;
    return lost ? 1 : 0;
  }

  /** pci_set_low_power_state. */
  #setLow(state: number): number {
    if (this.pmCap === 0) return -EIO;
    if (this.current <= PCI_D3cold && this.current > state) return -EINVAL;
    if ((state === PCI_D1 && !this.#hasD1) || (state === PCI_D2 && !this.#hasD2)) return -EIO;
    if (this.current === PCI_D3cold) return -EIO;
    const pmcsr = this.#read();
    if (pmcsr === NOTHING_THERE) {
      this.current = PCI_D3cold;
      return -EIO;
    }
    this.device.config.write(this.#pmcsr, 2, (pmcsr & ~PCI_PM_CTRL_STATE_MASK) | state);
    this.current = this.#read() & PCI_PM_CTRL_STATE_MASK;
    return 0;
  }

  /** What the machine does besides; 0 if it did something. */
  #platform(state: number): number {
    return this.device.platform.setPowerState?.(this.device, state) ?? -EIO;
  }

  #read(): number {
    const value = this.device.config.read(this.#pmcsr, 2);
    return value < 0 ? NOTHING_THERE : value;
  }

  /** pci_restore_bars. The BARs of a VF read zero and are not its own. */
  #restoreBars(): void {
    const { device } = this;
    if (device.isVirtfn) return;
    for (let index = 0; index < 6; index += 1) updateBar(device, index, device.resources[index]!);
  }
}

/** Writes a resource's address into its register, with decoding off while it is in two halves (pci_std_update_resource). */
function updateBar(device: PciDevice, index: number, resource: PciResource): void {
  const { config } = device;
  if (resource.length === 0 || (resource.flags & IORESOURCE_UNSET) !== 0) return;
  const at = PCI_BASE_ADDRESS_0 + 4 * index;
  const typeBits = resource.flags & (resource.isIo ? 0x3 : 0xf);
  const command = resource.is64Bit ? config.read(PCI_COMMAND, 2) : 0;
  if (resource.is64Bit) config.write(PCI_COMMAND, 2, command & ~PCI_COMMAND_MEMORY);
  config.write(at, 4, Number(resource.start & 0xffffffffn) + typeBits);
  config.read(at, 4);
  if (!resource.is64Bit) return;
  config.write(at + 4, 4, Number(resource.start >> 32n));
  config.read(at + 4, 4);
  config.write(PCI_COMMAND, 2, command);
}
