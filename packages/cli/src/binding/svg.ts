import { type DeviceFacts, describeClass, groupOf, type HostFacts } from '@vfiokit/binder';

const WIDTH = 620;
const ROW = 22;
const PADDING = 12;

/** A picture of a machine's IOMMU groups: a box for each, its members in it, the unviable ones told by their frame. */
export function machineSvg(name: string, host: HostFacts): string {
  const boxes: string[] = [];
  let y = 44;
  const draw = (title: string, devices: readonly DeviceFacts[], color: string) => {
    const height = ROW * (devices.length + 1) + PADDING;
    boxes.push(
      `<rect x="12" y="${y}" width="${WIDTH - 24}" height="${height}" rx="6" fill="none" stroke="${color}"/>`,
    );
    boxes.push(
      `<text x="24" y="${y + ROW - 4}" font-weight="bold" fill="${color}">${xml(title)}</text>`,
    );
    for (const [row, device] of devices.entries())
      boxes.push(
        `<text x="36" y="${y + ROW * (row + 2) - 4}">${xml(`${device.name}  ${device.driver.value ?? '-'}  ${describeClass(device)}`)}</text>`,
      );
    y += height + PADDING;
  };
  for (const [number, members] of host.groups) {
    const devices = members.map((one) => host.devices.get(one)!);
    const viable = groupOf(host, devices[0]!)?.viable;
    draw(
      `group ${number}${viable === false ? ': not viable' : ''}`,
      devices,
      viable === false ? '#b45309' : '#15803d',
    );
  }
  const loose = [...host.devices.values()].filter(({ group }) => !group.value);
  if (loose.length > 0) draw('in no group, or not known', loose, '#6b7280');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" font-family="monospace" font-size="13">
<text x="12" y="26" font-size="16">${xml(`${name}: IOMMU groups`)}</text>
${boxes.join('\n')}
</svg>
`;
}

function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
