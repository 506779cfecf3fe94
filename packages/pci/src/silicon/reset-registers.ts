import {
  PCI_AF_CTRL,
  PCI_AF_CTRL_FLR,
  PCI_BRIDGE_CONTROL,
  PCI_BRIDGE_CTL_BUS_RESET,
  PCI_EXP_DEVCAP,
  PCI_EXP_DEVCAP_FLR,
  PCI_EXP_DEVCTL,
  PCI_EXP_DEVCTL_BCR_FLR,
} from '../regs/index.js';
import type { ConfigSpace } from './config-space.js';

/** Where the registers are whose bits reset something; 0 for what the function does not have. */
export interface ResetRegisters {
  readonly express: number;
  readonly advancedFeatures: number;
  readonly isBridge: boolean;
}

/** Who carries out what a write to these registers asks for. */
export interface ResetEffects {
  /** A function level reset was asked for. */
  functionReset(): void;
  /** A bridge begins to reset what is behind it. */
  secondaryReset(): void;
}

/** Makes the bits work that reset something when they are written (PCIe 6.0 6.6.2, 7.5.1.3.13). */
export function attachResetRegisters(
  config: ConfigSpace,
  { express, advancedFeatures, isBridge }: ResetRegisters,
  effects: ResetEffects,
): void {
  if (express !== 0 && (config.peek32(express + PCI_EXP_DEVCAP) & PCI_EXP_DEVCAP_FLR) !== 0)
    config.attach(express + PCI_EXP_DEVCTL, {
      // The bit itself reads 0 at all times, so what counts is that it was written.
      written: ({ value }) => {
        if ((value & PCI_EXP_DEVCTL_BCR_FLR) !== 0) effects.functionReset();
      },
    });
  if (advancedFeatures !== 0)
    config.attach(advancedFeatures + PCI_AF_CTRL, {
      written: ({ value }) => {
        if ((value & PCI_AF_CTRL_FLR) !== 0) effects.functionReset();
      },
    });
  if (isBridge)
    config.attach(PCI_BRIDGE_CONTROL, {
      written: ({ before, after }) => {
        const begun = after & ~before & (PCI_BRIDGE_CTL_BUS_RESET << 16);
        if (begun !== 0) effects.secondaryReset();
      },
    });
}
