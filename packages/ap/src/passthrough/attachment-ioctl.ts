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
import type { ApMatrixMdev } from './ap-matrix-mdev.js';

/** Answers the ioctls of an open mediated matrix device (vfio_ap_ops.c: vfio_ap_mdev_ioctl). */
export function mdevIoctl(
  mdev: ApMatrixMdev,
  command: number,
  argument: IoctlArgument,
  caller: Process,
): number {
  switch (command) {
    case VFIO_DEVICE_GET_INFO:
      return getInfo(mdev, argument);
    case VFIO_DEVICE_GET_REGION_INFO:
      return -EINVAL;
    case VFIO_DEVICE_GET_IRQ_INFO:
      return getIrqInfo(mdev, argument);
    case VFIO_DEVICE_SET_IRQS:
      return setIrqs(mdev, argument, caller);
    case VFIO_DEVICE_RESET:
      return mdev.reset() ? 0 : -EIO;
    default:
      return -EOPNOTSUPP;
  }
}

function getInfo(mdev: ApMatrixMdev, argument: IoctlArgument): number {
  const size = vfioDeviceInfo.ends.numIrqs;
  const request = copyArgszIn(argument, vfioDeviceInfo, size);
  if (typeof request === 'number') return request;
  return copyStructOut(
    argument,
    vfioDeviceInfo,
    {
      flags: VFIO_DEVICE_FLAGS_AP | VFIO_DEVICE_FLAGS_RESET,
      numRegions: 0,
      numIrqs: mdev.matrixDev.generation.irqs,
    },
    size,
  );
}

function getIrqInfo(mdev: ApMatrixMdev, argument: IoctlArgument): number {
  const request = copyArgszIn(argument, vfioIrqInfo);
  if (typeof request === 'number') return request;
  if (request.index >= mdev.matrixDev.generation.irqs) return -EINVAL;
  return copyStructOut(argument, vfioIrqInfo, { flags: VFIO_IRQ_INFO_EVENTFD, count: 1 });
}

/** Bytes of data for each interrupt, by the type that the flags name; several types at once are none. */
const DATA_SIZE: Readonly<Record<number, number>> = {
  [VFIO_IRQ_SET_DATA_NONE]: 0,
  [VFIO_IRQ_SET_DATA_BOOL]: 1,
  [VFIO_IRQ_SET_DATA_EVENTFD]: 4,
};

const KNOWN_FLAGS = VFIO_IRQ_SET_DATA_TYPE_MASK | VFIO_IRQ_SET_ACTION_TYPE_MASK;

function setIrqs(mdev: ApMatrixMdev, argument: IoctlArgument, caller: Process): number {
  const request = copyArgszIn(argument, vfioIrqSet);
  if (typeof request === 'number') return request;
  const { argsz, flags, index, start, count } = request;
  if (index >= Math.min(mdev.matrixDev.generation.irqs, VFIO_AP_NUM_IRQS)) return -EINVAL;
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
    : setTrigger(mdev, index, data.getInt32(vfioIrqSet.size, true), caller);
}

function setTrigger(mdev: ApMatrixMdev, index: number, fd: number, caller: Process): number {
  if (fd < -1) return -EINVAL;
  if (fd === -1) {
    mdev.triggers[index] = undefined;
    return 0;
  }
  const file = caller.fds.get(fd);
  if (file === undefined) return -EBADF;
  if (!(file instanceof EventFd)) return -EINVAL;
  mdev.triggers[index] = file;
  return 0;
}
