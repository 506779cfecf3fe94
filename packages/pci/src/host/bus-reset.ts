import { EAGAIN, ENOTTY } from '@vfiokit/uapi';
import { PCI_BRIDGE_CONTROL, PCI_BRIDGE_CTL_BUS_RESET } from '../regs/index.js';
import { restoreAfterReset, saveAndDisable } from './around-reset.js';
import type { PciBus } from './pci-bus.js';
import type { PciDevice } from './pci-device.js';

/** 0 if the functions of a slot can be reset together by their hotplug driver, else `-ENOTTY` (pci_probe_reset_slot). */
export function probeSlotReset(device: PciDevice): number {
  const { slot, bus } = device;
  if (slot === undefined || forbidsReset(bus, slot.devices)) return -ENOTTY;
  return device.platform.probeSlotReset?.(device) ?? -ENOTTY;
}

/** 0 if a bus can be reset by its bridge, else `-ENOTTY` (pci_probe_reset_bus). */
export function probeBusReset({ bus }: PciDevice): number {
  return bus.self === undefined || forbidsReset(bus, bus.devices) ? -ENOTTY : 0;
}

/**
 * Resets the slot or the bus of a function, with everything on and below it saved before and restored after
 * (pci_reset_bus). 0; `-EAGAIN` if some lock is held; `-ENOTTY`, also if the link does not come back.
 */
export function tryResetSlotOrBus(device: PciDevice): number {
  const bySlot = probeSlotReset(device) === 0;
  if (!bySlot && probeBusReset(device) !== 0) return -ENOTTY;
  const { bus } = device;
  const affected = bySlot ? device.slot!.devices : bus.devices;
  const locked = tryLockAll(bySlot ? undefined : bus.self, affected);
  if (locked === undefined) return -EAGAIN;
  for (const function_ of affected) saveTree(function_);
  const result = bySlot
    ? (device.platform.resetSlot?.(device) ?? resetSecondaryBus(bus))
    : resetSecondaryBus(bus);
  for (const function_ of affected) restoreTree(function_);
  for (const function_ of locked.reverse()) function_.unlock();
  return result;
}

/** Sets and clears the bridge's reset bit, nothing else (pci_bridge_secondary_bus_reset). */
export function resetSecondaryBus(bus: PciBus): number {
  const bridge = bus.self;
  if (bridge === undefined) return -ENOTTY;
  const control = bridge.config.read(PCI_BRIDGE_CONTROL, 2);
  bridge.config.write(PCI_BRIDGE_CONTROL, 2, control | PCI_BRIDGE_CTL_BUS_RESET);
  bridge.config.write(PCI_BRIDGE_CONTROL, 2, control & ~PCI_BRIDGE_CTL_BUS_RESET);
  return bridge.platform.secondaryBusReset?.(bridge) ?? 0;
}

/** A function that does not survive a bus reset keeps the whole bus from it (pci_bus_resettable). */
function forbidsReset(bus: PciBus, devices: readonly PciDevice[]): boolean {
  if (bus.self?.quirks.noBusReset === true) return true;
  return devices.some(
    ({ quirks, subordinate }) =>
      quirks.noBusReset === true ||
      (subordinate !== undefined && forbidsReset(subordinate, subordinate.devices)),
  );
}

/** Locks a bridge and everything on and below a bus, or nothing. */
function tryLockAll(
  bridge: PciDevice | undefined,
  devices: readonly PciDevice[],
): PciDevice[] | undefined {
  const wanted = [...(bridge === undefined ? [] : [bridge]), ...devices.flatMap(withDescendants)];
  const locked: PciDevice[] = [];
  for (const device of wanted) {
    if (device.tryLock()) {
      locked.push(device);
      continue;
    }
    for (const done of locked.reverse()) done.unlock();
    return undefined;
  }
  return locked;
}

function withDescendants(device: PciDevice): PciDevice[] {
  return [device, ...(device.subordinate?.devices ?? []).flatMap(withDescendants)];
}

function saveTree(device: PciDevice): void {
  saveAndDisable(device);
  for (const below of device.subordinate?.devices ?? []) saveTree(below);
}

function restoreTree(device: PciDevice): void {
  restoreAfterReset(device);
  for (const below of device.subordinate?.devices ?? []) restoreTree(below);
}
