import { VfioError } from '@vfiokit/uapi';
import { isSeq, parseDocument } from 'yaml';

const EMPTY_SESSION = 'title: a session\nsteps: []\n';

/**
 * A scenario with one step more, as it is typed at a prompt: the verb and its value, or `key=value` words. A value with
 * commas is a list. Everything else in the text stays as it is, comments included.
 *
 * @param source the scenario so far; a new one without.
 * @throws VfioError `EINVAL` for a text that is no scenario.
 */
export function withStep(
  source: string | undefined,
  verb: string,
  words: readonly string[],
): string {
  const yaml = parseDocument(source ?? EMPTY_SESSION, { schema: 'failsafe' });
  const steps = yaml.get('steps');
  if (yaml.errors.length > 0 || !isSeq(steps))
    throw new VfioError('EINVAL', 'session: no scenario; it needs a list of steps');
  const step = yaml.createNode({ [verb]: stepInput(words) });
  steps.flow = false;
  steps.add(step);
  return yaml.toString({ lineWidth: 0 });
}

function stepInput(words: readonly string[]): unknown {
  const [only] = words;
  if (words.length === 1 && !/^\w+=/.test(only!)) return only;
  return Object.fromEntries(
    words.map((word) => {
      const [key, ...rest] = word.split('=');
      const value = rest.join('=');
      return [key, value.includes(',') && !value.startsWith('0x') ? value.split(',') : value];
    }),
  );
}
