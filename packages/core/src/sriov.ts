import { PCI_D0, type PciDevice } from '@vfiokit/pci';
import { EBUSY, EINVAL, ENOENT, ERANGE } from '@vfiokit/uapi';
import type { VfioPciCoreDevice } from './core-device.js';
import type { VfToken } from './vf-token.js';
import type { VfioPciSettings } from './vfio-pci.js';

/**
 * VFs of bound PFs (vfio_pci_core.c: vfio_pci_core_sriov_configure): a PF that has some stays awake in D0, and its VFs
 * fall to its own driver unless somebody says otherwise.
 */
export class SriovControl {
  /** The bound PFs whose VFs were enabled here. */
  readonly #pfs = new Map<PciDevice, VfioPciCoreDevice>();

  constructor(private readonly settings: VfioPciSettings) {}

  /** The token that an opener of a VF has to know, if its PF's VFs were enabled here. */
  tokenFor({ physfn }: PciDevice): VfToken | undefined {
    return physfn && this.#pfs.get(physfn)?.vfToken;
  }

  /**
   * A write to sriov_numvfs (pci_iov.c: sriov_numvfs_store); see {@link VfioPci.setNumVfs}.
   *
   * @param able the PF's driver can have VFs.
   */
  setNumVfs(device: VfioPciCoreDevice, count: number, able: boolean): number {
    const { sriov } = device.pdev;
    if (!Number.isInteger(count) || count < 0) return -EINVAL;
    if (sriov === undefined) return -ENOENT;
    if (count > sriov.totalVfs) return -ERANGE;
    if (count === sriov.numVfs) return 0;
    if (!able) return -ENOENT;
    if (count !== 0 && sriov.numVfs !== 0) return -EBUSY;
    const { parameters, quirks } = this.settings;
    if (!parameters.enable_sriov && !(quirks.sriovDisableAlways && count === 0)) return -ENOENT;
    return count === 0 ? this.disable(device) : this.#enable(device, count);
  }

  /** Takes the VFs away, if there are any; 0. */
  disable(device: VfioPciCoreDevice): number {
    const { pdev } = device;
    if ((pdev.sriov?.numVfs ?? 0) > 0) {
      pdev.sriov?.disable();
      pdev.runtimePm.put();
    }
    device.sriovActive = false;
    this.#pfs.delete(pdev);
    return 0;
  }

  #enable(device: VfioPciCoreDevice, count: number): number {
    const { pdev } = device;
    if (this.#pfs.has(pdev)) return -EINVAL;
    const awake = pdev.runtimePm.get();
    if (awake < 0) return awake;
    this.#pfs.set(pdev, device);
    const error = device.memoryLock.run(() => {
      device.power.set(PCI_D0);
      device.sriovActive = true;
      return pdev.sriov?.enable(count) ?? -ENOENT;
    });
    if (error < 0) {
      pdev.runtimePm.put();
      device.sriovActive = false;
      this.#pfs.delete(pdev);
      return error;
    }
    // A VF of ours must not fall to a host driver (vfio_pci_core.c: vfio_pci_bus_notifier).
    for (const vf of pdev.virtualFunctions) this.settings.overrideDriver(vf, device.opsName);
    return count;
  }
}
