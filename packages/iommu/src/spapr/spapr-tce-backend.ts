import { EINVAL, VFIO_EEH, VFIO_SPAPR_TCE_IOMMU, VFIO_SPAPR_TCE_v2_IOMMU } from '@vfiokit/uapi';
import { inject, injectable } from 'tsyringe';
import type { ContainerIommu, IommuBackend } from '../container/backend.js';
import type { IommuParameters } from '../container/parameters.js';
import type { IommuGroup } from '../group/iommu-group.js';
import { IommuGroups } from '../group/iommu-groups.js';
import { IOMMU_PARAMETERS } from '../tokens.js';
import { EehPe } from './eeh.js';
import { RegisteredMemory } from './registered-memory.js';
import { SpaprTce } from './spapr-tce.js';

/** DMA windows and their tables of TCEs: POWER (vfio_iommu_spapr_tce.c). */
@injectable()
export class SpaprTceBackend implements IommuBackend {
  readonly name = 'vfio-iommu-spapr-tce';
  readonly noiommu = false;
  readonly #registered: RegisteredMemory;
  readonly #endpoints = new WeakMap<IommuGroup, EehPe>();

  constructor(
    @inject(IOMMU_PARAMETERS) private readonly parameters: IommuParameters,
    @inject(IommuGroups) private readonly groups: IommuGroups,
  ) {
    this.#registered = new RegisteredMemory(parameters.pageSize);
  }

  checkExtension(extension: number): number {
    switch (extension) {
      case VFIO_SPAPR_TCE_IOMMU:
      case VFIO_SPAPR_TCE_v2_IOMMU:
        return 1;
      case VFIO_EEH:
        return [...this.groups].some(({ iommu }) => iommu?.tce?.eeh) ? 1 : 0;
      default:
        return 0;
    }
  }

  open(type: number): ContainerIommu | number {
    if (type !== VFIO_SPAPR_TCE_IOMMU && type !== VFIO_SPAPR_TCE_v2_IOMMU) return -EINVAL;
    return new SpaprTce(
      this,
      this.parameters,
      type === VFIO_SPAPR_TCE_v2_IOMMU,
      this.#registered,
      (group) => this.endpoint(group),
    );
  }

  /** The partitionable endpoint that a group is; `undefined` where the platform handles no errors. */
  endpoint(group: IommuGroup): EehPe | undefined {
    if (!group.iommu?.tce?.eeh) return undefined;
    const pe = this.#endpoints.get(group) ?? new EehPe();
    this.#endpoints.set(group, pe);
    return pe;
  }
}
