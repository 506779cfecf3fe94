import { command, EXIT_NO, EXIT_OK } from '../command.js';
import { tellStory } from '../demo/story.js';

/** The main job, told on recorded functions that ship with the package. */
export const demo = command({
  name: 'demo',
  summary: 'the main job as a story: hand a recorded function over, look at it, drive it, check it',
  examples: ['demo'],
  args: {},
  async run({ io }) {
    return (await tellStory(io)) ? EXIT_OK : EXIT_NO;
  },
});
