import { ALIAS_BEST_MATCH } from './alias-best-match.js';
import { type PolicyAnswer, refuse, type SelectionInput, type SelectionPolicy } from './policy.js';
import { candidateFor, isRejection } from './resolve-driver.js';

/** P9: what was decided before, for the same device under the same kernel. What has changed since is told. */
export const PINNED: SelectionPolicy = {
  name: 'pinned',
  summary: 'the decision recorded earlier for this device and kernel',
  choose(input) {
    const { pinned } = input.request;
    if (pinned === undefined)
      return refuse('pinned: no earlier decision is given; --pinned takes one');
    if (pinned.modalias !== input.device.modalias.value)
      return refuse(`pinned: the decision was made for ${pinned.modalias}, another device`);
    const drift = [
      ...(pinned.release === input.host.release
        ? []
        : [`the kernel was ${pinned.release} then, and is ${input.host.release ?? 'unknown'} now`]),
      ...(pinned.digest === input.index?.identity.digest
        ? []
        : ['the module index has changed since the decision']),
    ];
    if (drift.length > 0) return reevaluated(input, drift);
    const one = candidateFor(pinned.driver, 'it was decided so before', input);
    if (isRejection(one)) return refuse(`pinned: ${one.reason}`, [one]);
    return {
      candidates: [one],
      rejections: [],
      rule: 'pinned: nothing has changed since the decision',
      style: 'first',
    };
  },
};

/** The decision made anew, with what made that necessary. */
function reevaluated(input: SelectionInput, drift: readonly string[]): PolicyAnswer {
  const answer = ALIAS_BEST_MATCH.choose(input);
  return {
    ...answer,
    rule: `pinned: ${drift.join('; ')}; decided anew by ${answer.rule}`,
    warnings: [...drift, ...(answer.warnings ?? [])],
  };
}
