import { EAGAIN, EINVAL, ENOTTY } from '@vfiokit/uapi';
import {
  PCI_AF_CAP,
  PCI_AF_CAP_FLR,
  PCI_AF_CAP_TP,
  PCI_AF_CTRL,
  PCI_AF_CTRL_FLR,
  PCI_CAP_ID_AF,
  PCI_CAP_ID_PM,
  PCI_COMMAND,
  PCI_D0,
  PCI_D3hot,
  PCI_EXP_DEVCAP,
  PCI_EXP_DEVCAP_FLR,
  PCI_EXP_DEVCTL,
  PCI_EXP_DEVCTL_BCR_FLR,
  PCI_EXP_DEVSTA,
  PCI_PM_CTRL,
  PCI_PM_CTRL_NO_SOFT_RESET,
  PCI_PM_CTRL_STATE_MASK,
} from '../regs/index.js';
import { restoreAfterReset, saveAndDisable } from './around-reset.js';
import { resetSecondaryBus } from './bus-reset.js';
import type { PciDevice } from './pci-device.js';

/** One way to reset a function (struct pci_reset_fn_method). */
export interface ResetMethod {
  /** As sysfs's `reset_method` writes it. */
  readonly name: string;
  /** 0 if the function can be reset this way, else `-ENOTTY` or another negated errno. */
  probe(device: PciDevice): number;
  /** 0; `-ENOTTY` to let the next method try; any other negated errno ends the attempts. */
  reset(device: PciDevice): number;
}

/** The names that the kernel knows, in the order in which it tries them (drivers/pci/pci.c: pci_reset_fn_methods). */
export const RESET_METHOD_NAMES = [
  'device_specific',
  'acpi',
  'flr',
  'af_flr',
  'pm',
  'bus',
  'cxl_bus',
] as const;

/** Function level reset of PCI Express (pcie_reset_flr). */
const FLR: ResetMethod = {
  name: 'flr',
  probe: (device) =>
    device.quirks.noFlr !== true &&
    (device.express.read32(PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLR) !== 0
      ? 0
      : -ENOTTY,
  reset(device) {
    const { config, express } = device;
    if (this.probe(device) !== 0) return -ENOTTY;
    // Transactions that are under way are waited for, as far as they say that they are.
    config.read(express.at + PCI_EXP_DEVSTA, 2);
    const control = config.read(express.at + PCI_EXP_DEVCTL, 2);
    config.write(express.at + PCI_EXP_DEVCTL, 2, control | PCI_EXP_DEVCTL_BCR_FLR);
    return awaitReady(device);
  },
};

/** Function level reset of Advanced Features (pci_af_flr). */
const AF_FLR: ResetMethod = {
  name: 'af_flr',
  probe(device) {
    const at = device.findCapability(PCI_CAP_ID_AF);
    if (at === 0 || device.quirks.noFlr === true) return -ENOTTY;
    const capabilities = device.config.read(at + PCI_AF_CAP, 1);
    const wanted = PCI_AF_CAP_TP | PCI_AF_CAP_FLR;
    return (capabilities & wanted) === wanted ? 0 : -ENOTTY;
  },
  reset(device) {
    if (this.probe(device) !== 0) return -ENOTTY;
    const at = device.findCapability(PCI_CAP_ID_AF);
    device.config.read(at + PCI_AF_CTRL, 2);
    device.config.write(at + PCI_AF_CTRL, 1, PCI_AF_CTRL_FLR);
    return awaitReady(device);
  },
};

/** Through D3hot and back, of a function that forgets its registers on the way (pci_pm_reset). */
const PM: ResetMethod = {
  name: 'pm',
  probe(device) {
    const at = device.findCapability(PCI_CAP_ID_PM);
    if (at === 0 || device.quirks.noPmReset === true) return -ENOTTY;
    const control = device.config.read(at + PCI_PM_CTRL, 2);
    return (control & PCI_PM_CTRL_NO_SOFT_RESET) === 0 ? 0 : -ENOTTY;
  },
  reset(device) {
    const error = this.probe(device);
    if (error !== 0) return error;
    if (device.currentState !== PCI_D0) return -EINVAL;
    const at = device.findCapability(PCI_CAP_ID_PM) + PCI_PM_CTRL;
    const control = device.config.read(at, 2) & ~PCI_PM_CTRL_STATE_MASK;
    device.config.write(at, 2, control | PCI_D3hot);
    device.config.write(at, 2, control | PCI_D0);
    return awaitReady(device);
  },
};

/** By its slot or its bus, if nobody else is in it (pci_reset_bus_function). */
const BUS: ResetMethod = {
  name: 'bus',
  probe: (device) => (slotProbe(device) === 0 ? 0 : busProbe(device)),
  reset(device) {
    if (slotProbe(device) === 0)
      return device.platform.resetSlot?.(device) ?? resetSecondaryBus(device.bus);
    return busProbe(device) === 0 ? resetSecondaryBus(device.bus) : -ENOTTY;
  },
};

/** pci_dev_reset_slot_function. */
function slotProbe(device: PciDevice): number {
  const alone = !device.isMultifunction && device.subordinate === undefined;
  return alone ? device.probeSlotReset() : -ENOTTY;
}

/**
 * pci_parent_bus_reset. A function is probed before it is on its bus, so that the first of several is said to have the
 * method too, which then answers -ENOTTY.
 */
function busProbe(device: PciDevice): number {
  const { bus, subordinate, quirks } = device;
  const isPossible = bus.self !== undefined && subordinate === undefined && !quirks.noBusReset;
  return isPossible && bus.devices.every((other) => other === device) ? 0 : -ENOTTY;
}

/** What comes back after a reset answers again at once; a function that is gone reads all-ones (pci_dev_wait). */
function awaitReady(device: PciDevice): number {
  return device.config.read(PCI_COMMAND, 4) === 0xffffffff ? -ENOTTY : 0;
}

const OWN_METHODS: Readonly<Record<string, ResetMethod>> = {
  flr: FLR,
  af_flr: AF_FLR,
  pm: PM,
  bus: BUS,
};

/**
 * The methods of a function: those that are named, in that order, or all that say they can, in the kernel's order
 * (pci_init_reset_methods). A name that nobody knows stands for a method that cannot.
 */
export function chooseResetMethods(
  device: PciDevice,
  names: readonly string[] | undefined,
): readonly ResetMethod[] {
  const find = (name: string) =>
    device.platform.resetMethod?.(device, name) ?? OWN_METHODS[name] ?? impossible(name);
  if (names !== undefined) return names.map(find);
  return RESET_METHOD_NAMES.map(find).filter((method) => method.probe(device) === 0);
}

function impossible(name: string): ResetMethod {
  return { name, probe: () => -ENOTTY, reset: () => -ENOTTY };
}

/** Runs the methods in order; without a save before and a restore after (__pci_reset_function_locked). */
export function resetFunctionLocked(device: PciDevice): number {
  for (const method of device.resetMethods) {
    const result = method.reset(device);
    if (result !== -ENOTTY) return result;
  }
  return -ENOTTY;
}

/** Saves, resets and restores a function whose lock can be had at once (pci_try_reset_function). */
export function tryResetFunction(device: PciDevice): number {
  if (device.resetMethods.length === 0) return -ENOTTY;
  if (!device.tryLock()) return -EAGAIN;
  saveAndDisable(device);
  const result = resetFunctionLocked(device);
  restoreAfterReset(device);
  device.unlock();
  return result;
}
