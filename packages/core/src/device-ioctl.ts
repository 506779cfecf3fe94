import {
  PCI_EXP_DEVCAP2,
  PCI_EXP_DEVCAP2_ATOMIC_COMP32,
  PCI_EXP_DEVCAP2_ATOMIC_COMP64,
  PCI_EXP_DEVCAP2_ATOMIC_COMP128,
  type PciDevice,
} from '@vfiokit/pci';
import {
  copyArgszIn,
  copyInfoOut,
  copyStructOut,
  EINVAL,
  ENODEV,
  ENOTTY,
  type InfoCapability,
  type IoctlArgument,
  pciAtomicCompCapability,
  VFIO_DEVICE_FEATURE,
  VFIO_DEVICE_FLAGS_CAPS,
  VFIO_DEVICE_FLAGS_PCI,
  VFIO_DEVICE_FLAGS_RESET,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_DEVICE_IOEVENTFD,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_PCI_ATOMIC_COMP32,
  VFIO_PCI_ATOMIC_COMP64,
  VFIO_PCI_ATOMIC_COMP128,
  VFIO_PCI_NUM_IRQS,
  VFIO_REGION_INFO_FLAG_CAPS,
  vfioDeviceInfo,
  vfioIrqInfo,
  vfioRegionInfo,
} from '@vfiokit/uapi';
import type { IoctlHandler } from './extension.js';
import { deviceFeature } from './features/device-feature.js';
import { DEVICE_FEATURES } from './features/features.js';
import type { OpenDevice } from './open-device.js';
import { resetFunction } from './reset.js';

/** The ioctls of an open device that do not depend on how it was opened (vfio_pci_core.c: vfio_pci_core_ioctl). */
export function deviceIoctl(device: OpenDevice): IoctlHandler {
  return (command, argument, caller) => {
    switch (command) {
      case VFIO_DEVICE_GET_INFO:
        return getInfo(device, argument);
      case VFIO_DEVICE_GET_REGION_INFO:
        return getRegionInfo(device, argument);
      case VFIO_DEVICE_GET_IRQ_INFO:
        return getIrqInfo(device, argument);
      case VFIO_DEVICE_SET_IRQS:
        return device.interrupts.set(argument, caller);
      case VFIO_DEVICE_RESET:
        return resetFunction(device);
      case VFIO_DEVICE_IOEVENTFD:
        return device.ioEventFds.set(argument, caller);
      case VFIO_DEVICE_FEATURE:
        return deviceFeature(DEVICE_FEATURES, device, argument, caller);
      default:
        return -ENOTTY;
    }
  };
}

/** VFIO_DEVICE_GET_INFO. Asking for it arms AtomicOps in the device where the path bears them (quirk W23). */
function getInfo(device: OpenDevice, argument: IoctlArgument): number {
  const request = copyArgszIn(argument, vfioDeviceInfo, vfioDeviceInfo.ends.numIrqs);
  if (typeof request === 'number') return request;
  const capabilities = infoCapabilities(device);
  if (typeof capabilities === 'number') return capabilities;
  const answer = {
    argsz: request.argsz,
    flags: VFIO_DEVICE_FLAGS_PCI | (device.resetWorks ? VFIO_DEVICE_FLAGS_RESET : 0),
    numRegions: device.regions.length,
    numIrqs: VFIO_PCI_NUM_IRQS,
    capOffset: 0,
    pad: 0,
  };
  return copyInfoOut(argument, vfioDeviceInfo, answer, capabilities, VFIO_DEVICE_FLAGS_CAPS);
}

function infoCapabilities(device: OpenDevice): readonly InfoCapability[] | number {
  const all: InfoCapability[] = [];
  for (const hook of device.core.platformHooks) {
    const found = hook.infoCapabilities?.(device.pdev) ?? [];
    if (typeof found !== 'number') all.push(...found);
    else if (found !== -ENODEV) return found;
  }
  const flags = atomicWidths(device.pdev);
  if (flags !== 0) all.push(pciAtomicCompCapability.encode({ flags, reserved: 0 }));
  return all;
}

/** Completer bits of Device Capabilities 2, and what the capability calls them. */
const ATOMIC_WIDTHS = [
  { completer: PCI_EXP_DEVCAP2_ATOMIC_COMP32, flag: VFIO_PCI_ATOMIC_COMP32 },
  { completer: PCI_EXP_DEVCAP2_ATOMIC_COMP64, flag: VFIO_PCI_ATOMIC_COMP64 },
  { completer: PCI_EXP_DEVCAP2_ATOMIC_COMP128, flag: VFIO_PCI_ATOMIC_COMP128 },
] as const;

/** The widths of AtomicOps that the root port completes; a VF's are its PF's (vfio_pci_core.c: vfio_pci_info_atomic_cap). */
function atomicWidths(pdev: PciDevice): number {
  const { express } = pdev.physfn ?? pdev;
  const capabilities = express.read32(PCI_EXP_DEVCAP2);
  let flags = 0;
  for (const { completer, flag } of ATOMIC_WIDTHS)
    if ((capabilities & completer) !== 0 && express.enableAtomicOps(completer) === 0) flags |= flag;
  return flags;
}

/** VFIO_DEVICE_GET_REGION_INFO (vfio_main.c: vfio_get_region_info). */
function getRegionInfo(device: OpenDevice, argument: IoctlArgument): number {
  const request = copyArgszIn(argument, vfioRegionInfo);
  if (typeof request === 'number') return request;
  const { argsz, index } = request;
  const info = device.regions[index]?.info() ?? -EINVAL;
  if (typeof info === 'number') return info;
  const answer = {
    argsz,
    flags: info.flags,
    size: BigInt(info.size),
    offset: BigInt(device.positions.of(index)),
    // Without capabilities the caller's own value comes back (quirk W29).
    ...(device.core.quirks.zeroCapOffset && { capOffset: 0 }),
  };
  const { capabilities } = info;
  return copyInfoOut(argument, vfioRegionInfo, answer, capabilities, VFIO_REGION_INFO_FLAG_CAPS);
}

/** VFIO_DEVICE_GET_IRQ_INFO (vfio_pci_core.c: vfio_pci_ioctl_get_irq_info). */
function getIrqInfo(device: OpenDevice, argument: IoctlArgument): number {
  const request = copyArgszIn(argument, vfioIrqInfo);
  if (typeof request === 'number') return request;
  const info = device.interrupts.info(request.index);
  return typeof info === 'number' ? info : copyStructOut(argument, vfioIrqInfo, info);
}
