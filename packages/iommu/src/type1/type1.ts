import {
  EBUSY,
  EINVAL,
  ENODEV,
  ENOTTY,
  EOVERFLOW,
  EPERM,
  type IoctlArgument,
  type Process,
  VFIO_DMA_CC_IOMMU,
  VFIO_IOMMU_DIRTY_PAGES,
  VFIO_IOMMU_GET_INFO,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_UNMAP_DMA,
  VFIO_UPDATE_VADDR,
} from '@vfiokit/uapi';
import { type AddressRange, lastOf } from '../address/address.js';
import type { DmaSnapshot } from '../address/dma-snapshot.js';
import { IovaRanges } from '../address/iova-ranges.js';
import { userSizes } from '../address/page-sizes.js';
import type { ContainerIommu, IommuBackend } from '../container/backend.js';
import type { EmulatedDma } from '../container/emulated-dma.js';
import type { IommuParameters } from '../container/parameters.js';
import type { GroupDevice } from '../group/group-device.js';
import type { IommuGroup } from '../group/iommu-group.js';
import type { VfioGroup } from '../group/vfio-group.js';
import { DMA_READ, DMA_WRITE } from '../hardware/dma.js';
import type { Iommu } from '../hardware/iommu.js';
import { StaleBits } from './bitmap-request.js';
import { dirtyPagesIoctl } from './dirty-pages.js';
import { Type1EmulatedPages } from './emulated-pages.js';
import { getInfoIoctl } from './get-info.js';
import { mapDmaIoctl } from './map-dma.js';
import { type MapRequest, Type1Mappings } from './mappings.js';
import { unmapDmaIoctl, unmapRange } from './unmap-dma.js';

/** A page table in hardware: groups behind alike IOMMUs share one. All of a container's show the same mappings. */
interface Type1Domain {
  readonly iommu: Iommu;
  readonly groups: Set<VfioGroup>;
}

/** The type1 IOMMU of a container, v1 or v2 (vfio_iommu_type1.c: struct vfio_iommu). */
export class Type1 implements ContainerIommu {
  readonly v2: boolean;
  readonly mappings: Type1Mappings;
  readonly #nesting: boolean;
  readonly #domains: Type1Domain[] = [];
  readonly #emulated: VfioGroup[] = [];
  /** Groups that may write memory without telling, for all that is known. */
  readonly #silent = new Set<VfioGroup>();
  readonly #devices = new Set<GroupDevice>();

  constructor(
    readonly backend: IommuBackend,
    private readonly parameters: IommuParameters,
    { v2, nesting }: { readonly v2: boolean; readonly nesting: boolean },
  ) {
    this.v2 = v2;
    this.#nesting = nesting;
    this.mappings = new Type1Mappings(parameters.dmaEntryLimit, parameters.pageSize);
  }

  /** Groups are attached whose parent driver does the DMA. */
  get hasEmulated(): boolean {
    return this.#emulated.length > 0;
  }

  /** Everything that hardware could have written counts as dirty: it does not say. */
  get allDirty(): boolean {
    return this.#silent.size > 0 && this.mappings.hardware;
  }

  /** What a range that wraps is answered with. */
  get wrapped(): number {
    return this.parameters.release === '6.12' ? -EINVAL : -EOVERFLOW;
  }

  /** Starts to track which pages are written: 0, or `-EINVAL` if a mapping has too many. */
  startTracking(): number {
    const { staleDirtyBits } = this.parameters.quirks;
    return this.mappings.startTracking(staleDirtyBits ? new StaleBits() : undefined);
  }

  /** Open devices that want to be told of unmaps. */
  get notified(): readonly GroupDevice[] {
    return [...this.#devices];
  }

  checkExtension(extension: number): number {
    switch (extension) {
      case VFIO_DMA_CC_IOMMU:
        return this.#domains.every(({ iommu }) => iommu.enforcesCacheCoherency) ? 1 : 0;
      case VFIO_UPDATE_VADDR:
        return this.hasEmulated ? 0 : 1;
      default:
        return this.backend.checkExtension(extension);
    }
  }

  /** vfio_iommu_type1.c: vfio_iommu_type1_attach_group. The order of the checks decides which errno is seen. */
  attachGroup(group: VfioGroup): number {
    const { mappings } = this;
    if (mappings.invalid > 0) return -EBUSY;
    if (this.#emulated.includes(group) || this.#domainOf(group)) return -EINVAL;
    if (group.kind === 'emulated') {
      this.#emulated.push(group);
      return 0;
    }
    const { iommu, forbidden } = group.iommuGroup;
    if (iommu === undefined || iommu.pageSizes === 0n) return -ENODEV;
    if (this.#nesting) return -EINVAL;
    if (this.#conflicts(iommu.aperture, forbidden)) return -EINVAL;
    const ranges = usable(mappings.ranges ?? new IovaRanges(), group.iommuGroup);
    if (ranges.empty) return -EINVAL;
    if (!iommu.isolatedMsi && !this.parameters.allowUnsafeInterrupts) return -EPERM;
    const domain = this.#domains.find((other) => alike(other.iommu, iommu));
    if (this.#domains.length === 0) {
      const result = mappings.pinAll();
      if (result !== 0) return result;
    }
    if (domain) domain.groups.add(group);
    else this.#domains.push({ iommu, groups: new Set([group]) });
    group.iommuGroup.attach(mappings);
    mappings.ranges = ranges;
    mappings.pageSizes = this.#commonPageSizes();
    this.#silent.add(group);
    return 0;
  }

  /** vfio_iommu_type1.c: vfio_iommu_type1_detach_group */
  detachGroup(group: VfioGroup): void {
    const { mappings } = this;
    const index = this.#emulated.indexOf(group);
    if (index !== -1) {
      this.#emulated.splice(index, 1);
      if (!this.hasEmulated && this.#domains.length === 0) mappings.removeAll();
      return;
    }
    const domain = this.#domainOf(group);
    if (domain === undefined) return;
    group.iommuGroup.attach();
    domain.groups.delete(group);
    if (domain.groups.size === 0) this.#domains.splice(this.#domains.indexOf(domain), 1);
    if (this.#silent.delete(group)) mappings.dirtyAll();
    if (this.#domains.length === 0) {
      if (this.hasEmulated) mappings.unpinAll();
      else mappings.dropHardware();
    }
    mappings.pageSizes = this.#commonPageSizes();
    mappings.ranges = this.#remainingRanges();
  }

  ioctl(command: number, argument: IoctlArgument, caller: Process): number {
    switch (command) {
      case VFIO_IOMMU_GET_INFO:
        return getInfoIoctl(this, argument);
      case VFIO_IOMMU_MAP_DMA:
        return mapDmaIoctl(this, argument, caller);
      case VFIO_IOMMU_UNMAP_DMA:
        return unmapDmaIoctl(this, argument, caller);
      case VFIO_IOMMU_DIRTY_PAGES:
        return dirtyPagesIoctl(this, argument, caller);
      default:
        return -ENOTTY;
    }
  }

  /** VFIO_IOMMU_MAP_DMA for callers in the kernel, with checked numbers: 0 or a negated errno. */
  map(request: MapRequest, process: Process): number {
    return this.mappings.map(request, process);
  }

  /** VFIO_IOMMU_UNMAP_DMA likewise: how many bytes were unmapped, or a negated errno. */
  unmap(iova: number, size: number): number {
    return unmapRange(this, { start: iova, end: iova + size, all: false, vaddr: false });
  }

  registerDevice(device: GroupDevice): void {
    if (device.dmaUnmap) this.#devices.add(device);
  }

  unregisterDevice(device: GroupDevice): void {
    this.#devices.delete(device);
  }

  pagesOf(group: VfioGroup): EmulatedDma {
    const devices = this.#devices;
    const silent = this.#silent;
    return new Type1EmulatedPages({
      v2: this.v2,
      mappings: this.mappings,
      get notifies() {
        return devices.size > 0;
      },
      pinned: () => silent.delete(group),
    });
  }

  snapshot(): DmaSnapshot {
    const { tree, pageSizes, available, ranges } = this.mappings;
    return {
      kind: this.v2 ? 'type1 v2' : 'type1 v1',
      pageSizes,
      available,
      ranges: [...(ranges ?? [])].map((range) => ({
        start: BigInt(range.start),
        last: lastOf(range),
      })),
      mappings: [...tree.rows()].map((row) => ({
        iova: BigInt(tree.start(row)),
        size: BigInt(tree.end(row) - tree.start(row)),
        target: BigInt(this.mappings.vaddr(row, tree.start(row))),
        read: (tree.flags(row) & DMA_READ) !== 0,
        write: (tree.flags(row) & DMA_WRITE) !== 0,
      })),
    };
  }

  release(): void {
    this.mappings.removeAll();
  }

  #domainOf(group: VfioGroup): Type1Domain | undefined {
    return this.#domains.find(({ groups }) => groups.has(group));
  }

  /** A newcomer would cut off or reserve what is mapped already. */
  #conflicts(aperture: AddressRange, forbidden: readonly AddressRange[]): boolean {
    const { tree } = this.mappings;
    if (tree.firstWithin(0, aperture.start) !== 0) return true;
    if (tree.first(aperture.end) !== 0) return true;
    return forbidden.some(({ start, end }) => tree.firstWithin(start, end) !== 0);
  }

  #commonPageSizes(): bigint {
    const sizes = this.#domains.map(({ iommu }) => iommu.pageSizes);
    return userSizes(sizes, this.mappings.page);
  }

  #remainingRanges(): IovaRanges {
    const groups = this.#domains.flatMap((domain) => [...domain.groups]);
    return groups.reduce((ranges, group) => usable(ranges, group.iommuGroup), new IovaRanges());
  }
}

/** What can be mapped once a group is there too. */
function usable(ranges: IovaRanges, { iommu, forbidden }: IommuGroup): IovaRanges {
  const reached = iommu ? ranges.within(iommu.aperture) : ranges;
  return forbidden.reduce((left, region) => left.without(region), reached);
}

/** Whether groups behind two IOMMUs can share a page table. */
function alike(one: Iommu, other: Iommu): boolean {
  return (
    one.driver === other.driver &&
    one.enforcesCacheCoherency === other.enforcesCacheCoherency &&
    one.pageSizes === other.pageSizes &&
    one.aperture.start === other.aperture.start &&
    one.aperture.end === other.aperture.end
  );
}
