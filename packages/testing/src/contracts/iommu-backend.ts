import type { ContainerIommu, IommuBackend, VfioGroup } from '@vfiokit/iommu';
import { Process } from '@vfiokit/uapi';
import { expect } from 'vitest';
import { type ContractCases, type Declines, describeContract } from './contract.js';

/** A kind of IOMMU under test, made anew for every case. */
export interface IommuBackendSubject {
  readonly backend: IommuBackend;
  /** What VFIO_SET_IOMMU takes for it. */
  readonly types: readonly number[];
  /** A group that it takes, claimed as a container would. */
  readonly group: VfioGroup;
}

const EINVAL = 22;
const ENOTTY = 25;
/** Numbers that are no extension and no type of anything. */
const UNHEARD_OF = [0, 77, 0xffffffff] as const;
/** VFIO_GET_API_VERSION is the container's; the others are nobody's. */
const FOREIGN_IOCTLS = [0x3b64, 0x3b00, 0x3bff] as const;

/** The contract of {@link IommuBackend}: what containers rely on. */
export function describeIommuBackend(
  name: string,
  make: () => IommuBackendSubject,
  declines: Declines = {},
): void {
  describeContract(`${name} as a kind of IOMMU`, iommuBackendCases(make), declines);
}

/** The cases by title, to be run by {@link describeIommuBackend}. */
export function iommuBackendCases(make: () => IommuBackendSubject): ContractCases {
  const opened = () => {
    const subject = make();
    const iommu = subject.backend.open(subject.types[0]!, new Process());
    expect(iommu).toBeTypeOf('object');
    return { ...subject, iommu: iommu as ContainerIommu };
  };
  return {
    'affirms its types, and nothing that it has not heard of'() {
      const { backend, types } = make();
      for (const type of types) expect(backend.checkExtension(type)).toBe(1);
      for (const extension of UNHEARD_OF) expect(backend.checkExtension(extension)).toBe(0);
    },
    'opens each of its types, and refuses every other as invalid'() {
      const { backend, types } = make();
      for (const type of types) expect(backend.open(type, new Process())).toBeTypeOf('object');
      for (const type of UNHEARD_OF) expect(backend.open(type, new Process())).toBe(-EINVAL);
    },
    'makes an IOMMU for each container, which knows its kind'() {
      const { backend, iommu, types } = opened();
      expect(iommu.backend).toBe(backend);
      expect(backend.open(types[0]!, new Process())).not.toBe(iommu);
    },
    'offers on a container nothing that it has not heard of'() {
      const { iommu } = opened();
      for (const extension of UNHEARD_OF) expect(iommu.checkExtension(extension)).toBe(0);
    },
    'takes a group in, lets it go with its DMA blocked, and takes it in again'() {
      const { iommu, group } = opened();
      for (let turn = 0; turn < 2; turn += 1) {
        expect(iommu.attachGroup(group)).toBe(0);
        iommu.detachGroup(group);
        if (group.kind === 'iommu') expect(group.iommuGroup.domain.name).toBe('blocking');
      }
    },
    'leaves every ioctl that is not its own to nobody'() {
      const { iommu, group } = opened();
      iommu.attachGroup(group);
      for (const command of FOREIGN_IOCTLS)
        expect(iommu.ioctl(command, new Uint8Array(64), new Process())).toBe(-ENOTTY);
    },
    'refuses ioctls without an argument or with an empty one, and does not throw'() {
      const { iommu, group } = opened();
      iommu.attachGroup(group);
      for (let command = 0x3b70; command < 0x3b80; command += 1)
        for (const argument of [undefined, new Uint8Array(0)]) {
          // VFIO_IOMMU_ENABLE and VFIO_IOMMU_DISABLE take none.
          if (command === 0x3b73 || command === 0x3b74) continue;
          expect(iommu.ioctl(command, argument, new Process())).toBeLessThan(0);
        }
    },
    'has nothing mapped before anything is, and after it is released'() {
      const { iommu, group } = opened();
      expect(iommu.snapshot().mappings).toEqual([]);
      iommu.attachGroup(group);
      iommu.detachGroup(group);
      iommu.release();
      expect(iommu.snapshot().mappings).toEqual([]);
    },
  };
}
