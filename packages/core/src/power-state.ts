import type { PciDevice, SavedState } from '@vfiokit/pci';
import { EBUSY } from '@vfiokit/uapi';

const D3_HOT = 3;

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
    if (state > 0 && this.sriovActive()) return -EBUSY;
    let saved = false;
    let restore = false;
    if (needsRestore) {
      if (pdev.currentState < D3_HOT && state >= D3_HOT) {
        pdev.saveState();
        saved = true;
      }
      restore = pdev.currentState >= D3_HOT && state === 0;
    }
    const error = pdev.setPowerState(state);
    if (error < 0) return error;
    if (saved && pdev.currentState >= D3_HOT) {
      this.#saved = pdev.storeSavedState();
    } else if (restore) {
      pdev.loadSavedState(this.#saved);
      this.#saved = undefined;
      pdev.restoreState();
    }
    return 0;
  }
}
