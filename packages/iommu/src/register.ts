import type { DependencyContainer } from 'tsyringe';
import { type IommuBackend } from './container/backend.js';
import { NoiommuBackend } from './container/noiommu.js';
import { DEFAULT_PARAMETERS, type IommuParameters } from './container/parameters.js';
import { DevVfio } from './dev-vfio.js';
import { IommuGroups } from './group/iommu-groups.js';
import { VfioGroups } from './group/vfio-groups.js';
import { FaultInjection } from './memory/fault-injection.js';
import { SpaprTceBackend } from './spapr/spapr-tce-backend.js';
import { IOMMU_BACKENDS, IOMMU_PARAMETERS, USAGE_MODELS } from './tokens.js';
import { Type1Backend } from './type1/type1-backend.js';
import { ALL_USAGE_MODELS } from './usage/models.js';
import type { UsageModel } from './usage/usage-model.js';

/** The kinds of IOMMU that this package brings, by what the kernel calls their modules. */
const BACKENDS = {
  type1: Type1Backend,
  'spapr-tce': SpaprTceBackend,
  noiommu: NoiommuBackend,
} as const;

/** What a host's IOMMU side can be made to differ in. */
export interface IommuOptions {
  /** Module parameters, quirks and the page size. */
  readonly parameters?: Partial<IommuParameters>;
  /** What the kernel has, in the order in which containers ask: type1 and noiommu unless told (POWER has `spapr-tce`). */
  readonly backends?: readonly (keyof typeof BACKENDS)[];
}

/** Brings the IOMMU side of VFIO to a host's container: {@link DevVfio} with groups, containers and iommufd. */
export function registerIommu(container: DependencyContainer, options: IommuOptions = {}): void {
  container.registerInstance<IommuParameters>(IOMMU_PARAMETERS, {
    ...DEFAULT_PARAMETERS,
    ...options.parameters,
  });
  container.registerSingleton(FaultInjection);
  container.registerSingleton(IommuGroups);
  container.registerSingleton(VfioGroups);
  container.registerSingleton(DevVfio);
  for (const name of options.backends ?? ['type1', 'noiommu'])
    container.registerSingleton<IommuBackend>(IOMMU_BACKENDS, BACKENDS[name]);
  for (const model of ALL_USAGE_MODELS)
    container.register<UsageModel>(USAGE_MODELS, { useValue: model });
}
