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

  /** Takes a device out of the set that it joined, whatever its slot can do by now. */
  leave(device: VfioPciCoreDevice): void {
    for (const [id, { members }] of this.#sets) {
      const index = members.indexOf(device);
      if (index === -1) continue;
      members.splice(index, 1);
      if (members.length === 0) this.#sets.delete(id);
      return;
    }
  }
}

/** A VF resets alone, as does a function on a root bus; elsewhere the slot is the smallest that does, or the bus. */
function setId(pdev: PciDevice): unknown {
  if (pdev.bus.isRoot || pdev.isVirtfn) return pdev;
  return pdev.probeSlotReset() === 0 ? pdev.slot : pdev.bus;
}
