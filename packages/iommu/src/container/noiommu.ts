import { EINVAL, ENOTTY, EPERM, type Process, VFIO_NOIOMMU_IOMMU } from '@vfiokit/uapi';
import { inject, injectable } from 'tsyringe';
import { IOMMU_PARAMETERS } from '../tokens.js';
import type { ContainerIommu, IommuBackend } from './backend.js';
import type { IommuParameters } from './parameters.js';

/** No IOMMU at all: devices reach all of memory, and nothing can be mapped (container.c: vfio_noiommu_ops). */
@injectable()
export class NoiommuBackend implements IommuBackend {
  readonly name = 'vfio-noiommu';
  readonly noiommu = true;

  constructor(@inject(IOMMU_PARAMETERS) private readonly parameters: IommuParameters) {}

  checkExtension(extension: number): number {
    return extension === VFIO_NOIOMMU_IOMMU && this.parameters.enableUnsafeNoiommuMode ? 1 : 0;
  }

  open(type: number, caller: Process): ContainerIommu | number {
    if (type !== VFIO_NOIOMMU_IOMMU) return -EINVAL;
    if (!caller.credentials.sysRawio) return -EPERM;
    return {
      backend: this,
      checkExtension: (extension) => this.checkExtension(extension),
      attachGroup: () => 0,
      detachGroup: () => {},
      ioctl: () => -ENOTTY,
      snapshot: () => ({ kind: 'noiommu', pageSizes: 0n, available: 0, ranges: [], mappings: [] }),
      release: () => {},
    };
  }
}
