import type { ContainerReport, GroupReport, HostReport } from '@vfiokit/iommu';
import type { Palette } from '../io.js';
import { plural, size, table } from '../output.js';

/** Groups, who owns their DMA, and the containers that they are in. */
export function groupLines(
  { groups, containers }: HostReport,
  { bold, dim, green, yellow }: Palette,
): readonly string[] {
  if (groups.length === 0) return [];
  const typed = groups.some(({ type }) => type !== undefined);
  const owner = (group: GroupReport) => {
    if (group.owner === 'nobody') return dim('nobody');
    if (group.owner === undefined) return '?';
    const drivers = group.holders.map((holder) => holder.replace(/^.*\((.*)\)$/, '$1'));
    return group.owner === 'host'
      ? yellow([...new Set(drivers)].join(', '))
      : green(group.holders.join(', ') || 'a user');
  };
  const rows = groups.map((group) => [
    String(group.id),
    shortNames(group.members),
    owner(group),
    group.node ?? '-',
    containerText(group.container, containers),
    ...(typed ? [dim(group.type ?? '?')] : []),
  ]);
  const header = ['group', 'functions', 'DMA belongs to', 'node', 'container'];
  return [
    bold('IOMMU groups'),
    ...table(rows, {
      header: typed ? [...header, 'domain'] : header,
      indent: '  ',
      align: ['right'],
    }),
    ...(groups.some(({ container: of }) => of === undefined)
      ? [dim('  ?: neither /sys nor /proc tells')]
      : []),
    ...containers.map(
      ({ number, iommu, groups: inside, mappings, bytes }) =>
        `container ${number}: ${iommu ?? 'no IOMMU yet'}, ${inside.length === 1 ? 'group' : 'groups'} ${inside.join(' ')}, ${plural(mappings, 'mapping')} of ${size(bytes)}`,
    ),
  ];
}

function containerText(
  container: GroupReport['container'],
  containers: readonly ContainerReport[],
): string {
  if (container === undefined) return '?';
  if (container === null) return '-';
  if (container === 'iommufd') return container;
  const iommu = containers.find(({ number }) => number === container)?.iommu;
  return `${container} (${iommu ?? 'no IOMMU yet'})`;
}

/** Functions of one slot share its name: `0000:00:1f.{0,2,3}`, as a shell spells it out. */
export function shortNames(names: readonly string[]): string {
  const slots = new Map<string, string[]>();
  for (const name of names) {
    const [slot = name, number = ''] = name.split('.');
    slots.set(slot, [...(slots.get(slot) ?? []), number]);
  }
  return [...slots]
    .map(([slot, numbers]) =>
      numbers.length > 1
        ? `${slot}.{${numbers.join(',')}}`
        : [slot, ...numbers.filter((number) => number !== '')].join('.'),
    )
    .join(' ');
}
