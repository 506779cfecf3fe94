import type { ContainerIommu, IommuBackend, VfioGroup } from '@vfiokit/iommu';
import { Process } from '@vfiokit/uapi';
import { iommuBackendCases } from '../src/contracts/iommu-backend.js';
import { describeIommuBackend, type IommuBackendSubject } from '../src/index.js';
import { describeBroken, fail } from './broken.js';

const TYPE = 3;

/** A kind of IOMMU that has one type, no ioctl, and nothing mapped. */
function idle(
  overrideBackend: Partial<IommuBackend> = {},
  overrideIommu: Partial<ContainerIommu> = {},
): IommuBackendSubject {
  const domain = { name: 'blocking' };
  const group = { kind: 'iommu', iommuGroup: { domain } } as unknown as VfioGroup;
  const backend: IommuBackend = {
    name: 'vfio-idle',
    noiommu: false,
    checkExtension: (extension) => (extension === TYPE ? 1 : 0),
    open: (type) => (type === TYPE ? opened() : -22),
    ...overrideBackend,
  };
  const groups = new Set<VfioGroup>();
  const opened = (): ContainerIommu => ({
    backend,
    checkExtension: (extension) => backend.checkExtension(extension),
    attachGroup(one) {
      if (groups.has(one)) return -22;
      groups.add(one);
      domain.name = 'own';
      return 0;
    },
    detachGroup(one) {
      groups.delete(one);
      domain.name = 'blocking';
    },
    ioctl: () => -25,
    snapshot: () => snapshot(0),
    release: () => {},
    ...overrideIommu,
  });
  return { backend, types: [TYPE], group };
}

const mapping = { iova: 0n, size: 4096n, target: 0n, read: true, write: true };
const snapshot = (mappings: number) => ({
  kind: 'idle',
  pageSizes: 4096n,
  available: null,
  ranges: [],
  mappings: Array(mappings).fill(mapping),
});

describeIommuBackend('an IOMMU that maps nothing', idle);

describeBroken('a kind of IOMMU', iommuBackendCases, {
  'affirms its types, and nothing that it has not heard of': () =>
    idle({ checkExtension: () => 1 }),
  'opens each of its types, and refuses every other as invalid': () => idle({ open: () => -25 }),
  'makes an IOMMU for each container, which knows its kind'() {
    const subject = idle();
    const only = subject.backend.open(TYPE, new Process()) as ContainerIommu;
    const backend = { ...subject.backend, open: () => only };
    return { ...subject, backend };
  },
  'offers on a container nothing that it has not heard of': () =>
    idle({}, { checkExtension: () => 1 }),
  'takes a group in, lets it go with its DMA blocked, and takes it in again': () =>
    idle({}, { detachGroup: () => {} }),
  'leaves every ioctl that is not its own to nobody': () => idle({}, { ioctl: () => 0 }),
  'refuses ioctls without an argument or with an empty one, and does not throw': () =>
    idle({}, { ioctl: fail }),
  'has nothing mapped before anything is, and after it is released': () =>
    idle({}, { snapshot: () => snapshot(1) }),
});
