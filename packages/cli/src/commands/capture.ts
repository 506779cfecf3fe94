import { writeCapture } from '@vfiokit/host';
import { command, EXIT_OK, JSON_OPTION } from '../command.js';
import { plural } from '../output.js';
import { openChosen } from '../variants.js';

/** Writes a machine's files as an archive. */
export const capture = command({
  name: 'capture',
  summary: "write the machine's sysfs as an archive that --machine takes",
  examples: ['capture my-host.tar.gz'],
  args: {
    file: {
      type: 'positional',
      required: true,
      description: 'The archive to write, .tar.gz or .tar',
    },
    json: JSON_OPTION,
  },
  async run({ args, machine, io }) {
    const { sysfs } = await openChosen(machine);
    const count = await writeCapture(sysfs, args.file);
    if (args.json) io.json({ file: args.file, ...count });
    else
      io.print(
        `${args.file}: ${plural(count.files, 'file')}, ${plural(count.links, 'link')}, ${count.unreadable} that exist and could not be read`,
      );
    return EXIT_OK;
  },
});
