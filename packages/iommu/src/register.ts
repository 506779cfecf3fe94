import type { DependencyContainer } from 'tsyringe';
import { type IommuBackend } from './container/backend.js';
import { NoiommuBackend } from './container/noiommu.js';
import { DEFAULT_PARAMETERS, type IommuParameters } from './container/parameters.js';
import { DevVfio } from './dev-vfio.js';
import { IommuGroups } from './group/iommu-groups.js';
import { VfioGroups } from './group/vfio-groups.js';
import { IOMMU_BACKENDS, IOMMU_PARAMETERS } from './tokens.js';
import { Type1Backend } from './type1/type1-backend.js';

/** What a host's IOMMU side can be made to differ in. */
export interface IommuOptions {
  /** Module parameters and the page size. */
  readonly parameters?: Partial<IommuParameters>;
}

/** Brings the IOMMU side of VFIO to a host's container: {@link DevVfio} with groups, containers and iommufd. */
export function registerIommu(container: DependencyContainer, options: IommuOptions = {}): void {
  container.registerInstance<IommuParameters>(IOMMU_PARAMETERS, {
    ...DEFAULT_PARAMETERS,
    ...options.parameters,
  });
  container.registerSingleton(IommuGroups);
  container.registerSingleton(VfioGroups);
  container.registerSingleton(DevVfio);
  container.registerSingleton<IommuBackend>(IOMMU_BACKENDS, Type1Backend);
  container.registerSingleton<IommuBackend>(IOMMU_BACKENDS, NoiommuBackend);
}
