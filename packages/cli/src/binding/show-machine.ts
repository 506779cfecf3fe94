import {
  type DeviceFacts,
  describeClass,
  type Fact,
  type GroupFacts,
  type HostFacts,
  unreadable,
} from '@vfiokit/binder';
import type { OpenedMachine } from '@vfiokit/host';
import { PciAddress } from '@vfiokit/pci';
import type { Palette } from '../io.js';
import { type TreeNode, table } from '../output.js';

/** The machine as a tree: host bridges, bridges, functions behind them. */
export async function machineTree(
  name: string,
  sysfs: OpenedMachine['sysfs'],
  host: HostFacts,
  colors: Palette,
): Promise<TreeNode> {
  const children = new Map<string, TreeNode[]>();
  const nodes = new Map<string, TreeNode & { children: TreeNode[] }>();
  for (const device of host.devices.values()) {
    const below: TreeNode[] = [];
    nodes.set(device.name, { label: deviceLabel(device, colors), children: below });
  }
  for (const device of host.devices.values()) {
    const link = await sysfs.readLink(`/sys/bus/pci/devices/${device.name}`);
    const path = typeof link === 'number' ? [] : link.split('/').filter((part) => part !== '');
    const above = path.at(-2) ?? '';
    const parent = nodes.get(above);
    if (parent !== undefined) parent.children.push(nodes.get(device.name)!);
    else {
      const bridge = /^pci[0-9a-f]{4,8}:[0-9a-f]{2}$/.test(above)
        ? above
        : `pci${device.name.slice(0, device.name.lastIndexOf(':'))}`;
      children.set(bridge, [...(children.get(bridge) ?? []), nodes.get(device.name)!]);
    }
  }
  const release = host.release === undefined ? 'kernel unknown' : `Linux ${host.release}`;
  const roots = [...children].map(([label, below]) => ({ label, children: below }));
  return {
    label: `${name}: ${release}, ${host.architecture.value ?? 'architecture unknown'}, ${host.devices.size} ${host.devices.size === 1 ? 'function' : 'functions'}`,
    children: roots,
  };
}

function deviceLabel(device: DeviceFacts, { bold, dim, green, yellow }: Palette): string {
  const ids = device.ids.value;
  const hex = (value: number) => value.toString(16).padStart(4, '0');
  const numbers = ids === undefined ? '????:????' : `${hex(ids.vendor)}:${hex(ids.device)}`;
  const driver = device.driver.value === undefined ? '?' : (device.driver.value ?? '-');
  const colored =
    device.vfioDevices.length > 0 ? green(driver) : driver === '-' ? dim(driver) : driver;
  const notes = [
    device.group.value ? `group ${device.group.value}` : undefined,
    device.physfn.value ? `VF of ${device.physfn.value}` : undefined,
    device.virtfns.length > 0 ? `${device.virtfns.length} VFs` : undefined,
    device.override.value ? yellow(`override ${device.override.value}`) : undefined,
    device.vfioDevices.length > 0 ? device.vfioDevices.join(' ') : undefined,
    ...Object.values(device.classDevices).flat(),
  ].filter((note) => note !== undefined);
  return `${bold(device.name)} ${numbers} ${describeClass(device)} [${colored}]${notes.length > 0 ? ` ${dim(notes.join(', '))}` : ''}`;
}

/** One function in detail: each fact and where it was read. */
export function deviceLines(device: DeviceFacts, group: GroupFacts | undefined): readonly string[] {
  const ids = device.ids.value;
  const hex = (value: number) => value.toString(16).padStart(4, '0');
  const shown = (fact: Fact<string | number | null>) =>
    fact.value === undefined
      ? unreadable(fact)
        ? 'not readable'
        : 'not known'
      : String(fact.value ?? 'none');
  const rows = [
    [
      'ids',
      ids === undefined
        ? 'not known'
        : `${hex(ids.vendor)}:${hex(ids.device)} (subsystem ${hex(ids.subsystemVendor)}:${hex(ids.subsystemDevice)})`,
      device.ids.source,
    ],
    ['class', describeClass(device), device.ids.source],
    ['modalias', shown(device.modalias), device.modalias.source],
    ['driver', shown(device.driver), device.driver.source],
    ['override', shown(device.override), device.override.source],
    ['group', shown(device.group), device.group.source],
    ['PF', shown(device.physfn), device.physfn.source],
    ['VFs', vfCount(device), device.totalVfs.source],
    ['VFIO', device.vfioDevices.join(' ') || 'none', `${device.path}/vfio-dev`],
  ];
  const viable = group?.viable === undefined ? 'not known' : group.viable ? 'viable' : 'not viable';
  const members =
    group === undefined
      ? []
      : [
          `group ${group.number}: ${viable}`,
          ...group.members.map(
            (one) => `  ${one.device.name}  ${one.device.driver.value ?? '-'}  ${one.effect}`,
          ),
        ];
  return [device.name, ...table(rows, { indent: '  ' }), ...members];
}

/** How many of how many. Only a PF has `sriov_totalvfs`; of a copy of a few files its absence says nothing. */
function vfCount({ virtfns, totalVfs, physfn }: DeviceFacts): string {
  if (totalVfs.value !== undefined) return `${virtfns.length} of ${totalVfs.value}`;
  if (virtfns.length > 0) return `${virtfns.length} of not known`;
  return physfn.value === undefined ? 'not known' : 'none';
}

/** A function as a document of `--json`. Unknown facts are absent, "none" is null. */
export function deviceDocument(device: DeviceFacts, group: GroupFacts | undefined): unknown {
  const { ids, driver, override, physfn, modalias, totalVfs } = device;
  return {
    address: device.name,
    domain: PciAddress.parse(device.name).domain,
    ...(ids.value === undefined ? {} : ids.value),
    className: describeClass(device),
    modalias: modalias.value,
    driver: driver.value,
    override: override.value,
    group: device.group.value,
    viable: group?.viable,
    physfn: physfn.value,
    virtfns: device.virtfns,
    totalVfs: totalVfs.value,
    vfioDevices: device.vfioDevices,
    classDevices: device.classDevices,
  };
}
