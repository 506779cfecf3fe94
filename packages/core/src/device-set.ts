import type { PciDevice } from '@vfiokit/pci';
import type { VfioPciCoreDevice } from './core-device.js';

/** Devices that are reset together: those of one slot or bus, or one alone (vfio_main.c: struct vfio_device_set). */
export interface DeviceSet {
  /** In order of registration. */
  readonly members: VfioPciCoreDevice[];
}

/** The device sets of a host, found by what their members share. */
export class DeviceSets {
  readonly #sets = new Map<unknown, DeviceSet>();

  /** Puts a device into its set (vfio_pci_core.c: vfio_pci_core_register_device). */
  join(device: VfioPciCoreDevice): DeviceSet {
    const id = setId(device.pdev);
    let set = this.#sets.get(id);
    if (set === undefined) {
      set = { members: [] };
      this.#sets.set(id, set);
    }
    set.members.push(device);
    return set;
  }

  leave(device: VfioPciCoreDevice): void {
    const id = setId(device.pdev);
    const set = this.#sets.get(id);
    if (set === undefined) return;
    const index = set.members.indexOf(device);
    if (index !== -1) set.members.splice(index, 1);
    if (set.members.length === 0) this.#sets.delete(id);
  }
}

/** A VF resets alone, as does a function on a root bus; elsewhere the slot is the smallest that does, or the bus. */
function setId(pdev: PciDevice): unknown {
  if (pdev.bus.isRoot || pdev.isVirtfn) return pdev;
  return pdev.probeSlotReset() === 0 ? pdev.slot : pdev.bus;
}
