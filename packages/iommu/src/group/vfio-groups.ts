import { type Process, VfioError } from '@vfiokit/uapi';
import { inject, injectable } from 'tsyringe';
import type { IommuParameters } from '../container/parameters.js';
import { IOMMU_PARAMETERS } from '../tokens.js';
import { DeviceNode } from './device-node.js';
import type { GroupDevice } from './group-device.js';
import type { GroupFile } from './group-file.js';
import type { IommuGroup } from './iommu-group.js';
import { IommuGroups } from './iommu-groups.js';
import { NumberPool } from './number-pool.js';
import { VfioGroup, type VfioGroupKind } from './vfio-group.js';

/** The groups of a host whose devices VFIO drives: `/dev/vfio/N` (group.c). */
@injectable()
export class VfioGroups implements Iterable<VfioGroup> {
  readonly #byDevice = new Map<GroupDevice, VfioGroup>();
  readonly #byIommuGroup = new Map<IommuGroup, VfioGroup>();
  readonly #byNodeName = new Map<string, VfioGroup>();
  readonly #nodes = new Map<number, DeviceNode>();
  readonly #nodeOf = new Map<GroupDevice, DeviceNode>();
  readonly #nodeNumbers = new NumberPool();
  readonly #taints: string[] = [];

  constructor(
    @inject(IommuGroups) private readonly iommuGroups: IommuGroups,
    @inject(IOMMU_PARAMETERS) private readonly parameters: IommuParameters,
  ) {}

  /** Why the kernel is tainted: each device that is used without an IOMMU. */
  get taints(): readonly string[] {
    return this.#taints;
  }

  /**
   * A VFIO driver offers a device: its group appears with the first one (group.c: vfio_device_set_group).
   *
   * @throws VfioError EINVAL: it has no IOMMU, or one that is not coherent with the CPU's caches.
   */
  register(device: GroupDevice): VfioGroup {
    const group = this.#groupFor(device);
    group.add(device);
    group.iommuGroup.members.add(device.name);
    this.#byDevice.set(device, group);
    this.#byIommuGroup.set(group.iommuGroup, group);
    this.#byNodeName.set(group.nodeName, group);
    if (group.deviceCdev) this.#addNode(device, group);
    return group;
  }

  /**
   * The driver begins to leave the device, which may be open still: its own node goes (vfio_main.c: vfio_device_del), and its
   * group does not give it out any more, as {@link GroupDevice.goingAway} says.
   */
  withdraw(device: GroupDevice): void {
    const node = this.#nodeOf.get(device);
    if (node === undefined) return;
    this.#nodeOf.delete(device);
    this.#nodes.delete(node.index);
    this.#nodeNumbers.give(node.index);
  }

  /**
   * The driver has left the device, which nobody has open: the group goes with its last device, and leaves its container
   * (group.c: vfio_device_remove_group). Files that are open stay so.
   */
  unregister(device: GroupDevice): void {
    const group = this.#byDevice.get(device);
    if (group === undefined) return;
    this.#byDevice.delete(device);
    this.withdraw(device);
    group.remove(device);
    if (!group.gone) return;
    this.#byIommuGroup.delete(group.iommuGroup);
    this.#byNodeName.delete(group.nodeName);
    if (group.kind !== 'iommu') this.iommuGroups.remove(group.iommuGroup);
  }

  /** The group that a device is in. */
  groupOf(device: GroupDevice): VfioGroup | undefined {
    return this.#byDevice.get(device);
  }

  /** The group whose node has a name: `7`, or `noiommu-7`. */
  find(nodeName: string | number): VfioGroup | undefined {
    return this.#byNodeName.get(`${nodeName}`);
  }

  /**
   * open(2) of a group's node.
   *
   * @param nodeName its name in /dev/vfio: the group's number, or `noiommu-7`.
   * @throws VfioError ENOENT (no such node), EPERM, EBUSY: see {@link VfioGroup.open}.
   */
  openGroup(nodeName: string | number, process: Process): GroupFile {
    const group = this.find(nodeName);
    if (group === undefined)
      throw new VfioError(
        'ENOENT',
        `/dev/vfio/${nodeName}: there is no such group; bind one of its devices to a VFIO driver`,
      );
    return group.open(process);
  }

  /** The devices that have nodes of their own. */
  get deviceNodes(): readonly DeviceNode[] {
    return [...this.#nodes.values()];
  }

  /**
   * The node of a device: `/dev/vfio/devices/vfioN`.
   *
   * @throws VfioError ENOENT if there is none of that number.
   */
  deviceNode(index: number): DeviceNode {
    const node = this.#nodes.get(index);
    if (node === undefined)
      throw new VfioError('ENOENT', `/dev/vfio/devices/vfio${index}: there is no such device`);
    return node;
  }

  /** In the order in which they appeared. */
  [Symbol.iterator](): Iterator<VfioGroup> {
    return this.#byIommuGroup.values();
  }

  #addNode(device: GroupDevice, group: VfioGroup): void {
    const node = new DeviceNode(this.#nodeNumbers.take(), device, group);
    this.#nodes.set(node.index, node);
    this.#nodeOf.set(device, node);
  }

  #groupFor(device: GroupDevice): VfioGroup {
    if (device.emulated) return this.#create('emulated', 'vfio-mdev');
    if (device.iommuGroup === undefined) {
      if (!this.parameters.enableUnsafeNoiommuMode)
        throw new VfioError(
          'EINVAL',
          `${device.name}: it has no IOMMU group; enable the IOMMU, or vfio's enable_unsafe_noiommu_mode`,
        );
      this.#taints.push(`${device.name}: adding a device without an IOMMU`);
      return this.#create('noiommu', 'vfio-noiommu');
    }
    if (!device.iommuGroup.iommu?.cacheCoherent)
      throw new VfioError(
        'EINVAL',
        `${device.name}: its IOMMU is not coherent with the CPU's caches`,
      );
    return (
      this.#byIommuGroup.get(device.iommuGroup) ??
      new VfioGroup(device.iommuGroup, 'iommu', this.parameters)
    );
  }

  #create(kind: VfioGroupKind, name: string): VfioGroup {
    return new VfioGroup(this.iommuGroups.create({ name }), kind, this.parameters);
  }
}
