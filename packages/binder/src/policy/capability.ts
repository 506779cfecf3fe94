import { rankedCandidates } from './alias-best-match.js';
import { findKnown } from './driver-knowledge.js';
import { type Candidate, type Rejection, refuse, type SelectionPolicy } from './policy.js';
import { idText } from './variants.js';

/** P8: what the driver has to be able to do decides; predicted before it is bound, to be asked of it after. */
export const CAPABILITY: SelectionPolicy = {
  name: 'capability',
  summary: 'the most specific driver that is known to have the required features',
  choose(input) {
    const required = input.request.features ?? [];
    const { ranked, rejections } = rankedCandidates(input);
    const lacking = (one: Candidate) =>
      required.filter((feature) => !one.features.includes(feature));
    const able = ranked.filter((one) => lacking(one).length === 0);
    const unable = ranked
      .filter((one) => lacking(one).length > 0)
      .map(
        (one): Rejection => ({
          name: one.name,
          code: 'lacks-feature',
          reason: `${one.name} is not known to have ${lacking(one).join(', ')}`,
        }),
      );
    const all = [...rejections, ...unable];
    if (able.length > 0)
      return {
        candidates: [able[0]!],
        rejections: all,
        rule:
          required.length === 0
            ? 'capability: no feature is required, so the narrowest alias decides'
            : `capability: ${able[0]!.name} has ${required.join(', ')}, and the narrowest alias of those that have`,
        style: 'first',
        warnings:
          required.length === 0
            ? []
            : ['features are known for sure only once the device is bound and asked'],
      };
    const ids = idText(input);
    const variant = input.knowledge.drivers.find(
      (one) =>
        ids !== undefined &&
        one.ids.includes(ids) &&
        required.every((feature) => one.features.includes(feature)),
    );
    const help =
      variant === undefined
        ? `no driver for ${ids ?? 'the device'} is known to have that`
        : `${variant.driver} would, and this kernel's index has no module ${variant.module}: build it with ${configName(variant.module)}`;
    return refuse(`capability: ${required.join(', ')} is required; ${help}`, [
      ...all,
      ...(variant === undefined || findKnown(input.knowledge, variant.driver) === undefined
        ? []
        : [
            {
              name: variant.driver,
              code: 'not-in-index' as const,
              reason: `${variant.module} is not in the index`,
            },
          ]),
    ]);
  },
};

/** The kernel option of a VFIO module, by the kernel's custom: CONFIG_MLX5_VFIO_PCI. */
function configName(module: string): string {
  return `CONFIG_${module.toUpperCase()}`;
}
