import type { Container } from '../container/container.js';
import type { IommuGroup } from '../group/iommu-group.js';
import type { ReservedRegion } from '../group/reserved-region.js';
import type { VfioGroup } from '../group/vfio-group.js';
import { Iommufd } from '../iommufd/iommufd.js';

/** Who has a group's DMA: drivers of the host, a user, or nobody, so that a user could have it. */
export type DmaOwner = 'nobody' | 'host' | 'user';

/** A group as `vfiokit show` lists it. What could not be seen is `undefined`; what is not there is `null`. */
export interface GroupReport {
  readonly id: number;
  readonly members: readonly string[];
  readonly owner: DmaOwner | undefined;
  /** The owner's names: `0000:00:02.0 (i915)` for each driver of the host, `qemu-system-x86 (4200)` for each user. */
  readonly holders: readonly string[];
  /** Its node in /dev/vfio; `null` while VFIO drives none of its devices. */
  readonly node: string | null;
  /** The type of its default domain, such as `DMA-FQ`. */
  readonly type: string | undefined;
  readonly reserved: readonly ReservedRegion[] | undefined;
  /** What stands in a container's place: the number of one in {@link HostReport.containers}, or an iommufd. */
  readonly container: number | 'iommufd' | null | undefined;
}

/** A container, or what stands in its place: an address space that groups share. */
export interface ContainerReport {
  readonly number: number;
  /** The kind of IOMMU that it was given; `null` before VFIO_SET_IOMMU. */
  readonly iommu: string | null;
  readonly groups: readonly number[];
  readonly mappings: number;
  readonly bytes: bigint;
}

/** The groups of a host and the containers that they are in. */
export interface HostReport {
  readonly groups: readonly GroupReport[];
  readonly containers: readonly ContainerReport[];
}

/**
 * Lists a host's groups and containers. Containers without groups belong to nobody but their process and are not seen.
 *
 * @param all every IOMMU group of the host.
 * @param vfio those that VFIO drives.
 */
export function reportGroups(all: Iterable<IommuGroup>, vfio: Iterable<VfioGroup>): HostReport {
  const byGroup = new Map([...vfio].map((group) => [group.iommuGroup, group]));
  const containers = [...byGroup.values()]
    .map(({ container }) => container)
    .filter((container) => container !== undefined);
  const numbered = [...new Set(containers)];
  return {
    groups: [...all].map((group) => reportGroup(group, byGroup.get(group), numbered)),
    containers: numbered.map(reportContainer),
  };
}

function reportGroup(
  group: IommuGroup,
  vfio: VfioGroup | undefined,
  containers: readonly Container[],
): GroupReport {
  const { id, type, reserved, owner } = group;
  const container = vfio?.container;
  const iommufd = vfio?.iommufd !== undefined || owner instanceof Iommufd;
  return {
    id,
    members: [...group.members],
    owner: owner !== undefined ? 'user' : group.ownerClaimed ? 'host' : 'nobody',
    holders: [...group.holders],
    node: vfio === undefined ? null : `/dev/vfio/${vfio.nodeName}`,
    type,
    reserved,
    container: container ? containers.indexOf(container) + 1 : iommufd ? 'iommufd' : null,
  };
}

function reportContainer(container: Container, index: number): ContainerReport {
  const dma = container.iommu?.snapshot();
  return {
    number: index + 1,
    iommu: dma?.kind ?? null,
    groups: container.groups.map(({ id }) => id),
    mappings: dma?.mappings.length ?? 0,
    bytes: dma?.mappings.reduce((sum, { size }) => sum + size, 0n) ?? 0n,
  };
}
