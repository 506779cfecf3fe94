import type { PciDevice } from '@vfiokit/pci';
import {
  copyIn,
  copyOut,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOTTY,
  type InfoCapability,
  type IoctlArgument,
  layoutCapabilities,
  VFIO_DEVICE_FEATURE,
  VFIO_DEVICE_FLAGS_CAPS,
  VFIO_DEVICE_FLAGS_PCI,
  VFIO_DEVICE_FLAGS_RESET,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP,
  VFIO_DEVICE_IOEVENTFD,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_PCI_NUM_IRQS,
  VFIO_REGION_INFO_FLAG_CAPS,
} from '@vfiokit/uapi';
import type { IoctlHandler } from './extension.js';
import { deviceFeature } from './features/device-feature.js';
import { DEVICE_FEATURES } from './features/features.js';
import type { OpenDevice } from './open-device.js';
import { resetFunction } from './reset.js';

const INFO_SIZE = 24;
const INFO_MINIMUM = 16;
const REGION_INFO_SIZE = 32;
const IRQ_INFO_SIZE = 16;
const DEVCAP2 = 0x24;

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
  const head = copyIn(argument, INFO_MINIMUM);
  if (head === undefined) return -EFAULT;
  const argsz = head.getUint32(0, true);
  if (argsz < INFO_MINIMUM) return -EINVAL;
  const capabilities = infoCapabilities(device);
  if (typeof capabilities === 'number') return capabilities;
  const answer = new DataView(new ArrayBuffer(INFO_SIZE));
  const flags = VFIO_DEVICE_FLAGS_PCI | (device.resetWorks ? VFIO_DEVICE_FLAGS_RESET : 0);
  answer.setUint32(0, argsz, true);
  answer.setUint32(8, device.regions.length, true);
  answer.setUint32(12, VFIO_PCI_NUM_IRQS, true);
  return answerInfo(argument, answer, {
    argsz,
    flags: capabilities.length > 0 ? flags | VFIO_DEVICE_FLAGS_CAPS : flags,
    capOffsetAt: 16,
    capabilities,
  });
}

function infoCapabilities(device: OpenDevice): readonly InfoCapability[] | number {
  const all: InfoCapability[] = [];
  for (const hook of device.core.platformHooks) {
    const found = hook.infoCapabilities?.(device.pdev) ?? [];
    if (typeof found !== 'number') all.push(...found);
    else if (found !== -ENODEV) return found;
  }
  const widths = atomicWidths(device.pdev);
  if (widths !== 0) {
    const body = new Uint8Array(8);
    body[0] = widths;
    all.push({ id: VFIO_DEVICE_INFO_CAP_PCI_ATOMIC_COMP, version: 1, body });
  }
  return all;
}

/** Completer bits of Device Capabilities 2, and what the capability calls them. */
const ATOMIC_WIDTHS = [
  { completer: 0x080, flag: 1 },
  { completer: 0x100, flag: 2 },
  { completer: 0x200, flag: 4 },
] as const;

/** The widths of AtomicOps that the root port completes; a VF's are its PF's (vfio_pci_core.c: vfio_pci_info_atomic_cap). */
function atomicWidths(pdev: PciDevice): number {
  const { express } = pdev.physfn ?? pdev;
  const capabilities = express.read32(DEVCAP2);
  let flags = 0;
  for (const { completer, flag } of ATOMIC_WIDTHS)
    if ((capabilities & completer) !== 0 && express.enableAtomicOps(completer) === 0) flags |= flag;
  return flags;
}

/** VFIO_DEVICE_GET_REGION_INFO (vfio_main.c: vfio_get_region_info). */
function getRegionInfo(device: OpenDevice, argument: IoctlArgument): number {
  const head = copyIn(argument, REGION_INFO_SIZE);
  if (head === undefined) return -EFAULT;
  const argsz = head.getUint32(0, true);
  if (argsz < REGION_INFO_SIZE) return -EINVAL;
  const index = head.getUint32(8, true);
  const info = device.regions[index]?.info() ?? -EINVAL;
  if (typeof info === 'number') return info;
  const { capabilities } = info;
  const answer = new DataView(new ArrayBuffer(REGION_INFO_SIZE));
  answer.setUint32(0, argsz, true);
  answer.setUint32(8, index, true);
  // Without capabilities the caller's own value comes back (quirk W29).
  if (!device.core.quirks.zeroCapOffset) answer.setUint32(12, head.getUint32(12, true), true);
  answer.setBigUint64(16, BigInt(info.size), true);
  answer.setBigUint64(24, BigInt(index) << BigInt(device.positions.shift), true);
  return answerInfo(argument, answer, {
    argsz,
    flags: capabilities.length > 0 ? info.flags | VFIO_REGION_INFO_FLAG_CAPS : info.flags,
    capOffsetAt: 12,
    capabilities,
  });
}

/** VFIO_DEVICE_GET_IRQ_INFO (vfio_pci_core.c: vfio_pci_ioctl_get_irq_info). */
function getIrqInfo(device: OpenDevice, argument: IoctlArgument): number {
  const head = copyIn(argument, IRQ_INFO_SIZE);
  if (head === undefined) return -EFAULT;
  if (head.getUint32(0, true) < IRQ_INFO_SIZE) return -EINVAL;
  const info = device.interrupts.info(head.getUint32(8, true));
  if (typeof info === 'number') return info;
  head.setUint32(4, info.flags, true);
  head.setUint32(12, info.count, true);
  return 0;
}

interface InfoAnswer {
  readonly argsz: number;
  readonly flags: number;
  /** Where the structure says at which offset the capabilities start. */
  readonly capOffsetAt: number;
  readonly capabilities: readonly InfoCapability[];
}

/**
 * Completes an info structure with its chain of capabilities and copies it out. A buffer that is too small for the chain
 * learns how large it would have to be.
 */
function answerInfo(
  argument: IoctlArgument,
  answer: DataView,
  { argsz, flags, capOffsetAt, capabilities }: InfoAnswer,
): number {
  const size = answer.byteLength;
  answer.setUint32(4, flags, true);
  const layout = layoutCapabilities(size, argsz, capabilities);
  if (capabilities.length > 0) {
    answer.setUint32(0, layout.argsz, true);
    answer.setUint32(capOffsetAt, layout.capOffset, true);
  }
  const fixed = new Uint8Array(answer.buffer, 0, Math.min(argsz, size));
  return copyOut(argument, fixed) || copyOut(argument, layout.chain, size);
}
