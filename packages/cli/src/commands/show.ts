import { writeFileSync } from 'node:fs';
import { findDevice, groupOf, type HostFacts, readHost } from '@vfiokit/binder';
import { exportSysfs, openMachine } from '@vfiokit/host';
import { deviceDocument, deviceLines, machineTree } from '../binding/show-machine.js';
import { machineSvg } from '../binding/svg.js';
import { command, EXIT_OK, JSON_OPTION } from '../command.js';
import { plural, tree } from '../output.js';
import { machineOptions } from '../variants.js';

/** Shows a machine: its functions as a tree, or one of them in detail. */
export const show = command({
  name: 'show',
  summary: 'show the machine as a tree: functions, classes, drivers, groups, VFs, VFIO devices',
  examples: [
    '--machine x86-server show',
    '--machine x86-server show 0000:17:00.0',
    '--machine grace show --svg grace.svg',
  ],
  args: {
    device: { type: 'positional', required: false, description: 'One function only, in detail' },
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
    const { sysfs, name } = await openMachine(machine, await machineOptions());
    const host = await readHost(sysfs);
    if (args.svg !== undefined) writeFileSync(args.svg, machineSvg(name, host));
    if (args.export !== undefined) {
      const count = await exportSysfs(sysfs, args.export);
      io.print(`${args.export}: ${plural(count.files, 'file')}, ${plural(count.links, 'link')}`);
      return EXIT_OK;
    }
    if (args.device !== undefined) {
      const device = findDevice(host, args.device);
      if (args.json) io.json(deviceDocument(device, groupOf(host, device)));
      else for (const line of deviceLines(device, groupOf(host, device))) io.print(line);
      return EXIT_OK;
    }
    if (args.json) io.json(machineDocument(name, host));
    else
      for (const line of tree(await machineTree(name, sysfs, host, io.colors), {
        ascii: args.ascii ?? false,
      }))
        io.print(line);
    return EXIT_OK;
  },
});

function machineDocument(name: string, host: HostFacts): unknown {
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
