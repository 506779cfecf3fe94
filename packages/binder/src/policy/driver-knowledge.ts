/** What management software may ask of a VFIO driver. */
export const FEATURES = [
  'migration',
  'pre-copy',
  'dirty-tracking',
  'p2p',
  'dma-buf',
  'large-bars',
] as const;

export type Feature = (typeof FEATURES)[number];

/** A VFIO driver as a tool knows it without asking a kernel. */
export interface KnownDriver {
  /** As files and the kernel spell the module. */
  readonly module: string;
  /** As the driver is registered. */
  readonly driver: string;
  /** `vendor:device` in lower-case hex; the generic driver has none. */
  readonly ids: readonly string[];
  readonly features: readonly Feature[];
}

/**
 * What a tool knows of drivers by itself: it goes stale with every kernel, which is the weak point of the policies that
 * use it (`id-table`, `arch`) and a help to those that predict (`capability`).
 */
export interface DriverKnowledge {
  readonly drivers: readonly KnownDriver[];
  /** The driver that was to be taken on an architecture, by uname's machine name, while VFIO was split in 2021. */
  readonly architectures: Readonly<Record<string, string>>;
}

const known = (
  module: string,
  driver: string,
  ids: readonly string[],
  features: readonly Feature[] = ['migration'],
): KnownDriver => ({ module, driver, ids, features });

/** The VFIO PCI drivers of Linux 7.2, as their id tables stand there. */
export const LINUX_7_2: DriverKnowledge = {
  drivers: [
    known('vfio_pci', 'vfio-pci', [], ['dma-buf']),
    known(
      'mlx5_vfio_pci',
      'mlx5_vfio_pci',
      ['15b3:101e'],
      ['migration', 'pre-copy', 'dirty-tracking', 'p2p'],
    ),
    known(
      'hisi_acc_vfio_pci',
      'hisi_acc_vfio_pci',
      ['19e5:a251', '19e5:a256', '19e5:a259'],
      ['migration', 'pre-copy'],
    ),
    known('pds_vfio_pci', 'pds_vfio_pci', ['1dd8:1003'], ['migration', 'dirty-tracking', 'p2p']),
    known(
      'virtio_vfio_pci',
      'virtio_vfio_pci',
      ['1af4:1041', '1af4:1042'],
      ['migration', 'pre-copy', 'p2p'],
    ),
    known(
      'nvgrace_gpu_vfio_pci',
      'nvgrace_gpu_vfio_pci',
      ['10de:2342', '10de:2345', '10de:2348', '10de:2941', '10de:31c2'],
      ['large-bars', 'dma-buf'],
    ),
    known(
      'qat_vfio_pci',
      'qat_vfio_pci',
      ['8086:4941', '8086:4943', '8086:4945', '8086:4947', '8086:4949'],
      ['migration', 'pre-copy', 'p2p'],
    ),
    known('xe_vfio_pci', 'xe-vfio-pci', ['8086:b080', '8086:fd80', '8086:e220']),
    known('ism_vfio_pci', 'ism_vfio_pci', ['1014:04ed'], []),
  ],
  architectures: { s390x: 'vfio_pci_zdev', ppc64le: 'vfio_pci_nvlink2' },
};

/** What is known of a driver, by its own name or its module's. */
export function findKnown(knowledge: DriverKnowledge, name: string): KnownDriver | undefined {
  const module = name.replaceAll('-', '_');
  return knowledge.drivers.find((one) => one.driver === name || one.module === module);
}
