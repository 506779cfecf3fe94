import type { Container } from '../container/container.js';
import type { IommuGroup } from '../group/iommu-group.js';
import type { VfioGroup, VfioGroupKind } from '../group/vfio-group.js';

/** A group, as `vfiokit show` lists it. */
export interface GroupReport {
  readonly id: number;
  /** Its node in /dev/vfio; `undefined` while VFIO drives none of its devices. */
  readonly node: string | undefined;
  readonly kind: VfioGroupKind | undefined;
  /** The type of its default domain. */
  readonly type: string | undefined;
  readonly members: readonly string[];
  /** Host drivers that keep it from being used. */
  readonly holders: readonly string[];
  readonly viable: boolean;
  /** What its DMA goes through. */
  readonly domain: string;
  /** The number of its container in {@link HostReport.containers}. */
  readonly container: number | undefined;
  /** It has an iommufd in the place of a container. */
  readonly iommufd: boolean;
}

/** A container, as `vfiokit show` lists it. */
export interface ContainerReport {
  readonly number: number;
  /** `undefined` before VFIO_SET_IOMMU. */
  readonly iommu: string | undefined;
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
  const container = vfio?.container;
  return {
    id: group.id,
    node: vfio && `/dev/vfio/${vfio.nodeName}`,
    kind: vfio?.kind,
    type: group.type,
    members: [...group.members],
    holders: [...group.holders],
    viable: group.holders.length === 0,
    domain: group.domain.name,
    container: container && containers.indexOf(container) + 1,
    iommufd: vfio?.iommufd !== undefined,
  };
}

function reportContainer(container: Container, index: number): ContainerReport {
  const dma = container.iommu?.snapshot();
  return {
    number: index + 1,
    iommu: dma?.kind,
    groups: container.groups.map(({ id }) => id),
    mappings: dma?.mappings.length ?? 0,
    bytes: dma?.mappings.reduce((sum, { size }) => sum + size, 0n) ?? 0n,
  };
}

/** The report as text, a line for each group and each container. */
export function renderGroups({ groups, containers }: HostReport): string {
  return [
    ...groups.map((group) => {
      const where = group.container
        ? `container ${group.container}`
        : group.iommufd
          ? 'iommufd'
          : '';
      const blocked = group.viable ? '' : `not viable: ${group.holders.join(', ')}`;
      const facts = [group.node ?? '', group.domain, where, blocked].filter((text) => text !== '');
      return `group ${group.id}: ${group.members.join(' ')} (${facts.join('; ')})`;
    }),
    ...containers.map(
      ({ number, iommu, groups: inside, mappings, bytes }) =>
        `container ${number}: ${iommu ?? 'no IOMMU yet'}, groups ${inside.join(' ')}, ${mappings} mappings of ${bytes} bytes`,
    ),
  ].join('\n');
}
