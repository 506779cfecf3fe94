import { VfioError } from '@vfiokit/uapi';
import { IommuGroup, type IommuGroupOptions } from './iommu-group.js';
import { NumberPool } from './number-pool.js';

/** The IOMMU groups of a machine: /sys/kernel/iommu_groups. */
export class IommuGroups implements Iterable<IommuGroup> {
  readonly #groups = new Map<number, IommuGroup>();
  readonly #numbers = new NumberPool();

  /**
   * Makes a group; without an id it gets the lowest free number, as the kernel gives them.
   *
   * @throws VfioError EEXIST if there is a group of that number.
   */
  create({ id, ...options }: Partial<IommuGroupOptions> = {}): IommuGroup {
    if (id !== undefined && !this.#numbers.reserve(id))
      throw new VfioError('EEXIST', `IOMMU group ${id}: it exists`);
    const number = id ?? this.#numbers.take();
    const group = new IommuGroup({ id: number, ...options });
    this.#groups.set(number, group);
    return group;
  }

  get(id: number): IommuGroup | undefined {
    return this.#groups.get(id);
  }

  /** The last device of it has gone. */
  remove(group: IommuGroup): void {
    if (this.#groups.get(group.id) !== group) return;
    this.#groups.delete(group.id);
    this.#numbers.give(group.id);
  }

  [Symbol.iterator](): Iterator<IommuGroup> {
    return this.#groups.values();
  }
}
