import { command, EXIT_NO, EXIT_OK, JSON_OPTION } from '../command.js';
import { story, tellStory } from '../demo/story.js';

/** The main job, told on a recorded and a described machine that ship with the package. */
export const demo = command({
  name: 'demo',
  summary: 'the main job as a story: which driver and why; bind a group, open it, give it back',
  ownMachines: true,
  examples: ['demo', 'demo --json'],
  args: { json: JSON_OPTION },
  async run({ args, io }) {
    if (!args.json) return (await tellStory(io)) ? EXIT_OK : EXIT_NO;
    const document: Record<string, unknown> = {};
    let good = true;
    for await (const { name, facts, good: fine } of story(io)) {
      document[name] = facts;
      good &&= fine;
    }
    io.json({ good, ...document });
    return good ? EXIT_OK : EXIT_NO;
  },
});
