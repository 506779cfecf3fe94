import { VFIO_PCI_DRIVERS } from '@vfiokit/core';
import type { PciDevice } from '@vfiokit/pci';
import type { DependencyContainer } from 'tsyringe';
import { hisiAccDriver } from './hisi/hisi-driver.js';
import { ismDriver } from './ism/ism-driver.js';
import type { IsmInstructions } from './ism/ism-platform.js';
import { pdsDriver } from './pds/pds-driver.js';
import { QAT_VFIO_PCI } from './qat/qat-driver.js';
import type { Sleep } from './sleep.js';
import { XE_VFIO_PCI } from './xe/xe-driver.js';

export interface VariantsMoreOptions {
  /** Lets time pass for drivers that wait; nothing without it. */
  readonly sleep?: Sleep;
  /** PCI instructions for a function, on s390. */
  readonly ism?: (pdev: PciDevice) => IsmInstructions | undefined;
}

/** Puts `hisi_acc_vfio_pci`, `pds_vfio_pci`, `qat_vfio_pci`, `xe-vfio-pci` and `ism_vfio_pci` on a host. */
export function registerVariantsMore(
  container: DependencyContainer,
  { sleep = () => {}, ism = () => undefined }: VariantsMoreOptions = {},
): void {
  for (const driver of [
    hisiAccDriver(sleep),
    pdsDriver(sleep),
    QAT_VFIO_PCI,
    XE_VFIO_PCI,
    ismDriver(ism),
  ])
    container.register(VFIO_PCI_DRIVERS, { useValue: driver });
}
