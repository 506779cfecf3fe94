import type { DeviceOverride, IoctlHandler } from '@vfiokit/core';
import {
  VFIO_DEVICE_FEATURE,
  VFIO_DEVICE_FEATURE_DMA_BUF,
  VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY,
  VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP,
  VFIO_DEVICE_FEATURE_LOW_POWER_EXIT,
  VFIO_DEVICE_FEATURE_MASK,
  VFIO_DEVICE_FEATURE_PCI_VF_TOKEN,
} from '@vfiokit/uapi';

/** The features that vfio-pci-core answers for; those of migration are another layer's. */
const OF_THE_CORE: ReadonlySet<number> = new Set([
  VFIO_DEVICE_FEATURE_PCI_VF_TOKEN,
  VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY,
  VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP,
  VFIO_DEVICE_FEATURE_LOW_POWER_EXIT,
  VFIO_DEVICE_FEATURE_DMA_BUF,
]);
const FLAGS_AT = 4;

/** A table of operations without device_feature: the core's features are not there, whatever else a call says. */
export const WITHOUT_CORE_FEATURES: DeviceOverride = {
  ioctl:
    (next): IoctlHandler =>
    (command, argument, caller) => {
      const bytes = argument instanceof Uint8Array && argument.length >= 8 ? argument : undefined;
      if (command !== VFIO_DEVICE_FEATURE || bytes === undefined)
        return next(command, argument, caller);
      const flags = new DataView(bytes.buffer, bytes.byteOffset).getUint32(FLAGS_AT, true);
      if (!OF_THE_CORE.has(flags & VFIO_DEVICE_FEATURE_MASK))
        return next(command, argument, caller);
      // Asked for a feature that nobody has, the layer above the drivers checks the call as ever.
      const unknown = bytes.slice();
      new DataView(unknown.buffer).setUint32(
        FLAGS_AT,
        (flags | VFIO_DEVICE_FEATURE_MASK) >>> 0,
        true,
      );
      return next(command, unknown, caller);
    },
};
