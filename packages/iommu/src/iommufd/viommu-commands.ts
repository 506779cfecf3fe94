import {
  EEXIST,
  EINVAL,
  ENOENT,
  EOPNOTSUPP,
  EOVERFLOW,
  IOMMU_HW_QUEUE_TYPE_DEFAULT,
  IOMMU_VEVENTQ_TYPE_DEFAULT,
  IOMMU_VIOMMU_TYPE_DEFAULT,
  iommuFaultAlloc,
  iommuHwQueueAlloc,
  iommuVdeviceAlloc,
  iommuVeventqAlloc,
  iommuViommuAlloc,
} from '@vfiokit/uapi';
import { wraps } from '../address/address.js';
import { command } from './command.js';
import { FaultQueue } from './fault-queue.js';
import { HwptPaging } from './hwpt.js';
import { IommufdDevice } from './iommufd-device.js';
import { HwQueue, Vdevice, VeventQueue, Viommu } from './viommu.js';

const DEPTH_MAX = 1 << 19;

/** IOMMU_FAULT_QUEUE_ALLOC: a descriptor to read page requests from. */
export const faultQueueAlloc = command(
  iommuFaultAlloc,
  iommuFaultAlloc.size,
  (context, { flags }, caller) => {
    if (flags !== 0) return -EOPNOTSUPP;
    const queue = new FaultQueue();
    const id = context.objects.add(queue);
    if (id < 0) return id;
    const fd = caller.fds.install(queue);
    if (fd >= 0) {
      queue.users += 1;
      return { outFaultId: id, outFaultFd: fd };
    }
    context.objects.remove(queue);
    return fd;
  },
);

/** IOMMU_VIOMMU_ALLOC */
export const viommuAlloc = command(
  iommuViommuAlloc,
  iommuViommuAlloc.ends.outViommuId,
  (context, { flags, type, devId, hwptId, reserved }) => {
    if (flags !== 0 || reserved !== 0 || type === IOMMU_VIOMMU_TYPE_DEFAULT) return -EOPNOTSUPP;
    const device = context.find(devId, IommufdDevice);
    if (typeof device === 'number') return device;
    const hwpt = context.find(hwptId, HwptPaging);
    if (typeof hwpt === 'number') return hwpt;
    if (!hwpt.options.nestParent || hwpt.iommu.driver !== device.iommu.driver) return -EINVAL;
    if (device.iommu.viommuType !== type) return -EOPNOTSUPP;
    const viommu = new Viommu(type, device.iommu, hwpt);
    const id = context.objects.add(viommu);
    if (id < 0) viommu.destroy();
    return id < 0 ? id : { outViommuId: id };
  },
);

/** IOMMU_VDEVICE_ALLOC: `-EEXIST` if the device or the number has one already. */
export const vdeviceAlloc = command(
  iommuVdeviceAlloc,
  iommuVdeviceAlloc.size,
  (context, { viommuId, devId, virtId }) => {
    const viommu = context.find(viommuId, Viommu);
    if (typeof viommu === 'number') return viommu;
    const device = context.find(devId, IommufdDevice);
    if (typeof device === 'number') return device;
    if (device.iommu.name !== viommu.iommu.name) return -EINVAL;
    const taken = [...context.objects].some(
      (other) => other instanceof Vdevice && other.device === device,
    );
    if (taken || viommu.vdevices.has(virtId)) return -EEXIST;
    const vdevice = new Vdevice(viommu, device, virtId);
    const id = context.objects.add(vdevice);
    if (id < 0) vdevice.destroy();
    return id < 0 ? id : { outVdeviceId: id };
  },
);

/** IOMMU_VEVENTQ_ALLOC: a descriptor to read events from; one of each type. */
export const veventqAlloc = command(
  iommuVeventqAlloc,
  iommuVeventqAlloc.ends.outVeventqFd,
  (context, { flags, viommuId, type, veventqDepth, reserved }, caller) => {
    if (flags !== 0 || reserved !== 0 || type === IOMMU_VEVENTQ_TYPE_DEFAULT) return -EOPNOTSUPP;
    if (veventqDepth === 0 || veventqDepth > DEPTH_MAX) return -EINVAL;
    const viommu = context.find(viommuId, Viommu);
    if (typeof viommu === 'number') return viommu;
    if (viommu.queues.has(type)) return -EEXIST;
    const queue = new VeventQueue(viommu, type, veventqDepth);
    const id = context.objects.add(queue);
    const fd = id < 0 ? id : caller.fds.install(queue);
    if (fd >= 0) {
      queue.users += 1;
      return { outVeventqId: id, outVeventqFd: fd };
    }
    if (id < 0) queue.destroy();
    else context.objects.remove(queue);
    return fd;
  },
);

/** IOMMU_HW_QUEUE_ALLOC: its memory, by guest address, has to be mapped and stays so. */
export const hwQueueAlloc = command(
  iommuHwQueueAlloc,
  iommuHwQueueAlloc.size,
  (context, { flags, viommuId, type, index, nestingParentIova, length }) => {
    if (flags !== 0 || type === IOMMU_HW_QUEUE_TYPE_DEFAULT) return -EOPNOTSUPP;
    if (length === 0n) return -EINVAL;
    if (wraps(nestingParentIova, length)) return -EOVERFLOW;
    const viommu = context.find(viommuId, Viommu);
    if (typeof viommu === 'number') return viommu;
    const { ioas } = viommu.parent;
    const start = Number(nestingParentIova);
    const end = Number(nestingParentIova + length);
    if (typeof ioas.areas.pieces(start, end) === 'number') return -ENOENT;
    const queue = new HwQueue(viommu, index, [...ioas.areas.within(start, end)]);
    const id = context.objects.add(queue);
    if (id < 0) queue.destroy();
    return id < 0 ? id : { outHwQueueId: id };
  },
);
