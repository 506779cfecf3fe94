import { binderFor, openBinding } from '../binding/machine.js';
import { reportResults } from '../binding/report.js';
import { command, EXIT_NO, EXIT_OK, JSON_OPTION } from '../command.js';

/** Finishes what a crash left, and undoes what was bound. */
export const restore = command({
  name: 'restore',
  summary: 'finish what a crash left unfinished, then give every device back that was bound',
  examples: ['restore', 'restore --recover'],
  args: {
    recover: { type: 'boolean', description: 'Only finish what is unfinished; keep what is bound' },
    forward: { type: 'boolean', description: 'Keep what was bound and only not committed' },
    json: JSON_OPTION,
  },
  async run({ args, machine, io }) {
    const opened = await openBinding(machine);
    const binder = binderFor(opened);
    const recovered = await binder.recover(args.forward);
    const released = args.recover ? [] : await binder.release();
    const wrong = recovered.some(({ state }) => state === 'needs-attention' || state === 'waiting');
    if (args.json) io.json({ recovered, released });
    else {
      for (const { id, state, notes } of recovered)
        io.print(`${id}: ${state}${notes.map((note) => `\n  ${note}`).join('')}`);
      if (recovered.length + released.length === 0) io.print('nothing to restore');
    }
    const fine = args.json
      ? released.every(({ state }) => state === 'released')
      : reportResults(io, released) === EXIT_OK;
    return wrong || !fine ? EXIT_NO : EXIT_OK;
  },
});
