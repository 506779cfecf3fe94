import { findDevice, groupOf, type HostFacts, readHost } from '@vfiokit/binder';
import { exportSysfs, type OpenedMachine, writeWhole } from '@vfiokit/host';
import { deviceDocument, deviceLines, machineTree } from '../binding/show-machine.js';
import { machineSvg } from '../binding/svg.js';
import { command, EXIT_OK, JSON_OPTION, UsageError } from '../command.js';
import { AssignedGuest } from '../dma/assigned-guest.js';
import { GUEST_ARGS, guestChoice } from '../dma/guest-choice.js';
import { readHostGroups } from '../dma/host-groups.js';
import { readGroups } from '../dma/read-groups.js';
import { groupLines } from '../dma/show-groups.js';
import { guestDocument, guestTree } from '../dma/show-spaces.js';
import type { Io } from '../io.js';
import { plural, tree } from '../output.js';
import { openChosen } from '../variants.js';

/** Shows a machine: its functions as a tree, its IOMMU groups and containers, or one function in detail. */
export const show = command({
  name: 'show',
  summary: 'show the machine as a tree, and its IOMMU groups: who owns the DMA of each, containers',
  examples: [
    '--machine x86-server show',
    '--machine x86-server show 0000:17:00.0',
    '--machine x86-server show --assign 0000:65:00.0,0000:81:00.0 --usage shadow',
    '--machine grace show --svg grace.svg',
  ],
  args: {
    device: { type: 'positional', required: false, description: 'One function only, in detail' },
    groups: {
      type: 'boolean',
      description: 'IOMMU groups and containers only; --no-groups: without them',
    },
    assign: {
      type: 'string',
      description: 'The containers that a guest with these devices would have; touches nothing',
      valueHint: 'DEVICE,…',
    },
    ...GUEST_ARGS,
    ascii: { type: 'boolean', description: 'Draw with lines that any terminal has' },
    svg: { type: 'string', description: 'Write a picture of the IOMMU groups', valueHint: 'FILE' },
    export: {
      type: 'string',
      description: 'Write the tree of /sys as files; lspci -O sysfs.path=DIR/bus/pci reads it',
      valueHint: 'DIR',
    },
    json: JSON_OPTION,
  },
  async run({ args, machine, io }) {
    const opened = await openChosen(machine);
    const { sysfs, name } = opened;
    const host = await readHost(sysfs);
    if (args.svg !== undefined) await writeWhole(args.svg, machineSvg(name, host));
    if (args.export !== undefined) {
      const count = await exportSysfs(sysfs, args.export);
      io.print(`${args.export}: ${plural(count.files, 'file')}, ${plural(count.links, 'link')}`);
      return EXIT_OK;
    }
    const shape = { ascii: args.ascii ?? false };
    if (args.assign !== undefined) {
      const names = args.assign.split(',').filter((word) => word !== '');
      if (names.length === 0) throw new UsageError('show: --assign wants devices, such as 65:00.0');
      const guest = await assign(opened, host, names, args, io);
      if (args.json) io.json(guestDocument(guest));
      else for (const line of tree(guestTree(guest, io.colors), shape)) io.print(line);
      return EXIT_OK;
    }
    if (args.usage !== undefined || args.space !== undefined || args.ram !== undefined)
      throw new UsageError('show: --usage, --space and --ram say how --assign gives devices away');
    if (args.device !== undefined) {
      const device = findDevice(host, args.device);
      if (args.json) io.json(deviceDocument(device, groupOf(host, device)));
      else for (const line of deviceLines(device, groupOf(host, device))) io.print(line);
      return EXIT_OK;
    }
    const report = await readGroups(opened, host);
    if (args.json) {
      io.json({ ...machineDocument(name, host), ...report });
      return EXIT_OK;
    }
    if (args.groups !== true)
      for (const line of tree(await machineTree(name, sysfs, host, io.colors), shape))
        io.print(line);
    if (args.groups === false) return EXIT_OK;
    const groups = groupLines(report, io.colors);
    if (args.groups !== true && groups.length > 0) io.print();
    if (args.groups === true && groups.length === 0) io.print(`${name}: no IOMMU groups`);
    for (const line of groups) io.print(line);
    return EXIT_OK;
  },
});

/** Gives devices of the machine to a guest, on paper. */
async function assign(
  { sysfs }: OpenedMachine,
  host: HostFacts,
  names: readonly string[],
  words: Parameters<typeof guestChoice>[0],
  io: Io,
): Promise<AssignedGuest> {
  const devices = names.map((name) => findDevice(host, name));
  const { groups, remarks } = await readHostGroups(sysfs, host, devices);
  const choice = guestChoice(words, {
    architecture: host.architecture.value,
    iommu: groups[0]?.iommu,
  });
  const guest = new AssignedGuest(groups, choice);
  for (const { name } of devices) guest.assign(name);
  for (const remark of remarks) io.warn(remark);
  return guest;
}

function machineDocument(name: string, host: HostFacts): object {
  return {
    machine: name,
    kind: host.kind,
    release: host.release ?? null,
    architecture: host.architecture.value ?? null,
    devices: [...host.devices.values()].map((device) =>
      deviceDocument(device, groupOf(host, device)),
    ),
  };
}
