import {
  EINVAL,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1_NESTING_IOMMU,
  VFIO_TYPE1v2_IOMMU,
  VFIO_UNMAP_ALL,
} from '@vfiokit/uapi';
import { inject, injectable } from 'tsyringe';
import type { ContainerIommu, IommuBackend } from '../container/backend.js';
import type { IommuParameters } from '../container/parameters.js';
import { IOMMU_PARAMETERS } from '../tokens.js';
import { Type1 } from './type1.js';

/** Page tables that user space fills mapping by mapping: x86, Arm, s390, RISC-V (vfio_iommu_type1.c). */
@injectable()
export class Type1Backend implements IommuBackend {
  readonly name = 'vfio-iommu-type1';
  readonly noiommu = false;

  constructor(@inject(IOMMU_PARAMETERS) private readonly parameters: IommuParameters) {}

  checkExtension(extension: number): number {
    switch (extension) {
      case VFIO_TYPE1_IOMMU:
      case VFIO_TYPE1v2_IOMMU:
      case VFIO_UNMAP_ALL:
        return 1;
      case VFIO_TYPE1_NESTING_IOMMU:
        return this.#nests ? 1 : 0;
      default:
        return 0;
    }
  }

  open(type: number): ContainerIommu | number {
    const nesting = type === VFIO_TYPE1_NESTING_IOMMU && this.#nests;
    if (type !== VFIO_TYPE1_IOMMU && type !== VFIO_TYPE1v2_IOMMU && !nesting) return -EINVAL;
    return new Type1(this, this.parameters, { v2: type !== VFIO_TYPE1_IOMMU, nesting });
  }

  get #nests(): boolean {
    return this.parameters.release === '6.12';
  }
}
