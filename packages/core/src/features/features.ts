import type { DeviceFeature } from './device-feature.js';
import { DMA_BUF } from './dma-buf.js';
import { DMA_LOGGING_REPORT, DMA_LOGGING_START, DMA_LOGGING_STOP } from './dma-logging.js';
import { LOW_POWER_ENTRY, LOW_POWER_ENTRY_WITH_WAKEUP, LOW_POWER_EXIT } from './low-power.js';
import {
  MIG_DATA_SIZE,
  MIG_DEVICE_STATE,
  MIG_PRECOPY_INFO_V2,
  MIGRATION_FLAGS,
} from './migration.js';
import { PCI_VF_TOKEN } from './vf-token.js';

/** The features of a PCI device by their number in VFIO_DEVICE_FEATURE. 10, BUS_MASTER, exists on another bus only. */
export const DEVICE_FEATURES: readonly (DeviceFeature | undefined)[] = [
  PCI_VF_TOKEN,
  MIGRATION_FLAGS,
  MIG_DEVICE_STATE,
  LOW_POWER_ENTRY,
  LOW_POWER_ENTRY_WITH_WAKEUP,
  LOW_POWER_EXIT,
  DMA_LOGGING_START,
  DMA_LOGGING_STOP,
  DMA_LOGGING_REPORT,
  MIG_DATA_SIZE,
  undefined,
  DMA_BUF,
  MIG_PRECOPY_INFO_V2,
];
