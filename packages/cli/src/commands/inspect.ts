import { PciAddress } from '@vfiokit/pci';
import { command, EXIT_OK, JSON_OPTION, UsageError } from '../command.js';
import { GUEST_ARGS } from '../dma/guest-choice.js';
import { inspectDma } from '../dma/inspect-dma.js';
import { inspectMachine } from '../inspect/machine-subject.js';
import { renderInspection } from '../inspect/render-inspection.js';
import { inspectFile } from '../inspect/subject.js';

/** Opens a function as user space would and shows everything that it tells. */
export const inspect = command({
  name: 'inspect',
  summary: 'open a device as user space does: regions, interrupts, configuration; or its DMA space',
  examples: [
    '--machine x86-server inspect 0000:81:00.0',
    '--machine grace inspect 0009:01:00.0 --driver vfio-pci',
    'inspect traces/edu/std.jsonl.gz',
    'inspect /sys/bus/pci/devices/0000:00:02.0/config',
    'inspect lspci-xxxx.txt --device 0000:3b:00.0',
    '--machine x86-server inspect 0000:81:00.0 --dma --usage map-all --ram 16G',
  ],
  args: {
    subject: {
      type: 'positional',
      required: true,
      description:
        "A device of the machine, a trace, a sysfs 'config' file, or what lspci -xxxx printed",
    },
    device: { type: 'string', description: 'Which function of a file that holds several' },
    driver: {
      type: 'string',
      description:
        'Show it as this VFIO driver would; without it as the one that has it, or would get it',
      valueHint: 'NAME',
    },
    dma: {
      type: 'boolean',
      description:
        'The address space that its DMA would go through in a guest: ranges, limits, mappings',
    },
    ...GUEST_ARGS,
    json: JSON_OPTION,
  },
  async run({ args, machine, io }) {
    if (args.dma) {
      const { document, lines, remarks } = await inspectDma(machine, args.subject, args);
      for (const remark of remarks) io.warn(remark);
      if (args.json) io.json(document);
      else for (const line of lines) io.print(line);
      return EXIT_OK;
    }
    if (args.usage !== undefined || args.space !== undefined || args.ram !== undefined)
      throw new UsageError('inspect: --usage, --space and --ram are for --dma');
    const { inspection, remarks } =
      PciAddress.tryParse(args.subject) === undefined
        ? await inspectFile(args.subject, args.device)
        : await inspectMachine(machine, args.subject, args.driver);
    for (const remark of remarks) io.warn(remark);
    if (args.json) io.json(inspection);
    else for (const line of renderInspection(inspection, io.colors)) io.print(line);
    return EXIT_OK;
  },
});
