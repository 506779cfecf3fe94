import { EBUSY, ENOTTY } from '@vfiokit/uapi';
import type { DeviceFeature } from './device-feature.js';

/** VFIO_DEVICE_FEATURE_PCI_VF_TOKEN: the opener of a PF chooses the secret for its VFs, also while VFs are open (quirk W20). */
export const PCI_VF_TOKEN: DeviceFeature = {
  supports: 'set',
  minimum: 16,
  available: ({ core }) => (core.vfToken === undefined ? -ENOTTY : 0),
  run({ device: { core }, data }) {
    const token = core.vfToken!;
    if (core.quirks.tokenHeldWhileInUse && token.users > 0) return -EBUSY;
    token.uuid = new Uint8Array(data.buffer, data.byteOffset, 16).slice();
    return 0;
  },
};
