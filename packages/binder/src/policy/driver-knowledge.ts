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
  /** The native drivers of PFs that it works with, and what it does with a VF whose PF has another one. */
  readonly pf?: { readonly drivers: readonly string[]; readonly otherwise: 'refuses' | 'plain' };
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
  pf?: KnownDriver['pf'],
): KnownDriver => ({ module, driver, ids, features, ...(pf && { pf }) });

/** The VFIO PCI drivers of Linux 7.2, as their id tables stand there. */
export const LINUX_7_2: DriverKnowledge = {
  drivers: [
    known('vfio_pci', 'vfio-pci', [], ['dma-buf']),
    known(
      'mlx5_vfio_pci',
      'mlx5_vfio_pci',
      ['15b3:101e'],
      ['migration', 'pre-copy', 'dirty-tracking', 'p2p'],
      { drivers: ['mlx5_core'], otherwise: 'plain' },
    ),
    known(
      'hisi_acc_vfio_pci',
      'hisi_acc_vfio_pci',
      ['19e5:a251', '19e5:a256', '19e5:a259'],
      ['migration', 'pre-copy'],
      { drivers: ['hisi_zip', 'hisi_sec2', 'hisi_hpre'], otherwise: 'plain' },
    ),
    known('pds_vfio_pci', 'pds_vfio_pci', ['1dd8:1003'], ['migration', 'dirty-tracking', 'p2p'], {
      drivers: ['pds_core'],
      otherwise: 'refuses',
    }),
    known(
      'virtio_vfio_pci',
      'virtio_vfio_pci',
      ['1af4:1041', '1af4:1042'],
      ['migration', 'pre-copy', 'p2p'],
      { drivers: ['virtio-pci'], otherwise: 'plain' },
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
      { drivers: ['4xxx', '420xx', '6xxx'], otherwise: 'refuses' },
    ),
    known('xe_vfio_pci', 'xe-vfio-pci', ['8086:b080', '8086:fd80', '8086:e220'], ['migration'], {
      drivers: ['xe'],
      otherwise: 'refuses',
    }),
    known('ism_vfio_pci', 'ism_vfio_pci', ['1014:04ed'], []),
  ],
  architectures: { s390x: 'vfio_pci_zdev', ppc64le: 'vfio_pci_nvlink2' },
};

/** What is known of a driver, by its own name or its module's. */
export function findKnown(knowledge: DriverKnowledge, name: string): KnownDriver | undefined {
  const module = name.replaceAll('-', '_');
  return knowledge.drivers.find((one) => one.driver === name || one.module === module);
}
