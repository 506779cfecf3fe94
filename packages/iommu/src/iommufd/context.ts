import { ENOENT, type Process } from '@vfiokit/uapi';
import type { IommuParameters } from '../container/parameters.js';
import type { IommuGroup } from '../group/iommu-group.js';
import type { FaultInjection } from '../memory/fault-injection.js';
import type { LockedByUser } from '../memory/locked-by-user.js';
import type { AccountMode, PagesHost } from './io-pages.js';
import type { Ioas } from './ioas.js';
import { IommufdGroup } from './iommufd-device.js';
import { type IommufdObject, ObjectTable } from './object.js';

/** How locked memory is counted: IOMMU_OPTION_RLIMIT_MODE. */
export type RlimitMode = 'user' | 'mm';

/** What an open /dev/iommu holds (iommufd_private.h: struct iommufd_ctx). */
export class IommufdContext implements PagesHost {
  readonly objects: ObjectTable;
  /** How locked memory is counted. */
  rlimitMode: RlimitMode = 'user';
  /** The IOAS that VFIO's own calls work on. */
  compatIoas: Ioas | undefined;
  /** VFIO's calls are answered for groups without an IOMMU. */
  noiommu = false;
  readonly #groups = new Map<IommuGroup, IommufdGroup>();

  constructor(
    readonly parameters: IommuParameters,
    readonly users: LockedByUser,
    readonly faults: FaultInjection,
  ) {
    this.objects = new ObjectTable(faults);
  }

  get pageSize(): number {
    return this.parameters.pageSize;
  }

  /** How memory that a process maps now is counted. */
  accountMode(process: Process, mode: RlimitMode = this.rlimitMode): AccountMode {
    return process.credentials.ipcLock ? 'none' : mode;
  }

  /** The bound devices of an IOMMU group. */
  groupOf(iommuGroup: IommuGroup): IommufdGroup {
    const group = this.#groups.get(iommuGroup) ?? new IommufdGroup(iommuGroup);
    this.#groups.set(iommuGroup, group);
    return group;
  }

  /** The group, if a device of it is bound. */
  boundGroup(iommuGroup: IommuGroup): IommufdGroup | undefined {
    const group = this.#groups.get(iommuGroup);
    return group && group.bound.size > 0 ? group : undefined;
  }

  /** The object of a number if it is of a kind, `-ENOENT` otherwise; 0 is no number. */
  find<T extends IommufdObject>(id: number, kind: abstract new (...args: never) => T): T | number {
    return id === 0 ? -ENOENT : this.objects.find(id, kind);
  }
}
