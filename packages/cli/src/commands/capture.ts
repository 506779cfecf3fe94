import { existsSync } from 'node:fs';
import { writeCapture } from '@vfiokit/host';
import { VfioError } from '@vfiokit/uapi';
import { command, EXIT_OK, JSON_OPTION, UsageError } from '../command.js';
import { plural } from '../output.js';
import { openChosen } from '../variants.js';

const ARCHIVE = /\.(?:tar|tar\.gz|tgz)$/;

/** Writes a machine's files as an archive. */
export const capture = command({
  name: 'capture',
  summary: "write the machine's sysfs as an archive that --machine takes",
  examples: ['capture my-host.tar.gz', 'capture my-host.tar.gz --force'],
  args: {
    file: {
      type: 'positional',
      required: true,
      description: 'The archive to write, .tar.gz or .tar',
    },
    force: { type: 'boolean', description: 'Write over a file that is there' },
    json: JSON_OPTION,
  },
  async run({ args, machine, io }) {
    if (!ARCHIVE.test(args.file))
      throw new UsageError(`${args.file}: not the name of an archive; end it in .tar.gz or .tar`);
    if (!args.force && existsSync(args.file))
      throw new VfioError(
        'EEXIST',
        `${args.file}: exists already; say --force to write over it, or choose another name`,
      );
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
