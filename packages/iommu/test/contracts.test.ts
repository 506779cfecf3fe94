import {
  ALL_USAGE_MODELS,
  IOMMU_BACKENDS,
  type IommuBackend,
  type IommuOptions,
  POWERNV,
} from '@vfiokit/iommu';
import { describeIommuBackend, describeUsageModel } from '@vfiokit/testing';
import { StubDevice, TestHost } from './support/host.js';

const backendOf = (host: TestHost) => host.services.resolveAll<IommuBackend>(IOMMU_BACKENDS)[0]!;

function physical(
  backend: NonNullable<IommuOptions['backends']>[number],
  types: readonly number[],
) {
  return () => {
    const host = new TestHost({ backends: [backend] });
    const group = host.groups.groupOf(host.device({ caps: { tce: POWERNV } }))!;
    group.iommuGroup.claim(group);
    return { backend: backendOf(host), types, group };
  };
}

describeIommuBackend('type1', physical('type1', [1, 3]));
describeIommuBackend('spapr-tce', physical('spapr-tce', [2, 7]));
describeIommuBackend('noiommu', () => {
  const host = new TestHost({
    backends: ['noiommu'],
    parameters: { enableUnsafeNoiommuMode: true },
  });
  const group = host.groups.register(new StubDevice('0000:00:03.0', undefined));
  return { backend: backendOf(host), types: [8], group };
});

for (const model of ALL_USAGE_MODELS) describeUsageModel(() => model);
