import { type DeviceFacts, describeClass } from '../facts/device-facts.js';
import type { GroupFacts } from '../facts/group-facts.js';
import type { HostFacts } from '../facts/host-facts.js';
import type { UsageFacts } from '../facts/usage-facts.js';
import type { ModuleIndex } from '../modules/module-index.js';
import type { Decision, RecordedFact, RecordedMember } from './decision.js';
import type { Target } from './operation.js';

const PCI_BASE_CLASS_BRIDGE = 0x06;
const PCI_CLASS_DISPLAY_VGA = 0x0300;

/** A group as it stands in a record, with what becomes of each member. */
export function recordGroup(
  group: GroupFacts,
  targets: readonly Target[],
): NonNullable<Decision['group']> {
  const bound = new Set(targets.map(({ device }) => device));
  const after = group.members
    .filter(({ device }) => !bound.has(device.name))
    .map(({ effect }) => effect);
  return {
    number: group.number,
    viableNow: group.viable ?? null,
    viableAfter: after.includes('offender') ? false : after.includes('unknown') ? null : true,
    members: group.members.map(
      ({ device, effect }): RecordedMember => ({
        device: device.name,
        class: describeClass(device),
        driver: device.driver.value,
        effect,
        action: actionFor(targets.find((one) => one.device === device.name)),
      }),
    ),
  };
}

function actionFor(target: Target | undefined): RecordedMember['action'] {
  if (target === undefined) return 'leave';
  return target.driver === target.before.driver ? 'keep' : 'bind';
}

/** The facts that a decision was made from. */
export function recordFacts(device: DeviceFacts): readonly RecordedFact[] {
  const ids = device.ids.value;
  const hex = (value: number, digits: number) => `0x${value.toString(16).padStart(digits, '0')}`;
  const rows = [
    ['ids', ids && `${hex(ids.vendor, 4)}:${hex(ids.device, 4)}`, device.ids.source],
    ['class', ids && hex(ids.class, 6), device.ids.source],
    ['modalias', device.modalias.value, device.modalias.source],
    ['header type', device.headerType.value, device.headerType.source],
    ['driver', device.driver.value, device.driver.source],
    ['override', device.override.value, device.override.source],
    ['group', device.group.value, device.group.source],
    ['physfn', device.physfn.value, device.physfn.source],
  ] as const;
  return rows.map(([name, value, source]) => ({
    name,
    ...(value === undefined ? {} : { value }),
    source,
  }));
}

/** What nobody can see in sysfs, and what this machine did not show. */
export function unobserved(
  host: HostFacts,
  device: DeviceFacts,
  usage: UsageFacts,
  index: ModuleIndex | undefined,
): readonly string[] {
  const missing = recordFacts(device)
    .filter((one) => one.value === undefined)
    .map(({ name }) => `${name} of ${device.name}`);
  return [
    'dynamic ids of drivers (new_id is write-only)',
    'the order in which drivers were registered',
    'who owns the IOMMU group',
    ...missing,
    ...(device.capabilitiesKnown ? [] : [`capabilities of ${device.name}`]),
    ...(isVga(device) && device.bootVga.value === undefined
      ? [`whether ${device.name} shows the boot console (boot_vga)`]
      : []),
    ...(index === undefined ? ['the module index of the kernel'] : []),
    ...(host.release === undefined ? ['the kernel release'] : []),
    ...(host.autoprobe === undefined ? ['drivers_autoprobe'] : []),
    ...usage.unobserved,
  ];
}

/** Only these have `boot_vga` (pci-sysfs.c: pci_dev_attrs_are_visible). */
function isVga({ ids }: DeviceFacts): boolean {
  return ids.value !== undefined && ids.value.class >>> 8 === PCI_CLASS_DISPLAY_VGA;
}

/** What somebody should know before a device is taken of which not everything could be seen. */
export function cautions(
  host: HostFacts,
  device: DeviceFacts,
  members: GroupFacts | undefined,
  targets: readonly Target[],
): readonly string[] {
  const { name, group, bootVga, driver, classDevices } = device;
  const texts: string[] = [];
  if (group.value === undefined)
    texts.push(
      `the IOMMU group of ${name} is not known: others may have to come along, and without an IOMMU nothing can be bound`,
    );
  if (group.value === null && host.noIommuMode)
    texts.push(
      `${name} is in no IOMMU group: its DMA would reach all of memory (no-IOMMU mode is on)`,
    );
  if (isVga(device) && bootVga.value === undefined && driver.value) {
    const displays = [...host.devices.values()].filter(isVga);
    const only = displays.length === 1 ? ', and there is no other VGA' : '';
    texts.push(`whether ${name} shows the boot console is not known${only}`);
  }
  for (const framebuffer of classDevices.graphics ?? [])
    texts.push(`${name} carries ${framebuffer}: a console may be on it`);
  for (const { device: other } of members?.members ?? [])
    if (isFree(other) && !targets.some((one) => one.device === other.name))
      texts.push(
        `${other.name} of the same group has no driver: one that takes it before a user has the group keeps the user out`,
      );
  return texts;
}

/** Whether a driver may take a function at any time. */
function isFree({ driver, override, ids }: DeviceFacts): boolean {
  const bridge = ids.value !== undefined && ids.value.class >>> 16 === PCI_BASE_CLASS_BRIDGE;
  return driver.value === null && !override.value && !bridge;
}
