import {
  PCI_SRIOV_CTRL,
  PCI_SRIOV_CTRL_MSE,
  PCI_SRIOV_CTRL_VFE,
  PCI_SRIOV_NUM_VF,
  PCI_SRIOV_TOTAL_VF,
  PCI_SRIOV_VF_OFFSET,
  PCI_SRIOV_VF_STRIDE,
} from '../regs/index.js';
import type { ConfigSpace, RegisterEffect, RegisterWrite } from './config-space.js';

/** What SR-IOV does to the rest of the machine. */
export interface SriovEffects {
  /** VF Enable was set with this many VFs, or was cleared (0). */
  virtualFunctionsChanged(count: number): void;
  /** VF Memory Space Enable changed. */
  memoryChanged(): void;
}

/** The SR-IOV capability of a physical function (PCIe 6.0 9.3.3). */
export class SriovCapability implements RegisterEffect {
  constructor(
    private readonly config: ConfigSpace,
    readonly at: number,
    private readonly effects: SriovEffects,
  ) {
    config.attach(at + PCI_SRIOV_CTRL, this);
    config.attach(at + PCI_SRIOV_NUM_VF, {
      // NumVFs must not change while VFs exist; hardware keeps the old value.
      written: ({ before }) => {
        if (this.enabled) config.poke32(at + PCI_SRIOV_NUM_VF, before);
      },
    });
  }

  get totalVfs(): number {
    return this.config.peek16(this.at + PCI_SRIOV_TOTAL_VF);
  }

  /** VFs exist. */
  get enabled(): boolean {
    return (this.#control & PCI_SRIOV_CTRL_VFE) !== 0;
  }

  /** The VFs decode memory. */
  get memoryEnabled(): boolean {
    return (this.#control & PCI_SRIOV_CTRL_MSE) !== 0;
  }

  /** How far a VF's routing id is from its PF's; VFs count from 0. */
  routingOffset(vf: number): number {
    return (
      this.config.peek16(this.at + PCI_SRIOV_VF_OFFSET) +
      vf * this.config.peek16(this.at + PCI_SRIOV_VF_STRIDE)
    );
  }

  written({ before, after }: RegisterWrite): void {
    const changed = before ^ after;
    if ((changed & PCI_SRIOV_CTRL_VFE) !== 0)
      this.effects.virtualFunctionsChanged(this.enabled ? this.#granted : 0);
    if ((changed & PCI_SRIOV_CTRL_MSE) !== 0) this.effects.memoryChanged();
  }

  get #control(): number {
    return this.config.peek16(this.at + PCI_SRIOV_CTRL);
  }

  get #granted(): number {
    return Math.min(this.config.peek16(this.at + PCI_SRIOV_NUM_VF), this.totalVfs);
  }
}
