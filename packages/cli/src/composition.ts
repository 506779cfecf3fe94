import type { CommandTable } from './run.js';

/** Every command by its name, in the order in which help lists them. */
export const COMMANDS: CommandTable = {
  inspect: async () => (await import('./commands/inspect.js')).inspect,
  replay: async () => (await import('./commands/replay.js')).replay,
  demo: async () => (await import('./commands/demo.js')).demo,
};
