import {
  MIGRATION,
  OPS_NAME,
  pfDriverData,
  RESET_HOOKS,
  type VfioPciDriver,
  vfIndex,
} from '@vfiokit/core';
import { VfioError } from '@vfiokit/uapi';
import { XeMigration } from './xe-migration.js';
import { XePf } from './xe-pf.js';

const PCI_VENDOR_ID_INTEL = 0x8086;
/** Three families; the table covers PFs and VFs. */
const DEVICES = [
  ...[
    0xb080, 0xb081, 0xb082, 0xb083, 0xb084, 0xb085, 0xb086, 0xb087, 0xb08f, 0xb090, 0xb0a0, 0xb0b0,
  ],
  ...[0xfd80, 0xfd81],
  ...[0xe202, 0xe209, 0xe20b, 0xe20c, 0xe20d, 0xe210, 0xe211, 0xe212, 0xe216],
  ...[0xe220, 0xe221, 0xe222, 0xe223],
];

/** The driver of graphics functions: plain for PFs, migratable for VFs (drivers/vfio/pci/xe). */
export const XE_VFIO_PCI: VfioPciDriver = {
  name: 'xe-vfio-pci',
  ids: DEVICES.map((device) => ({ vendor: PCI_VENDOR_ID_INTEL, device })),
  dmaBuf: false,
  probe(pdev, container) {
    container.register(OPS_NAME, { useValue: 'xe-vfio-pci' });
    if (!pdev.isVirtfn) return;
    const pf = pfDriverData(pdev, XePf);
    if (typeof pf === 'number')
      throw new VfioError('ENODEV', `${pdev.name}: takes a VF whose PF is bound to xe`);
    const vf = vfIndex(pdev) + 1;
    if (pf.supportsMigration)
      container.register(MIGRATION, { useValue: new XeMigration(pdev.name, pf, vf) });
    container.register(RESET_HOOKS, {
      useValue: { prepare: () => pf.prepareFlr(vf), done: () => void pf.waitFlrDone(vf) },
    });
  },
};
