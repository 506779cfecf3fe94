import type { PciDevice, RegisterBlock } from '@vfiokit/pci';

/** A node of the firmware's device tree, as far as NVLink2 reads it. */
export interface DeviceTreeNode {
  /** Properties that are lists of numbers, such as `ibm,device-tgt-addr`. */
  readonly properties: Readonly<Record<string, readonly bigint[]>>;
  /** Properties that name other nodes, such as `memory-region`. */
  readonly references?: Readonly<Record<string, DeviceTreeNode>>;
}

/** An NVLink2 bridge that leads to a GPU. */
export interface NvlinkBridge {
  readonly node: DeviceTreeNode;
  /** The host bridge above it, which has the ATSD registers. */
  readonly hostBridge: DeviceTreeNode;
}

/** What a POWER9 machine knows of its NVLink2 links; ids of functions do not tell. */
export interface NvlinkPlatform {
  /** The first bridge that a GPU's links end in; undefined for a function without links (pnv_pci_get_npu_dev). */
  npuOf(gpu: PciDevice): DeviceTreeNode | undefined;
  /** A bridge as firmware describes it; undefined unless it leads to a GPU (pnv_pci_get_gpu_dev). */
  bridge(pdev: PciDevice): NvlinkBridge | undefined;
  /** Physical memory; undefined where there is none. */
  memory(address: bigint, length: number): RegisterBlock | undefined;
  /** Bytes of a page. */
  readonly pageSize: number;
  /** Lets the GPU translate addresses of a virtual machine; 0 or a negated errno (pnv_npu2_map_lpar_dev). */
  mapPartition?(gpu: PciDevice, vm: object): number;
  unmapPartition?(gpu: PciDevice): void;
  /** Makes mapped GPU memory known to the IOMMU, so that devices may write to it; 0 or a negated errno (mm_iommu_newdev). */
  registerDeviceMemory?(base: bigint, length: number): number;
  unregisterDeviceMemory?(base: bigint): void;
}

/** A number of a property; undefined without the property or at a place that it does not have. */
export function property(node: DeviceTreeNode, name: string, index = 0): bigint | undefined {
  return node.properties[name]?.[index];
}
