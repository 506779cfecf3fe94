import { PCI_D0, PCI_D3hot, type PciDevice, type SavedState } from '@vfiokit/pci';
import { EBUSY } from '@vfiokit/uapi';

/**
 * The D-state of a bound function. A function that forgets its configuration on the way back from D3hot
 * (No_Soft_Reset is 0) has it saved before and restored after (vfio_pci_core.c: vfio_pci_set_power_state).
 */
export class PowerState {
  #saved: SavedState | undefined;

  constructor(
    private readonly pdev: PciDevice,
    /** The function loses its configuration in D3hot. */
    readonly needsRestore: boolean,
    /** A PF with VFs must not leave D0. */
    private readonly sriovActive: () => boolean,
  ) {}

  /** 0 or a negated errno: `-EBUSY` for a PF with VFs, else what the host answers. */
  set(state: number): number {
    const { pdev, needsRestore } = this;
    if (state > PCI_D0 && this.sriovActive()) return -EBUSY;
    let saved = false;
    let restore = false;
    if (needsRestore) {
      if (pdev.currentState < PCI_D3hot && state >= PCI_D3hot) {
        pdev.saveState();
        saved = true;
      }
      restore = pdev.currentState >= PCI_D3hot && state === PCI_D0;
    }
    const error = pdev.setPowerState(state);
    if (error < 0) return error;
    if (saved && pdev.currentState >= PCI_D3hot) {
      this.#saved = pdev.storeSavedState();
    } else if (restore) {
      pdev.loadSavedState(this.#saved);
      this.#saved = undefined;
      pdev.restoreState();
    }
    return 0;
  }
}
