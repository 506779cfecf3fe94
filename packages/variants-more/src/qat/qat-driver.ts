import {
  DEVICE_OVERRIDES,
  MIGRATION,
  OPEN_HOOKS,
  OPS_NAME,
  pfDriverData,
  RELEASE_HOOKS,
  type VfioPciDriver,
  vfIndex,
} from '@vfiokit/core';
import { VfioError } from '@vfiokit/uapi';
import { QatMigration } from './qat-migration.js';
import { QAT_CALLBACKS, type QatMigDevice, QatPf } from './qat-pf.js';
import { WITHOUT_CORE_FEATURES } from './withdrawn-features.js';

const PCI_VENDOR_ID_INTEL = 0x8086;
/** Generations 4 (three of them), 5 and 6. */
const DEVICES = [0x4941, 0x4943, 0x4945, 0x4947, 0x4949] as const;

/** The driver of QuickAssist VFs: without help from their PF there is none of it (drivers/vfio/pci/qat). */
export const QAT_VFIO_PCI: VfioPciDriver = {
  name: 'qat_vfio_pci',
  ids: DEVICES.map((device) => ({ vendor: PCI_VENDOR_ID_INTEL, device })),
  dmaBuf: false,
  probe(pdev, container) {
    const pf = pfDriverData(pdev, QatPf);
    if (typeof pf === 'number')
      throw new VfioError('ENODEV', `${pdev.name}: takes a VF whose PF is driven by QAT`);
    const device = complete(pdev.name, pf.migDevice(vfIndex(pdev)));
    const error = device.init();
    if (error < 0) throw VfioError.fromErrno(error, `${pdev.name}: its PF can't migrate it`);
    container.register(RELEASE_HOOKS, { useValue: () => device.cleanup() });
    container.register(OPS_NAME, { useValue: 'qat-vf-vfio-pci' });
    container.register(MIGRATION, { useValue: new QatMigration(pdev.name, device) });
    container.register(DEVICE_OVERRIDES, { useValue: WITHOUT_CORE_FEATURES });
    container.register(OPEN_HOOKS, {
      useValue: {
        open: ({ name, defer }) => {
          const refused = device.open();
          if (refused < 0) throw VfioError.fromErrno(refused, `${name}: its PF does not open it`);
          defer(() => device.close());
        },
      },
    });
  },
};

function complete(name: string, device: Partial<QatMigDevice>): QatMigDevice {
  const missing = QAT_CALLBACKS.filter((callback) => device[callback] === undefined);
  if (missing.length > 0)
    throw new VfioError('EINVAL', `${name}: its PF lacks ${missing.join(', ')}`);
  return device as QatMigDevice;
}
