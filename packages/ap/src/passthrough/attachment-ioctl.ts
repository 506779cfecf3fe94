import {
  copyArgszIn,
  copyIn,
  copyStructOut,
  EFAULT,
  EINVAL,
  EIO,
  EOPNOTSUPP,
  type IoctlArgument,
  irqSetDataSize,
  type Process,
  VFIO_DEVICE_FLAGS_AP,
  VFIO_DEVICE_FLAGS_RESET,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_IRQ_INFO_EVENTFD,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_DATA_EVENTFD,
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

function setIrqs(attachment: GuestAttachment, argument: IoctlArgument, caller: Process): number {
  const request = copyArgszIn(argument, vfioIrqSet);
  if (typeof request === 'number') return request;
  const size = irqSetDataSize(request, attachment.irqs, () => 1);
  if (size < 0) return size;
  const { flags, index, count } = request;
  const isTrigger = (flags & VFIO_IRQ_SET_ACTION_TRIGGER) !== 0;
  if (!isTrigger || (flags & VFIO_IRQ_SET_DATA_EVENTFD) === 0) return -EINVAL;
  // The kernel would read a descriptor from behind the structure here.
  if (count === 0) return -EINVAL;
  const data = copyIn(argument, vfioIrqSet.size + size);
  if (data === undefined) return -EFAULT;
  return setTrigger(attachment, index, data.getInt32(vfioIrqSet.size, true), caller);
}

function setTrigger(
  { triggers }: GuestAttachment,
  index: number,
  fd: number,
  caller: Process,
): number {
  if (fd < -1) return -EINVAL;
  const trigger = fd === -1 ? undefined : caller.fds.eventFd(fd);
  if (typeof trigger === 'number') return trigger;
  triggers[index] = trigger;
  return 0;
}
