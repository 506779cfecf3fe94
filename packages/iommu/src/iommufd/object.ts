import { EBUSY, ENOENT, ENOMEM } from '@vfiokit/uapi';
import type { FaultInjection } from '../memory/fault-injection.js';

/** The kinds of objects that an iommufd has ids for. */
export type ObjectType =
  | 'ioas'
  | 'device'
  | 'access'
  | 'hwpt-paging'
  | 'hwpt-nested'
  | 'fault'
  | 'viommu'
  | 'vdevice'
  | 'veventq'
  | 'hw-queue'
  | 'tombstone';

/** Something that an iommufd has an id for (iommufd_private.h: struct iommufd_object). */
export abstract class IommufdObject {
  abstract readonly type: ObjectType;
  /** Its number; 0 until it has one. */
  id = 0;
  /** Objects that need it. */
  users = 0;
  /** IOMMU_DESTROY does not reach it: it goes with something else. */
  readonly internal: boolean = false;

  /** It has lost its id: give back what it holds. */
  abstract destroy(): void;
}

/** The objects of an iommufd, by number. */
export class ObjectTable {
  readonly #objects = new Map<number, IommufdObject>();
  /** No lower number is free. */
  #lowest = 1;

  constructor(private readonly faults: FaultInjection) {}

  get size(): number {
    return this.#objects.size;
  }

  /** Gives an object the lowest free number from 1 on; `-ENOMEM`. */
  add(object: IommufdObject): number {
    if (!this.faults.allocates()) return -ENOMEM;
    let id = this.#lowest;
    while (this.#objects.has(id)) id += 1;
    this.#lowest = id + 1;
    object.id = id;
    this.#objects.set(id, object);
    return id;
  }

  get(id: number): IommufdObject | undefined {
    return this.#objects.get(id);
  }

  /** The object of a number if it is of a kind, `-ENOENT` otherwise. */
  find<T extends IommufdObject>(id: number, kind: abstract new (...args: never) => T): T | number {
    const object = this.#objects.get(id);
    return object instanceof kind ? object : -ENOENT;
  }

  /** Takes an object away that nobody needs: 0, `-ENOENT`, `-EBUSY`. */
  destroy(id: number): number {
    const object = this.#objects.get(id);
    if (object === undefined) return -ENOENT;
    if (object.users > 0 || object.internal) return -EBUSY;
    this.remove(object);
    return 0;
  }

  /** Takes an object away, whoever needs it. */
  remove(object: IommufdObject): void {
    if (!this.#objects.delete(object.id)) return;
    this.#lowest = Math.min(this.#lowest, object.id);
    object.destroy();
  }

  /** Puts another object in the place of one. */
  replace(object: IommufdObject, by: IommufdObject): void {
    by.id = object.id;
    this.#objects.set(by.id, by);
  }

  /** Takes everything away, what nobody needs first. */
  clear(): void {
    while (this.#objects.size > 0) {
      const leaf = [...this.#objects.values()].find(({ users }) => users === 0);
      this.remove(leaf ?? this.#objects.values().next().value!);
    }
  }

  [Symbol.iterator](): Iterator<IommufdObject> {
    return this.#objects.values();
  }
}
