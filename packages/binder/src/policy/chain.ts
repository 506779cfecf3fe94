import { rankedCandidates } from './alias-best-match.js';
import { GENERIC_DRIVER } from './generic.js';
import { type Candidate, type Rejection, refuse, type SelectionPolicy } from './policy.js';
import { candidateFor, isRejection } from './resolve-driver.js';

/**
 * P5: one driver after the other until one binds, vfio-pci last. Every attempt is a real probe with its side effects, and
 * a driver that takes what it does not serve looks like a success, so the order has to be said and shown.
 */
export const CHAIN: SelectionPolicy = {
  name: 'chain',
  summary: 'a list of drivers until one binds, vfio-pci last',
  choose(input) {
    const { chain, fallBack } = input.request;
    const given = chain ?? rankedCandidates(input).ranked.map(({ name }) => name);
    const isGeneric = (name: string) => name.replaceAll('_', '-') === GENERIC_DRIVER;
    const names = [...given.filter((name) => !isGeneric(name)), GENERIC_DRIVER];
    const candidates: Candidate[] = [];
    const rejections: Rejection[] = [];
    for (const [index, name] of names.entries()) {
      const one = candidateFor(name, `number ${index + 1} of the chain`, input);
      if (!isRejection(one)) candidates.push(one);
      else if (fallBack === false) return refuse(`chain: ${one.reason}`, [...rejections, one]);
      else rejections.push(one);
    }
    if (candidates.length === 0)
      return refuse('chain: no driver of the chain can be had', rejections);
    return {
      candidates,
      rejections,
      rule: `chain: ${names.join(', then ')}${chain === undefined ? ', by their aliases' : ''}`,
      style: 'chain',
    };
  },
};
