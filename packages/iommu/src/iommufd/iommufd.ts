import {
  EINVAL,
  ENODEV,
  ENOMEM,
  ENOTTY,
  EPERM,
  IOMMU_DESTROY,
  IOMMU_FAULT_QUEUE_ALLOC,
  IOMMU_GET_HW_INFO,
  IOMMU_HW_QUEUE_ALLOC,
  IOMMU_HWPT_ALLOC,
  IOMMU_HWPT_GET_DIRTY_BITMAP,
  IOMMU_HWPT_INVALIDATE,
  IOMMU_HWPT_SET_DIRTY_TRACKING,
  IOMMU_IOAS_ALLOC,
  IOMMU_IOAS_ALLOW_IOVAS,
  IOMMU_IOAS_CHANGE_PROCESS,
  IOMMU_IOAS_COPY,
  IOMMU_IOAS_IOVA_RANGES,
  IOMMU_IOAS_MAP,
  IOMMU_IOAS_MAP_FILE,
  IOMMU_IOAS_UNMAP,
  IOMMU_OPTION,
  IOMMU_VDEVICE_ALLOC,
  IOMMU_VEVENTQ_ALLOC,
  IOMMU_VFIO_IOAS,
  IOMMU_VIOMMU_ALLOC,
  type IoctlArgument,
  type Process,
  type VfioFile,
} from '@vfiokit/uapi';
import { lastOf } from '../address/address.js';
import type { DmaSnapshot } from '../address/dma-snapshot.js';
import { commonSizes } from '../address/page-sizes.js';
import type { EmulatedDma } from '../container/emulated-dma.js';
import type { IommuParameters } from '../container/parameters.js';
import type { GroupDevice } from '../group/group-device.js';
import type { VfioGroup } from '../group/vfio-group.js';
import { DMA_READ, DMA_WRITE } from '../hardware/dma.js';
import type { FaultInjection } from '../memory/fault-injection.js';
import type { LockedByUser } from '../memory/locked-by-user.js';
import { IommufdAccess } from './access.js';
import type { Command } from './command.js';
import { compatIoctl } from './compat.js';
import { IommufdContext } from './context.js';
import { destroy, option, vfioIoas } from './general-commands.js';
import {
  getHwInfo,
  hwptAlloc,
  hwptGetDirtyBitmap,
  hwptInvalidate,
  hwptSetDirtyTracking,
} from './hwpt-commands.js';
import { Ioas } from './ioas.js';
import {
  ioasAlloc,
  ioasAllowIovas,
  ioasChangeProcess,
  ioasCopy,
  ioasIovaRanges,
  ioasMap,
  ioasMapFile,
  ioasUnmap,
} from './ioas-commands.js';
import { IommufdDevice } from './iommufd-device.js';
import { Tombstone, Vdevice } from './viommu.js';
import {
  faultQueueAlloc,
  hwQueueAlloc,
  vdeviceAlloc,
  veventqAlloc,
  viommuAlloc,
} from './viommu-commands.js';

/** Numbers from here on are iommufd's own. */
const FIRST_COMMAND = IOMMU_DESTROY;

const COMMANDS: ReadonlyMap<number, Command> = new Map([
  [IOMMU_DESTROY, destroy],
  [IOMMU_IOAS_ALLOC, ioasAlloc],
  [IOMMU_IOAS_ALLOW_IOVAS, ioasAllowIovas],
  [IOMMU_IOAS_COPY, ioasCopy],
  [IOMMU_IOAS_IOVA_RANGES, ioasIovaRanges],
  [IOMMU_IOAS_MAP, ioasMap],
  [IOMMU_IOAS_UNMAP, ioasUnmap],
  [IOMMU_OPTION, option],
  [IOMMU_VFIO_IOAS, vfioIoas],
  [IOMMU_HWPT_ALLOC, hwptAlloc],
  [IOMMU_GET_HW_INFO, getHwInfo],
  [IOMMU_HWPT_SET_DIRTY_TRACKING, hwptSetDirtyTracking],
  [IOMMU_HWPT_GET_DIRTY_BITMAP, hwptGetDirtyBitmap],
  [IOMMU_HWPT_INVALIDATE, hwptInvalidate],
  [IOMMU_FAULT_QUEUE_ALLOC, faultQueueAlloc],
  [IOMMU_IOAS_MAP_FILE, ioasMapFile],
  [IOMMU_VIOMMU_ALLOC, viommuAlloc],
  [IOMMU_VDEVICE_ALLOC, vdeviceAlloc],
  [IOMMU_IOAS_CHANGE_PROCESS, ioasChangeProcess],
  [IOMMU_VEVENTQ_ALLOC, veventqAlloc],
  [IOMMU_HW_QUEUE_ALLOC, hwQueueAlloc],
]);

/** An open `/dev/iommu`: address spaces, page tables and bound devices, by number (iommufd/main.c). */
export class Iommufd implements VfioFile {
  readonly kind = 'iommufd';
  readonly #context: IommufdContext;
  /** The descriptors, as one, and everybody in the kernel who uses it. */
  #references = 1;
  readonly #bound = new Map<GroupDevice, IommufdDevice | IommufdAccess>();

  constructor(parameters: IommuParameters, users: LockedByUser, faults: FaultInjection) {
    this.#context = new IommufdContext(parameters, users, faults);
  }

  ioctl(command: number, argument: IoctlArgument, caller: Process): number {
    if (command < FIRST_COMMAND) return compatIoctl(this.#context, command, argument, caller);
    return COMMANDS.get(command)?.run(this.#context, argument, caller) ?? -ENOTTY;
  }

  /** The last descriptor is closed. Bound devices and groups keep everything as it is; then it goes, leaves first. */
  close(): void {
    this.put();
  }

  /** Another reference: of a group that uses it, or of a bound device. */
  get(): void {
    this.#references += 1;
  }

  put(): void {
    this.#references -= 1;
    if (this.#references > 0) return;
    this.#context.compatIoas = undefined;
    this.#context.objects.clear();
  }

  // --- what VFIO does with it ---

  /**
   * Binds a device, which takes its group's DMA (device.c: iommufd_device_bind).
   *
   * @returns its number; `-EINVAL` (not coherent), `-EPERM` (interrupts not isolated, or the group is somebody else's),
   * `-ENOMEM`.
   */
  bind(device: GroupDevice): number {
    if (device.emulated) return this.#bindAccess(device);
    const { iommuGroup } = device;
    if (!iommuGroup?.iommu?.cacheCoherent || iommuGroup.iommu.pageSizes === 0n) return -EINVAL;
    const { iommufdAllowUnsafeInterrupts } = this.#context.parameters;
    if (!iommuGroup.iommu.isolatedMsi && !iommufdAllowUnsafeInterrupts) return -EPERM;
    const claim = iommuGroup.claimDevice(this);
    if (claim !== 0) return claim;
    const group = this.#context.groupOf(iommuGroup);
    const bound = new IommufdDevice(this.#context, device, group, (gone) => this.#bury(gone));
    return this.#add(device, bound);
  }

  /** The opposite; attachments and the device's number go too. */
  unbindDevice(device: GroupDevice): void {
    const object = this.#bound.get(device);
    if (object === undefined) return;
    this.#bound.delete(device);
    this.#context.objects.remove(object);
    this.put();
  }

  /**
   * Attaches a bound device to an IOAS or a HWPT; an emulated one to an IOAS.
   *
   * @returns the number of what it is attached to now, or a negated errno: see {@link IommufdDevice.attach}.
   */
  attach(device: GroupDevice, id: number, pasid?: number): number {
    const object = this.#bound.get(device);
    if (object === undefined) return -EINVAL;
    if (object instanceof IommufdAccess) return object.attach(id) || id;
    return pasid === undefined ? object.attach(id) : object.attachPasid(pasid, id);
  }

  /** Detaches a bound device; fine if it is not attached. */
  detach(device: GroupDevice, pasid?: number): void {
    const object = this.#bound.get(device);
    if (object instanceof IommufdDevice && pasid !== undefined) object.detachPasid(pasid);
    else object?.detach();
  }

  /** The number of a bound device. */
  devid(device: GroupDevice): number | undefined {
    return this.#bound.get(device)?.id;
  }

  /** Whether a device of that one's IOMMU group is bound here. */
  sharesGroup(device: GroupDevice): boolean {
    const { iommuGroup } = device;
    return iommuGroup !== undefined && this.#context.boundGroup(iommuGroup) !== undefined;
  }

  /** What the driver of an emulated device uses. */
  pagesOf(device: GroupDevice): EmulatedDma | undefined {
    const object = this.#bound.get(device);
    return object instanceof IommufdAccess ? object : undefined;
  }

  // --- VFIO's groups on it (vfio/iommufd.c, vfio_compat.c) ---

  /** A group without an IOMMU takes it for its container: `-EINVAL` if it has address spaces for VFIO. */
  setNoiommu(): number {
    if (this.#context.compatIoas) return -EINVAL;
    this.#context.noiommu = true;
    return 0;
  }

  /** A group takes it for its container: makes sure that there is an IOAS for it. `-EINVAL` without IOMMU, `-ENOMEM`. */
  ensureCompatIoas(): number {
    if (this.#context.noiommu) return -EINVAL;
    if (this.#context.compatIoas) return 0;
    if (!this.#context.faults.allocates()) return -ENOMEM;
    const ioas = new Ioas(this.#context);
    const id = this.#context.objects.add(ioas);
    if (id < 0) return id;
    this.#context.compatIoas = ioas;
    return 0;
  }

  /** A device of a group is opened for the first time: bound, and attached to the compat IOAS. */
  bindGroupDevice(device: GroupDevice, group: VfioGroup, opener: Process): number {
    const { compatIoas, noiommu } = this.#context;
    if (group.kind === 'noiommu')
      return opener.credentials.sysRawio && noiommu && !compatIoas ? 0 : -EPERM;
    const id = this.bind(device);
    if (id < 0) return id;
    const attached = compatIoas ? this.attach(device, compatIoas.id) : -ENODEV;
    if (attached < 0) this.unbindDevice(device);
    return Math.min(0, attached);
  }

  /** What is mapped in its address spaces, by number, for people. */
  snapshots(): readonly { readonly id: number; readonly dma: DmaSnapshot }[] {
    return [...this.#context.objects]
      .filter((object) => object instanceof Ioas)
      .map((ioas) => ({ id: ioas.id, dma: snapshotOf(ioas) }));
  }

  #bindAccess(device: GroupDevice): number {
    return this.#add(
      device,
      new IommufdAccess(this.#context.objects, device, this.#context.pageSize),
    );
  }

  #add(device: GroupDevice, object: IommufdDevice | IommufdAccess): number {
    const id = this.#context.objects.add(object);
    if (id < 0) {
      object.destroy();
      return id;
    }
    this.#bound.set(device, object);
    this.get();
    return id;
  }

  /** A device goes: of its guest's names only numbers stay, until they are destroyed. */
  #bury(device: IommufdDevice): void {
    for (const object of [...this.#context.objects]) {
      if (!(object instanceof Vdevice) || object.device !== device) continue;
      object.destroy();
      this.#context.objects.replace(object, new Tombstone());
    }
  }
}

function snapshotOf(ioas: Ioas): DmaSnapshot {
  const { areas } = ioas;
  return {
    kind: `ioas ${ioas.id}`,
    pageSizes: commonSizes([...ioas.domains].map(({ pageSizes }) => pageSizes)),
    available: null,
    ranges: [...ioas.policy.usable].map((range) => ({
      start: BigInt(range.start),
      last: lastOf(range),
    })),
    mappings: [...areas.rows()].map((row) => ({
      iova: BigInt(areas.start(row)),
      size: BigInt(areas.end(row) - areas.start(row)),
      target: BigInt(areas.object(row).address + areas.target(row)),
      read: (areas.flags(row) & DMA_READ) !== 0,
      write: (areas.flags(row) & DMA_WRITE) !== 0,
    })),
  };
}
