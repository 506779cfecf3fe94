/** Parameters of the vfio-pci module (vfio_pci.c). Those marked latched count when a device is bound. */
export interface ModuleParameters {
  /** Latched: treat DisINTx as broken everywhere. */
  nointxmask: boolean;
  /** No access to legacy VGA. */
  disable_vga: boolean;
  /** Latched: bound, unused devices stay in D0. */
  disable_idle_d3: boolean;
  /** VFs may be enabled through sysfs. */
  enable_sriov: boolean;
  /** Devices on the denylist may be bound. */
  disable_denylist: boolean;
  /** `vendor:device[:subvendor[:subdevice[:class[:class_mask]]]]` in hex, separated by commas. */
  ids: string;
}

export const DEFAULT_PARAMETERS: Readonly<ModuleParameters> = {
  nointxmask: false,
  disable_vga: false,
  disable_idle_d3: false,
  enable_sriov: false,
  disable_denylist: false,
  ids: '',
};

/** How the modelled kernel was built, where a user can tell. */
export interface KernelConfig {
  /** CONFIG_VFIO_PCI_INTX: off on s390. */
  readonly intx: boolean;
  /** CONFIG_VFIO_PCI_VGA. */
  readonly vga: boolean;
  /** CONFIG_VFIO_PCI_MMAP: off on s390 before Linux 6.16 or so. */
  readonly mmap: boolean;
  /** The highest number of VFIO_DEVICE_FEATURE that the kernel knows. */
  readonly newestFeature: number;
  /** CONFIG_VFIO_PCI_DMABUF. */
  readonly dmabuf: boolean;
  /** Bytes of a page. */
  readonly pageSize: number;
}

/** An x86-64 distribution kernel. */
export const DEFAULT_KERNEL: KernelConfig = {
  intx: true,
  vga: true,
  mmap: true,
  newestFeature: 12,
  dmabuf: true,
  pageSize: 4096,
};
