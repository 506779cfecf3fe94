import { GroupFile, KVM_DEV_VFIO_FILE, KvmVfio } from '@vfiokit/iommu';
import { copyIn, type IoctlArgument, type Process } from '@vfiokit/uapi';

/** A device that old kernels tell of the machine of its group while it is open. */
interface Notified {
  kvmChanged(): void;
}

/**
 * The KVM-VFIO device with the notifier that kernels had until about 5.18: a driver hears of a machine that comes or goes
 * after its device was opened (VFIO_GROUP_NOTIFY_SET_KVM). Today's drivers have no such notifier and do not listen.
 */
export class KvmVfioNotifier extends KvmVfio {
  override setAttribute(
    group: number,
    attribute: number,
    payload: IoctlArgument,
    caller: Process,
  ): number {
    const result = super.setAttribute(group, attribute, payload, caller);
    if (result === 0 && group === KVM_DEV_VFIO_FILE) notify(payload, caller);
    return result;
  }
}

function notify(payload: IoctlArgument, caller: Process): void {
  const fd = copyIn(payload, 4)?.getInt32(0, true);
  const file = fd === undefined ? undefined : caller.fds.get(fd);
  if (!(file instanceof GroupFile)) return;
  for (const device of file.group.devices) (device as Partial<Notified>).kvmChanged?.();
}
