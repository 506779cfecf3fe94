import {
  copyArgszIn,
  copyIn,
  copyStructOut,
  EBADF,
  EFAULT,
  EINVAL,
  EIO,
  EOPNOTSUPP,
  EventFd,
  type IoctlArgument,
  type Process,
  VFIO_AP_NUM_IRQS,
  VFIO_DEVICE_FLAGS_AP,
  VFIO_DEVICE_FLAGS_RESET,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_INFO_EVENTFD,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_TYPE_MASK,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  VFIO_IRQ_SET_DATA_TYPE_MASK,
  vfioDeviceInfo,
  vfioIrqInfo,
  vfioIrqSet,
} from '@vfiokit/uapi';
import type { GuestAttachment } from './guest-attachment.js';

/** Answers the ioctls of an open device that passes queues (vfio_ap_ops.c: vfio_ap_mdev_ioctl). */
export function attachmentIoctl(
  attachment: GuestAttachment,
  command: number,
  argument: IoctlArgument,
  caller: Process,
): number {
  switch (command) {
    case VFIO_DEVICE_GET_INFO:
      return getInfo(attachment, argument);
    case VFIO_DEVICE_GET_REGION_INFO:
      return -EINVAL;
    case VFIO_DEVICE_GET_IRQ_INFO:
      return getIrqInfo(attachment, argument);
    case VFIO_DEVICE_SET_IRQS:
      return setIrqs(attachment, argument, caller);
    case VFIO_DEVICE_RESET:
      return attachment.reset() ? 0 : -EIO;
    default:
      return -EOPNOTSUPP;
  }
}

function getInfo(attachment: GuestAttachment, argument: IoctlArgument): number {
  const size = vfioDeviceInfo.ends.numIrqs;
  const request = copyArgszIn(argument, vfioDeviceInfo, size);
  if (typeof request === 'number') return request;
  return copyStructOut(
    argument,
    vfioDeviceInfo,
    {
      flags: VFIO_DEVICE_FLAGS_AP | VFIO_DEVICE_FLAGS_RESET,
      numRegions: 0,
      numIrqs: attachment.irqs,
    },
    size,
  );
}

function getIrqInfo(attachment: GuestAttachment, argument: IoctlArgument): number {
  const request = copyArgszIn(argument, vfioIrqInfo);
  if (typeof request === 'number') return request;
  if (request.index >= attachment.irqs) return -EINVAL;
  return copyStructOut(argument, vfioIrqInfo, { flags: VFIO_IRQ_INFO_EVENTFD, count: 1 });
}

/** Bytes of data for each interrupt, by the type that the flags name; several types at once are none. */
const DATA_SIZE: Readonly<Record<number, number>> = {
  [VFIO_IRQ_SET_DATA_NONE]: 0,
  [VFIO_IRQ_SET_DATA_BOOL]: 1,
  [VFIO_IRQ_SET_DATA_EVENTFD]: 4,
};

const KNOWN_FLAGS = VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK;

function setIrqs(attachment: GuestAttachment, argument: IoctlArgument, caller: Process): number {
  const request = copyArgszIn(argument, vfioIrqSet);
  if (typeof request === 'number') return request;
  const { argsz, flags, index, start, count } = request;
  if (index >= Math.min(attachment.irqs, VFIO_AP_NUM_IRQS)) return -EINVAL;
  if ((flags & ~KNOWN_FLAGS) !== 0 || start >= 1 || start + count > 1) return -EINVAL;
  const type = flags & VFIO_IRQ_SET_DATA_TYPE_MASK;
  const size = DATA_SIZE[type];
  if (size === undefined || argsz - vfioIrqSet.size < count * size) return -EINVAL;
  if ((flags & VFIO_IRQ_SET_ACTION_TRIGGER) === 0 || type !== VFIO_IRQ_SET_DATA_EVENTFD)
    return -EINVAL;
  // The kernel would read a descriptor from behind the structure here.
  if (count === 0) return -EINVAL;
  const data = copyIn(argument, vfioIrqSet.size + 4);
  return data === undefined
    ? -EFAULT
    : setTrigger(attachment, index, data.getInt32(vfioIrqSet.size, true), caller);
}

function setTrigger(
  attachment: GuestAttachment,
  index: number,
  fd: number,
  caller: Process,
): number {
  if (fd < -1) return -EINVAL;
  if (fd === -1) {
    attachment.triggers[index] = undefined;
    return 0;
  }
  const file = caller.fds.get(fd);
  if (file === undefined) return -EBADF;
  if (!(file instanceof EventFd)) return -EINVAL;
  attachment.triggers[index] = file;
  return 0;
}
