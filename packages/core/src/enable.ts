import { PCI_COMMAND, PCI_COMMAND_INTX_DISABLE, type SavedState } from '@vfiokit/pci';
import { EAGAIN, VfioError } from '@vfiokit/uapi';
import type { VfioPciCoreDevice } from './core-device.js';
import { hidesIntx } from './hidden-intx.js';
import { resetUnusedSet } from './hot-reset.js';

/** What became known of a function while it was enabled. */
export interface EnabledFunction {
  /** A function reset succeeded, so the device can offer one. */
  readonly resetWorks: boolean;
  /** INTx is hidden from the user. */
  readonly nointx: boolean;
  /** DisINTx works, so the line can be shared (`pci_2_3`). */
  readonly canMaskAtDevice: boolean;
  /** The configuration right after the reset, to which the last close returns. */
  readonly savedState: SavedState | undefined;
}

/**
 * Brings a function up for its first user: awake, no bus mastering, memory and ports decoded, freshly reset
 * (vfio_pci_core.c: vfio_pci_core_enable).
 *
 * @throws VfioError EAGAIN if the function is locked by somebody else, or what waking and enabling failed with; the
 *   function is as it was then.
 */
export function enableFunction(core: VfioPciCoreDevice): EnabledFunction {
  const { pdev, nointxmask } = core;
  if (!core.disableIdleD3) {
    const error = pdev.runtimePm.get();
    if (error < 0) throw VfioError.fromErrno(error, `${pdev.name}: can't be woken`);
  }
  pdev.setMaster(false);
  const enabled = pdev.enable();
  if (enabled < 0) {
    sleep(core);
    throw VfioError.fromErrno(enabled, `${pdev.name}: can't be enabled`);
  }
  // Only a lock that somebody holds is a reason to give up; a reset that does not work is merely remembered.
  const reset = pdev.tryResetFunction();
  if (reset === -EAGAIN) {
    pdev.disable();
    sleep(core);
    throw VfioError.fromErrno(reset, `${pdev.name}: locked while it was to be reset; try again`);
  }
  pdev.saveState();
  const savedState = pdev.storeSavedState();
  const nointx = !nointxmask && hidesIntx(pdev.vendor, pdev.device);
  if (nointx) pdev.intx(false);
  const canMaskAtDevice = !nointxmask && !nointx && pdev.intxMaskable;
  const command = pdev.config.read(PCI_COMMAND, 2);
  if (canMaskAtDevice && (command & PCI_COMMAND_INTX_DISABLE) !== 0)
    pdev.config.write(PCI_COMMAND, 2, command & ~PCI_COMMAND_INTX_DISABLE);
  return { resetWorks: reset === 0, nointx, canMaskAtDevice, savedState };
}

/** Takes back {@link enableFunction} of an open that failed later. */
export function abandonFunction(core: VfioPciCoreDevice): void {
  core.pdev.disable();
  sleep(core);
}

/**
 * Takes a function down after its last user, as close to its state at open as can be
 * (the second half of vfio_pci_core.c: vfio_pci_core_disable).
 */
export function disableFunction(core: VfioPciCoreDevice, enabled: EnabledFunction): void {
  const { pdev } = core;
  core.needsReset = true;
  const loaded = pdev.loadSavedState(enabled.savedState);
  if (loaded < 0 && enabled.resetWorks) pdev.saveState();
  if (loaded >= 0 || enabled.resetWorks) {
    // Nothing may come from the device any more while it is reset.
    pdev.config.write(PCI_COMMAND, 2, PCI_COMMAND_INTX_DISABLE);
    if (enabled.resetWorks && resetBare(core)) core.needsReset = false;
    pdev.restoreState();
  }
  pdev.disable();
  resetUnusedSet(core.deviceSet);
  sleep(core);
}

/** A reset without anything around it, skipped if the function or the bridge above it is locked. */
function resetBare({ pdev }: VfioPciCoreDevice): boolean {
  const bridge = pdev.bus.self;
  if (bridge !== undefined && !bridge.tryLock()) return false;
  try {
    if (!pdev.tryLock()) return false;
    const result = pdev.resetFunctionLocked();
    pdev.unlock();
    return result === 0;
  } finally {
    bridge?.unlock();
  }
}

function sleep({ pdev, disableIdleD3 }: VfioPciCoreDevice): void {
  if (!disableIdleD3) pdev.runtimePm.put();
}
