import { type DeviceFacts, describeClass, type HostFacts, readHost } from '@vfiokit/binder';
import { openMachine } from '@vfiokit/host';
import type { Palette } from '../io.js';
import { type TreeNode, tree } from '../output.js';
import type { Chapter } from './chapter.js';
import type { Stage } from './stage.js';

/** What a model has to have as it was recorded. */
const COMPARED = [
  'ids',
  'revision',
  'headerType',
  'modalias',
  'driver',
  'override',
  'group',
  'physfn',
  'totalVfs',
] as const;

/** What is there, and whether the model that is made of it is the same. */
export async function machineChapter(
  name: string,
  stage: Stage,
  colors: Palette,
): Promise<Chapter> {
  const { sysfs } = await openMachine(name);
  const host = await readHost(sysfs);
  const { same, compared } = await compare(host, stage);
  const { release, architecture, devices, groups } = host;
  return {
    name: 'machine',
    title: `A machine that was recorded: Linux ${release}, ${architecture.value}, ${devices.size} functions, ${groups.size} IOMMU groups`,
    lines: [
      ...(await functionTree(host, (device) => sysfs.readLink(device.path), colors)),
      `A model is made of it, on which all this is done: ${same} of ${compared} facts are as recorded.`,
    ],
    facts: {
      name,
      release,
      architecture: architecture.value,
      functions: devices.size,
      groups: groups.size,
      compared,
      same,
    },
    good: same === compared,
  };
}

async function compare(
  recorded: HostFacts,
  stage: Stage,
): Promise<{ same: number; compared: number }> {
  const modelled = await readHost(stage.opened.sysfs);
  let same = 0;
  for (const [name, facts] of recorded.devices)
    for (const key of COMPARED)
      if (
        JSON.stringify(facts[key].value) === JSON.stringify(modelled.devices.get(name)?.[key].value)
      )
        same += 1;
  return { same, compared: recorded.devices.size * COMPARED.length };
}

/** The functions as a tree, each below the bridge in front of it. */
async function functionTree(
  host: HostFacts,
  place: (device: DeviceFacts) => Promise<string | number>,
  colors: Palette,
): Promise<readonly string[]> {
  const nodes = new Map<string, TreeNode & { readonly children: TreeNode[] }>();
  for (const device of host.devices.values())
    nodes.set(device.name, { label: label(device, colors), children: [] });
  const top: TreeNode[] = [];
  for (const device of host.devices.values()) {
    const path = String(await place(device)).split('/');
    (nodes.get(path.at(-2) ?? '')?.children ?? top).push(nodes.get(device.name)!);
  }
  return top.flatMap((node) => tree(node));
}

function label(device: DeviceFacts, { bold, dim, green, yellow }: Palette): string {
  const { name, driver, group, physfn, override, vfioDevices, classDevices } = device;
  const bound = driver.value ?? 'no driver';
  const paint =
    vfioDevices.length > 0 ? green : driver.value === null ? dim : (text: string) => text;
  const notes = [
    `group ${group.value}`,
    ...(physfn.value ? [`VF of ${physfn.value}`] : []),
    ...(override.value ? [yellow(`override ${override.value}`)] : []),
    ...Object.values(classDevices).map(([first]) => first),
  ];
  return `${bold(name)} ${describeClass(device)}: ${paint(bound)}, ${notes.join(', ')}`;
}
