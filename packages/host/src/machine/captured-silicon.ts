import type { SiliconModel } from '@vfiokit/core';
import { readText, type Sysfs } from '@vfiokit/driver-model';
import {
  type BarDescription,
  type FunctionDescription,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_CFG_SPACE_SIZE,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_COMMAND_MASTER,
  PCI_EXT_CAP_ID_SRIOV,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_ENABLE,
  PCI_SRIOV_CTRL,
  PCI_SRIOV_NUM_VF,
  PCI_SRIOV_TOTAL_VF,
  PciAddress,
  type PciResource,
  readSysfsConfig,
  readSysfsResource,
  walkCapabilities,
  walkExtendedCapabilities,
} from '@vfiokit/pci';

const BARS = 6;
const ROM = 6;
const FIRST_VF_BAR = 7;

/**
 * The functions of a capture as silicon: their configuration space and how large their BARs are, where both were captured
 * whole. What a driver had switched on (bus mastering, MSI, MSI-X,
 * VFs) is off: on a model the drivers come afterwards.
 */
export async function capturedSilicon(sysfs: Sysfs): Promise<SiliconModel> {
  const functions = new Map<string, FunctionDescription>();
  const listed = await sysfs.list('/sys/bus/pci/devices');
  for (const name of typeof listed === 'number' ? [] : listed) {
    const address = PciAddress.tryParse(name);
    const found = address === undefined ? undefined : await readFunction(sysfs, name);
    if (found !== undefined) functions.set(name, found);
  }
  return { describe: (name, description) => functions.get(name) ?? description };
}

async function readFunction(sysfs: Sysfs, name: string): Promise<FunctionDescription | undefined> {
  const folder = `/sys/bus/pci/devices/${name}`;
  const bytes = await sysfs.read(`${folder}/config`);
  const text = await readText(sysfs, `${folder}/resource`);
  if (typeof bytes === 'number' || typeof text === 'number') return undefined;
  if (bytes.length < PCI_CFG_SPACE_SIZE) return undefined;
  const resources = readSysfsResource(text, `${folder}/resource`);
  const { description } = readSysfsConfig(asleep(bytes), `${folder}/config`);
  const rom = resources[ROM]?.length ?? 0;
  const totalVfs = totalVfsOf(bytes);
  return {
    ...description,
    bars: resources.slice(0, BARS).map((one) => barOf(one, 1)),
    ...(rom === 0 ? {} : { rom }),
    ...(totalVfs === 0
      ? {}
      : { vfBars: resources.slice(FIRST_VF_BAR).map((one) => barOf(one, totalVfs)) }),
  };
}

/** A BAR that is as long as its resource; those of VFs lie behind each other in one. */
function barOf(resource: PciResource, shares: number): BarDescription | undefined {
  if (resource.length === 0) return undefined;
  return {
    size: resource.length / shares,
    kind: resource.isIo ? 'io' : 'memory',
    is64Bit: resource.is64Bit,
    prefetchable: resource.isPrefetchable,
  };
}

/** A configuration space in which no driver has switched anything on. */
function asleep(captured: Uint8Array): Uint8Array {
  const config = captured.slice();
  const view = new DataView(config.buffer);
  const clear = (offset: number, bits: number) =>
    view.setUint16(offset, view.getUint16(offset, true) & ~bits, true);
  for (const { id, at } of walkCapabilities(config).capabilities) {
    if (id === PCI_CAP_ID_MSI) clear(at + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE);
    if (id === PCI_CAP_ID_MSIX) clear(at + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE);
  }
  clear(PCI_COMMAND, PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
  const sriov = sriovOf(config);
  if (sriov !== undefined) {
    view.setUint16(sriov + PCI_SRIOV_CTRL, 0, true);
    view.setUint16(sriov + PCI_SRIOV_NUM_VF, 0, true);
  }
  return config;
}

function sriovOf(config: Uint8Array): number | undefined {
  return walkExtendedCapabilities(config).capabilities.find(({ id }) => id === PCI_EXT_CAP_ID_SRIOV)
    ?.at;
}

function totalVfsOf(config: Uint8Array): number {
  const at = sriovOf(config);
  if (at === undefined) return 0;
  const view = new DataView(config.buffer, config.byteOffset, config.byteLength);
  return view.getUint16(at + PCI_SRIOV_TOTAL_VF, true);
}
