import type { ContainerIommu, IommuBackend, VfioGroup } from '@vfiokit/iommu';
import { Process } from '@vfiokit/uapi';
import { describe, expect, test } from 'vitest';

/** A backend under test, made anew for every case. */
export interface IommuBackendSubject {
  readonly backend: IommuBackend;
  /** What VFIO_SET_IOMMU takes for it. */
  readonly types: readonly number[];
  /** A group that it takes, claimed as a container would. */
  readonly group: VfioGroup;
}

/** The contract of {@link IommuBackend}: what containers rely on. */
export function describeIommuBackend(name: string, make: () => IommuBackendSubject): void {
  const opened = () => {
    const subject = make();
    const iommu = subject.backend.open(subject.types[0]!, new Process()) as ContainerIommu;
    return { ...subject, iommu };
  };

  describe(`${name} as a kind of IOMMU`, () => {
    test('affirms its types, and nothing that it has not heard of', () => {
      const { backend, types } = make();
      for (const type of types) expect(backend.checkExtension(type)).toBe(1);
      for (const extension of [0, 77, 0xffffffff])
        expect(backend.checkExtension(extension)).toBe(0);
    });

    test('opens its types, and refuses every other as invalid', () => {
      const { backend, types } = make();
      for (const type of types) expect(typeof backend.open(type, new Process())).toBe('object');
      expect(backend.open(77, new Process())).toBe(-22);
    });

    test('makes an IOMMU for each container, which knows whose it is', () => {
      const { backend, iommu, types } = opened();
      expect(iommu.backend).toBe(backend);
      expect(backend.open(types[0]!, new Process())).not.toBe(iommu);
    });

    test('takes a group in and lets it go, whose DMA is blocked then', () => {
      const { iommu, group } = opened();
      expect(iommu.attachGroup(group)).toBe(0);
      iommu.detachGroup(group);
      if (group.kind === 'iommu') expect(group.iommuGroup.domain.name).toBe('blocking');
    });

    test('knows no ioctl but its own', () => {
      const { iommu, group } = opened();
      iommu.attachGroup(group);
      expect(iommu.ioctl(0x3b00, 0, new Process())).toBe(-25);
      expect(iommu.ioctl(0x3bff, new Uint8Array(64), new Process())).toBe(-25);
    });

    test('has nothing mapped before anything is, and after it is released', () => {
      const { iommu, group } = opened();
      expect(iommu.snapshot().mappings).toEqual([]);
      iommu.attachGroup(group);
      iommu.detachGroup(group);
      iommu.release();
      expect(iommu.snapshot().mappings).toEqual([]);
    });
  });
}
