import { VfioError } from '@vfiokit/uapi';
import { IommuGroup, type IommuGroupOptions } from './iommu-group.js';

/** The IOMMU groups of a machine: /sys/kernel/iommu_groups. */
export class IommuGroups implements Iterable<IommuGroup> {
  readonly #groups = new Map<number, IommuGroup>();

  /**
   * Makes a group; without an id it gets the lowest free number, as the kernel gives them.
   *
   * @throws VfioError EEXIST if there is a group of that number.
   */
  create({ id, ...options }: Partial<IommuGroupOptions> = {}): IommuGroup {
    let number = id ?? 0;
    if (id === undefined) while (this.#groups.has(number)) number += 1;
    if (this.#groups.has(number)) throw new VfioError('EEXIST', `IOMMU group ${number}: it exists`);
    const group = new IommuGroup({ id: number, ...options });
    this.#groups.set(number, group);
    return group;
  }

  get(id: number): IommuGroup | undefined {
    return this.#groups.get(id);
  }

  /** The last device of it has gone. */
  remove(group: IommuGroup): void {
    if (this.#groups.get(group.id) === group) this.#groups.delete(group.id);
  }

  [Symbol.iterator](): Iterator<IommuGroup> {
    return this.#groups.values();
  }
}
