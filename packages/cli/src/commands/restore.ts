import {
  binderFor,
  interruptible,
  onBlocked,
  openBinding,
  WAIT_OPTION,
  warnOfDamage,
} from '../binding/machine.js';
import { isFine, reportResults } from '../binding/report.js';
import { command, EXIT_NO, EXIT_OK, JSON_OPTION } from '../command.js';

/** Finishes what a crash left, and undoes what was bound. */
export const restore = command({
  name: 'restore',
  summary: 'finish what a crash left unfinished, then give every device back that was bound',
  examples: ['restore', 'restore --recover'],
  args: {
    recover: { type: 'boolean', description: 'Only finish what is unfinished; keep what is bound' },
    forward: { type: 'boolean', description: 'Keep what was bound and only not committed' },
    wait: WAIT_OPTION,
    json: JSON_OPTION,
  },
  async run({ args, machine, io }) {
    const opened = await openBinding(machine);
    const binder = binderFor(opened, { onBlocked: onBlocked(io) });
    const recovered = await interruptible(opened, io, () => binder.recover(args.forward));
    const damaged = await warnOfDamage(binder, io);
    const released = args.recover
      ? []
      : await interruptible(opened, io, () => binder.release(undefined, args.wait));
    if (args.json) io.json({ recovered, released });
    else {
      for (const { id, state, notes } of recovered)
        io.print(`${id}: ${state}${notes.map((note) => `\n  ${note}`).join('')}`);
      if (recovered.length + released.length === 0) io.print('nothing to restore');
      reportResults(io, released);
    }
    const wrong = recovered.some(({ state }) => state === 'needs-attention' || state === 'waiting');
    return !wrong && !damaged && isFine(released) ? EXIT_OK : EXIT_NO;
  },
});
