import {
  PCI_EXT_CAP_ID_SRIOV,
  PCI_SRIOV_CTRL,
  PCI_SRIOV_CTRL_MSE,
  PCI_SRIOV_CTRL_VFE,
  PCI_SRIOV_NUM_VF,
  walkExtendedCapabilities,
} from '@vfiokit/pci';

/** VF Enable and VF Memory Space Enable. */
export const SRIOV_ENABLED = PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE;

/** Where the SR-IOV capability is; undefined without one. */
export function sriovOf(config: Uint8Array): number | undefined {
  return walkExtendedCapabilities(config).capabilities.find(({ id }) => id === PCI_EXT_CAP_ID_SRIOV)
    ?.at;
}

/** Takes the VFs of a PF away, in its registers: what any reset does, and how the PF was before they were enabled. */
export function disableVfs(config: Uint8Array): Uint8Array {
  const sriov = sriovOf(config);
  if (sriov === undefined) return config;
  config[sriov + PCI_SRIOV_CTRL]! &= ~SRIOV_ENABLED;
  config.fill(0, sriov + PCI_SRIOV_NUM_VF, sriov + PCI_SRIOV_NUM_VF + 2);
  return config;
}
