import {
  DEVICE_OVERRIDES,
  DMABUF_PROVIDER,
  OPEN_HOOKS,
  OPS_NAME,
  RESET_HOOKS,
  type VfioPciDriver,
} from '@vfiokit/core';
import type { PciDevice } from '@vfiokit/pci';
import { VfioError } from '@vfiokit/uapi';
import { hasMigBug } from './dvsec.js';
import { type MemorySplit, splitMemory } from './memory-split.js';
import { NvgraceDevice, NvgraceMemoryDevice } from './nvgrace-device.js';
import type { NvgracePlatform } from './nvgrace-platform.js';
import { readiness } from './readiness.js';

const PCI_VENDOR_ID_NVIDIA = 0x10de;
/** GH200 in three sizes, GB200, GB300. */
const DEVICES = [0x2342, 0x2345, 0x2348, 0x2941, 0x31c2] as const;

/** The driver of the GPUs that a Grace processor reaches coherently (drivers/vfio/pci/nvgrace-gpu). */
export function nvgraceGpuDriver(platform: NvgracePlatform): VfioPciDriver {
  return {
    name: 'nvgrace_gpu_vfio_pci',
    ids: DEVICES.map((device) => ({ vendor: PCI_VENDOR_ID_NVIDIA, device })),
    probe(pdev, container) {
      awaitReady(pdev, platform);
      const split = findMemory(pdev, platform);
      container.register(OPS_NAME, {
        useValue: split === undefined ? 'nvgrace-gpu-vfio-pci-core' : 'nvgrace-gpu-vfio-pci',
      });
      const device =
        split === undefined
          ? new NvgraceDevice(pdev, platform)
          : new NvgraceMemoryDevice(pdev, platform, split);
      container.register(OPEN_HOOKS, { useValue: device });
      container.register(RESET_HOOKS, { useValue: device });
      container.register(DMABUF_PROVIDER, { useValue: device });
      if (device instanceof NvgraceMemoryDevice)
        container.register(DEVICE_OVERRIDES, { useValue: device });
    },
  };
}

/** A GPU that does not get ready is not bound (nvgrace_gpu_probe_check_device_ready). */
function awaitReady(pdev: PciDevice, platform: NvgracePlatform): void {
  const enabled = pdev.enable();
  if (enabled < 0) throw VfioError.fromErrno(enabled, `${pdev.name}: can't be enabled`);
  try {
    const reserved = pdev.reservations.reserve(0);
    if (reserved < 0)
      throw VfioError.fromErrno(reserved, `${pdev.name}: its BAR 0 is somebody else's`);
    const bar0 = pdev.barMemory(0);
    const error = readiness(pdev.config, (offset) => bar0.read(offset, 4), platform).wait();
    pdev.reservations.release(0);
    if (error < 0) throw VfioError.fromErrno(error, `${pdev.name}: the GPU does not get ready`);
  } finally {
    pdev.disable();
  }
}

/** Firmware's memory as BARs; undefined where firmware names none, or more than there can be. */
function findMemory(pdev: PciDevice, platform: NvgracePlatform): MemorySplit | undefined {
  const base = platform.property(pdev, 'nvidia,gpu-mem-base-pa');
  const size = platform.property(pdev, 'nvidia,gpu-mem-size');
  // A size of 0 stands for a link that did not come up.
  if (base === undefined || size === undefined || size === 0n) return undefined;
  if (base + size > Number.MAX_SAFE_INTEGER) return undefined;
  return splitMemory(pdev.name, base, Number(size), hasMigBug(pdev.config));
}
