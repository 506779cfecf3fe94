import {
  PCI_D0,
  PCI_D1,
  PCI_D2,
  PCI_D3hot,
  PCI_PM_CAP_D1,
  PCI_PM_CAP_D2,
  PCI_PM_CTRL,
  PCI_PM_CTRL_NO_SOFT_RESET,
  PCI_PM_CTRL_STATE_MASK,
  PCI_PM_PMC,
} from '../regs/index.js';
import type { ConfigSpace, RegisterEffect, RegisterWrite } from './config-space.js';

/** What a change of power state does to the rest of the function. */
export interface PowerEffects {
  /** The function no longer decodes addresses, or does so again. */
  powerChanged(): void;
  /** D3hot was left for D0, and the function does not keep its registers over that (No_Soft_Reset is 0). */
  softReset(): void;
}

/**
 * The Power Management capability (PCI PM 1.2 chapter 3, PCIe 6.0 7.5.2).
 *
 * A write of a state that the function does not have, or that cannot follow the present one, changes nothing.
 */
export class PowerManagement implements RegisterEffect {
  constructor(
    private readonly config: ConfigSpace,
    private readonly at: number,
    private readonly effects: PowerEffects,
  ) {
    config.attach(at + PCI_PM_CTRL, this);
  }

  /** The D-state, 0 to 3. */
  get state(): number {
    return this.config.peek16(this.at + PCI_PM_CTRL) & PCI_PM_CTRL_STATE_MASK;
  }

  /** The function keeps its registers over D3hot. */
  get noSoftReset(): boolean {
    return (this.config.peek16(this.at + PCI_PM_CTRL) & PCI_PM_CTRL_NO_SOFT_RESET) !== 0;
  }

  written({ before, after }: RegisterWrite): void {
    const from = before & PCI_PM_CTRL_STATE_MASK;
    const to = after & PCI_PM_CTRL_STATE_MASK;
    if (from === to) return;
    if (!this.#allowed(from, to)) {
      this.config.poke16(this.at + PCI_PM_CTRL, (after & ~PCI_PM_CTRL_STATE_MASK) | from);
      return;
    }
    this.effects.powerChanged();
    if (from === PCI_D3hot && !this.noSoftReset) this.effects.softReset();
  }

  #allowed(from: number, to: number): boolean {
    if (to === PCI_D0) return true;
    // Software may only go deeper, or wake the function up.
    if (to < from) return false;
    const pmc = this.config.peek16(this.at + PCI_PM_PMC);
    if (to === PCI_D1) return (pmc & PCI_PM_CAP_D1) !== 0;
    if (to === PCI_D2) return (pmc & PCI_PM_CAP_D2) !== 0;
    return true;
  }
}
