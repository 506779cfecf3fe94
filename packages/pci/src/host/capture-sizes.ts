import { PCI_EXT_CAP_ID_SRIOV, PCI_SRIOV_TOTAL_VF } from '../regs/index.js';
import { walkExtendedCapabilities } from '../silicon/capability-walk.js';
import type { FunctionDescription } from '../silicon/function-description.js';
import {
  IORESOURCE_ROM_SHADOW,
  PCI_IOV_RESOURCES,
  PCI_ROM_RESOURCE,
  type PciResource,
  resourceBars,
  resourceVfBars,
} from './pci-resource.js';

/**
 * Completes a captured function with what its configuration space does not show and its host's resources do: how large
 * BARs, VF BARs and ROM are. What the description says, or a probed write mask, counts more.
 */
export function withSizes(
  description: FunctionDescription,
  resources: readonly PciResource[] | undefined,
): FunctionDescription {
  if (resources === undefined) return description;
  const { config, bars, vfBars, rom, writeMask } = description;
  const isProbed = writeMask !== undefined;
  const totalVfs = resources.length > PCI_IOV_RESOURCES ? totalVfsOf(config) : 0;
  const romSize = sizeOfRom(resources[PCI_ROM_RESOURCE]);
  return {
    ...description,
    ...(bars === undefined && !(isProbed && hasBars(writeMask))
      ? { bars: resourceBars(resources) }
      : {}),
    ...(vfBars === undefined && !isProbed && totalVfs > 0
      ? { vfBars: resourceVfBars(resources, totalVfs) }
      : {}),
    ...(rom === undefined && !isProbed && romSize > 0 ? { rom: romSize } : {}),
  };
}

/** A VF's BARs read zero whatever is written, so that no probe finds them. */
function hasBars(writeMask: Uint8Array): boolean {
  return writeMask.subarray(0x10, 0x28).some((bits) => bits !== 0);
}

/** A copy in RAM is not behind the function's register. */
function sizeOfRom(resource: PciResource | undefined): number {
  if (resource === undefined || (resource.flags & IORESOURCE_ROM_SHADOW) !== 0) return 0;
  return resource.length;
}

function totalVfsOf(config: Uint8Array): number {
  const { capabilities } = walkExtendedCapabilities(config);
  const at = capabilities.find(({ id }) => id === PCI_EXT_CAP_ID_SRIOV)?.at;
  if (at === undefined) return 0;
  return (config[at + PCI_SRIOV_TOTAL_VF] ?? 0) | ((config[at + PCI_SRIOV_TOTAL_VF + 1] ?? 0) << 8);
}
