import type { SelectionInput, SelectionPolicy } from './policy.js';

/** A policy under test, with an input that it is made for. */
export interface PolicySubject {
  readonly policy: SelectionPolicy;
  readonly input: SelectionInput;
}

/** What every {@link SelectionPolicy} promises, as cases by title; each throws where the promise is broken. */
export function selectionPolicyCases(
  make: () => PolicySubject,
): Readonly<Record<string, () => void>> {
  const must = (holds: boolean, what: string): void => {
    if (!holds) throw new Error(`${make().policy.name}: ${what}`);
  };
  return {
    'has a name that a command line can say, and a summary of one line'() {
      const { name, summary } = make().policy;
      must(/^[a-z][a-z0-9-]*$/.test(name), 'its name is not made of lower-case words and dashes');
      must(summary.length > 0 && !summary.includes('\n'), 'its summary is not one line');
    },
    'gives the same answer to the same input'() {
      const { policy, input } = make();
      const [one, other] = [policy.choose(input), policy.choose(input)].map((answer) =>
        JSON.stringify(answer),
      );
      must(one === other, 'two answers differ');
    },
    'leaves its input alone'() {
      const { policy, input } = make();
      const before = JSON.stringify(input);
      policy.choose(input);
      must(JSON.stringify(input) === before, 'the input has changed');
    },
    'tells which rule decided'() {
      const { policy, input } = make();
      must(
        policy.choose(input).rule.startsWith(`${policy.name}: `),
        'its rule does not begin with its name',
      );
    },
    'refuses, or has candidates, or says that the device is provided for'() {
      const { policy, input } = make();
      const { refusal, candidates, style } = policy.choose(input);
      must(
        (refusal !== undefined) === (candidates.length === 0 && style !== 'provided'),
        'it does neither',
      );
    },
    'answers where there is no module index, and where nothing is known of the device'() {
      const { policy, input } = make();
      const unknown = { value: undefined, source: 'nowhere' };
      const device = { ...input.device, ids: unknown, modalias: unknown, driver: unknown };
      must(policy.choose({ ...input, index: undefined }).rule !== '', 'no answer without an index');
      must(policy.choose({ ...input, device }).rule !== '', 'no answer for an unknown device');
    },
  };
}
