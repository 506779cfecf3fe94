import { EADDRINUSE, EINVAL, ENOENT, ENOMEM } from '@vfiokit/uapi';
import type { GroupDevice } from '../group/group-device.js';
import type { IommuGroup } from '../group/iommu-group.js';
import type { Iommu } from '../hardware/iommu.js';
import type { FaultInjection } from '../memory/fault-injection.js';
import { type Hwpt, HwptNested, HwptPaging } from './hwpt.js';
import { Ioas } from './ioas.js';
import { IommufdObject, type ObjectTable } from './object.js';

/** The devices of an IOMMU group that are bound to one iommufd: they share a page table (device.c: struct iommufd_group). */
export class IommufdGroup {
  /** What the group's DMA goes through; `undefined` while no device is attached. */
  hwpt: Hwpt | undefined;
  readonly attached = new Set<IommufdDevice>();
  /** Devices that are bound. */
  readonly bound = new Set<IommufdDevice>();
  /** By PASID. */
  readonly pasids = new Map<number, { hwpt: Hwpt; readonly devices: Set<IommufdDevice> }>();

  constructor(readonly iommuGroup: IommuGroup) {}

  get iommu(): Iommu {
    return this.iommuGroup.iommu!;
  }
}

/** What devices need of their iommufd. */
export interface DeviceHost {
  readonly objects: ObjectTable;
  readonly faults: FaultInjection;
}

/** A device that is bound to an iommufd (device.c: struct iommufd_device). */
export class IommufdDevice extends IommufdObject {
  readonly type = 'device';
  override readonly internal = true;

  constructor(
    private readonly host: DeviceHost,
    readonly device: GroupDevice,
    readonly group: IommufdGroup,
    /** Objects that name the device in a guest go with it. */
    private readonly unbound: (device: IommufdDevice) => void = () => {},
  ) {
    super();
    group.bound.add(this);
  }

  get iommu(): Iommu {
    return this.group.iommu;
  }

  get attached(): boolean {
    return this.group.attached.has(this);
  }

  /**
   * Attaches the device, or moves its whole group if it is attached already (device.c: iommufd_device_attach,
   * iommufd_device_replace).
   *
   * @param id an IOAS, for which a page table is found or made, or a HWPT.
   * @returns the HWPT's id; `-ENOENT` (no such object), `-EINVAL` (no page table, or one that does not fit),
   * `-EADDRINUSE` (what the device cannot use is mapped), `-ENOMEM`, `-EFAULT`. Nothing has changed then.
   */
  attach(id: number): number {
    const object = this.host.objects.get(id);
    if (object === undefined) return -ENOENT;
    if (object instanceof Ioas) return this.#attachIoas(object);
    return object instanceof HwptPaging || object instanceof HwptNested
      ? this.#use(object)
      : -EINVAL;
  }

  /**
   * Sends the requests of one PASID through a HWPT that was allocated for that, or moves the PASID of the whole group
   * there if it is attached already; as {@link attach}.
   */
  attachPasid(pasid: number, id: number): number {
    const hwpt = this.host.objects.get(id);
    if (hwpt === undefined) return -ENOENT;
    // Nor an IOAS: the page tables that are made for one are not for PASIDs (iommufd_hwpt_pasid_compat).
    if (!(hwpt instanceof HwptPaging || hwpt instanceof HwptNested)) return -EINVAL;
    const { group } = this;
    const plain = group.hwpt;
    if (pasid >= 2 ** this.iommu.pasidBits || !forPasid(hwpt) || (plain && !forPasid(plain)))
      return -EINVAL;
    const entry = group.pasids.get(pasid);
    if (entry && entry.hwpt !== hwpt && !entry.devices.has(this)) return -EINVAL;
    if (entry?.hwpt !== hwpt) {
      hwpt.users += 1;
      if (entry) this.#unuse(entry.hwpt);
    }
    group.pasids.set(pasid, { hwpt, devices: (entry?.devices ?? new Set()).add(this) });
    group.iommuGroup.attachPasid(pasid, hwpt);
    return hwpt.id;
  }

  detachPasid(pasid: number): void {
    const entry = this.group.pasids.get(pasid);
    if (!entry?.devices.delete(this) || entry.devices.size > 0) return;
    this.group.pasids.delete(pasid);
    this.group.iommuGroup.attachPasid(pasid, undefined);
    this.#unuse(entry.hwpt);
  }

  /** Detaches the device, if it is attached. The group's DMA is blocked with the last one. */
  detach(): void {
    const { group } = this;
    if (!group.attached.delete(this) || group.hwpt === undefined) return;
    const { hwpt } = group;
    ioasOf(hwpt).policy.release(this);
    if (group.attached.size === 0) {
      group.hwpt = undefined;
      group.iommuGroup.attach();
    }
    this.#unuse(hwpt);
  }

  /** Unbinds it: DMA ownership goes with the group's last device. */
  override destroy(): void {
    this.unbound(this);
    this.detach();
    for (const pasid of [...this.group.pasids.keys()]) this.detachPasid(pasid);
    this.group.bound.delete(this);
    this.group.iommuGroup.releaseDevice();
  }

  /** Tries the page tables that attachments have made, then makes one. */
  #attachIoas(ioas: Ioas): number {
    for (const domain of ioas.domains) {
      if (!(domain instanceof HwptPaging) || !domain.options.automatic) continue;
      const result = this.#use(domain);
      if (result !== -EINVAL) return result;
    }
    const hwpt = this.#automaticFor(ioas);
    if (typeof hwpt === 'number') return hwpt;
    const result = this.#use(hwpt);
    if (result < 0) this.host.objects.remove(hwpt);
    return result;
  }

  #automaticFor(ioas: Ioas): HwptPaging | number {
    // The group's other devices stay where they are: a second page table is of no use to this one then.
    if (this.group.hwpt && !this.#alone) return -EINVAL;
    if (!this.host.faults.allocates()) return -ENOMEM;
    const hwpt = new HwptPaging(ioas, this.iommu, {
      automatic: true,
      nestParent: false,
      tracksDirty: false,
      pasid: false,
      faults: undefined,
    });
    const id = this.host.objects.add(hwpt);
    const error = id < 0 ? id : ioas.addDomain(hwpt);
    if (error === 0) return hwpt;
    if (id < 0) hwpt.destroy();
    else this.host.objects.remove(hwpt);
    return error;
  }

  /** No other device of the group is attached, or all move along because this one is attached. */
  get #alone(): boolean {
    return this.attached || this.group.attached.size === 0;
  }

  #use(hwpt: Hwpt): number {
    const { group } = this;
    if (!fits(hwpt, this.iommu)) return -EINVAL;
    if (group.pasids.size > 0 && !forPasid(hwpt)) return -EINVAL;
    if (this.attached) return this.#replace(hwpt);
    if (group.hwpt && group.hwpt !== hwpt) return -EINVAL;
    const error = ioasOf(hwpt).reserve(this.group.iommuGroup.forbidden, this);
    if (error !== 0) return error;
    if (!this.host.faults.allocates()) {
      ioasOf(hwpt).policy.release(this);
      return -ENOMEM;
    }
    group.attached.add(this);
    group.hwpt = hwpt;
    hwpt.users += 1;
    group.iommuGroup.attach(hwpt);
    return hwpt.id;
  }

  /** Moves all attached devices of the group at once. */
  #replace(hwpt: Hwpt): number {
    const { group } = this;
    const old = group.hwpt;
    if (old === undefined || old === hwpt) return hwpt.id;
    const from = ioasOf(old);
    const to = ioasOf(hwpt);
    if (from !== to) {
      // What is reserved for them is the group's: it is in the way of the first of them, or of none.
      for (const device of group.attached)
        if (to.reserve(group.iommuGroup.forbidden, device) !== 0) return -EADDRINUSE;
      for (const device of group.attached) from.policy.release(device);
    }
    group.hwpt = hwpt;
    hwpt.users += group.attached.size;
    group.iommuGroup.attach(hwpt);
    for (let count = group.attached.size; count > 0; count -= 1) this.#unuse(old);
    return hwpt.id;
  }

  /** A page table is used by one less; an automatic one goes with the last. */
  #unuse(hwpt: Hwpt): void {
    hwpt.users -= 1;
    if (hwpt.users === 0 && hwpt instanceof HwptPaging && hwpt.options.automatic)
      this.host.objects.remove(hwpt);
  }
}

/** The address space behind a page table. */
export function ioasOf(hwpt: Hwpt): Ioas {
  return hwpt instanceof HwptPaging ? hwpt.ioas : hwpt.parent.ioas;
}

function forPasid(hwpt: Hwpt): boolean {
  return hwpt instanceof HwptPaging ? hwpt.options.pasid : hwpt.pasid;
}

/** Whether an IOMMU can use a page table that was made for another. */
function fits(hwpt: Hwpt, iommu: Iommu): boolean {
  if (hwpt.iommu.driver !== iommu.driver || hwpt.iommu.pageSizes !== iommu.pageSizes) return false;
  if (hwpt instanceof HwptNested) return true;
  if (hwpt.options.tracksDirty && !iommu.dirtyTracking) return false;
  return !hwpt.enforcesCacheCoherency || iommu.enforcesCacheCoherency;
}
