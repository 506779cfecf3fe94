import type { CommandTable } from './run.js';

/** Every command by its name, in the order in which help lists them. */
export const COMMANDS: CommandTable = {
  replay: async () => (await import('./commands/replay.js')).replay,
};
