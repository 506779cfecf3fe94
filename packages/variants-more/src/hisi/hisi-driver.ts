import {
  DEVICE_OVERRIDES,
  MIGRATION,
  OPEN_HOOKS,
  OPS_NAME,
  pfDriverData,
  RESET_HOOKS,
  type ResetHooks,
  type VfioPciDriver,
  vfIndex,
} from '@vfiokit/core';
import { VfioError } from '@vfiokit/uapi';
import type { Sleep } from '../sleep.js';
import { HALF_BAR2 } from './half-bar2.js';
import { HisiMigration } from './hisi-migration.js';
import { HisiQm } from './hisi-qm.js';

const PCI_VENDOR_ID_HUAWEI = 0x19e5;
/** ZIP, SEC and HPRE. */
const DEVICES = [0xa251, 0xa256, 0xa259] as const;
const QM_HW_V3 = 3;
const BAR2 = 2;
const RESET_WAIT_MS = 60_000;

/** The driver of HiSilicon's accelerators (drivers/vfio/pci/hisilicon). */
export function hisiAccDriver(sleep: Sleep): VfioPciDriver {
  return {
    name: 'hisi_acc_vfio_pci',
    ids: DEVICES.map((device) => ({ vendor: PCI_VENDOR_ID_HUAWEI, device })),
    dmaBuf: false,
    probe(pdev, container) {
      const qm = pfDriverData(pdev, HisiQm);
      const index = vfIndex(pdev);
      const migrates = typeof qm !== 'number' && qm.version >= QM_HW_V3 && index >= 0;
      container.register(OPS_NAME, {
        useValue: migrates ? 'hisi-acc-vfio-pci-migration' : 'hisi-acc-vfio-pci',
      });
      if (!migrates) return;
      container.register(MIGRATION, { useValue: new HisiMigration(pdev.name, qm.vf(index)) });
      container.register(RESET_HOOKS, { useValue: new SerializedReset(qm, sleep) });
      const vfControls = qm.version === QM_HW_V3 || !qm.pfControlsMigration;
      if (!vfControls) return;
      container.register(DEVICE_OVERRIDES, { useValue: HALF_BAR2 });
      // The registers of migration are in the half that the user does not see.
      container.register(OPEN_HOOKS, {
        useValue: {
          open: (device) => {
            if (device.pdev.resources[BAR2]!.length === 0)
              throw new VfioError('EIO', `${device.name}: its BAR 2 can't be mapped`);
          },
        },
      });
    },
  };
}

/** A reset of a VF waits for one of its PF, and the other way round (hisi_acc_vf_pci_reset_prepare). */
class SerializedReset implements ResetHooks {
  constructor(
    private readonly qm: HisiQm,
    private readonly sleep: Sleep,
  ) {}

  prepare(): void {
    for (let waited = 0; this.qm.resetting && waited < RESET_WAIT_MS; waited += 1) this.sleep(1);
    this.qm.resetting = true;
  }

  done(): void {
    this.qm.resetting = false;
  }
}
