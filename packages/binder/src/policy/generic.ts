import { findKnown } from './driver-knowledge.js';
import type { Rejection, SelectionInput, SelectionPolicy } from './policy.js';
import { refuse } from './policy.js';
import { candidateFor, isRejection } from './resolve-driver.js';
import { variants } from './variants.js';

/** The driver that takes any function. */
export const GENERIC_DRIVER = 'vfio-pci';

/** P1: always plain vfio-pci. Loses what a variant would have brought, and says which. */
export const GENERIC: SelectionPolicy = {
  name: 'generic',
  summary: 'always vfio-pci',
  choose(input) {
    const candidate = candidateFor(GENERIC_DRIVER, 'the policy takes nothing else', input);
    if (isRejection(candidate)) return refuse(candidate.reason, [candidate]);
    return {
      candidates: [candidate],
      rejections: passedOver(input),
      rule: 'generic: vfio-pci takes any function',
      style: 'first',
    };
  },
};

/** The variants that were there for the device and that this policy does not look at. */
function passedOver(input: SelectionInput): readonly Rejection[] {
  return variants(input).map((name) => {
    const features = findKnown(input.knowledge, name)?.features ?? [];
    const brings = features.length > 0 ? `, which brings ${features.join(', ')},` : '';
    return {
      name,
      code: 'not-asked-for',
      reason: `variant ${name}${brings} was available and not used`,
    };
  });
}
