import { readFileSync } from 'node:fs';
import {
  type Decision,
  FEATURES,
  nearest,
  type PinnedDecision,
  type PlanOptions,
  POLICIES,
} from '@vfiokit/binder';
import { VfioError } from '@vfiokit/uapi';

/**
 * Plan options from a command line's. What is asked for tells the policy where none is named.
 *
 * @throws VfioError `EINVAL` for a feature that is none, or a file that is no decision.
 */
export function planOptions(args: {
  readonly policy?: string | undefined;
  readonly driver?: string | undefined;
  readonly chain?: string | undefined;
  readonly feature?: string | undefined;
  readonly pinned?: string | undefined;
  readonly exact?: boolean | undefined;
  readonly group?: boolean | undefined;
  readonly force?: boolean | undefined;
}): PlanOptions {
  const { driver, chain, feature, pinned, exact, group, force } = args;
  const list = (text: string) => text.split(',').filter((word) => word !== '');
  const implied: readonly (readonly [unknown, string])[] = [
    [driver, 'user-override'],
    [chain, 'chain'],
    [feature, 'capability'],
    [pinned, 'pinned'],
  ];
  return {
    policy:
      args.policy ?? implied.find(([value]) => value !== undefined)?.[1] ?? 'alias-best-match',
    mode: exact ? 'libvirt-exact' : 'strict',
    ...(driver === undefined ? {} : { driver, tieBreaker: driver }),
    ...(chain === undefined ? {} : { chain: list(chain) }),
    ...(feature === undefined ? {} : { features: list(feature).map(knownFeature) }),
    ...(pinned === undefined ? {} : { pinned: readPinned(pinned) }),
    wholeGroup: group ?? false,
    force: force ?? false,
  };
}

function knownFeature(word: string): (typeof FEATURES)[number] {
  const feature = FEATURES.find((one) => one === word);
  if (feature !== undefined) return feature;
  const near = nearest(word, FEATURES);
  throw new VfioError(
    'EINVAL',
    `${word}: no such feature; there is ${(near.length > 0 ? near : FEATURES).join(', ')}`,
  );
}

/** What an earlier `plan --json` decided. */
function readPinned(path: string): PinnedDecision {
  const problem = (cause?: unknown) =>
    new VfioError('EINVAL', `${path}: not a decision; name a file that plan --json printed`, {
      cause,
    });
  let decision: Partial<Decision>;
  try {
    decision = JSON.parse(readFileSync(path, 'utf8')) as Partial<Decision>;
  } catch (cause) {
    throw problem(cause);
  }
  const { chosen, facts, kernel } = decision;
  const modalias = facts?.find(({ name }) => name === 'modalias')?.value;
  const driver = chosen?.driver ?? chosen?.name;
  if (driver === undefined || typeof modalias !== 'string') throw problem();
  return {
    driver,
    modalias,
    release: kernel?.release ?? 'unknown',
    digest: kernel?.index?.digest ?? 'none',
  };
}

/** The options that `plan` and `bind` share. */
export const SELECTION_ARGS = {
  policy: {
    type: 'string',
    description: `How to choose: ${POLICIES.map(({ name }) => name).join(', ')}`,
    valueHint: 'P',
  },
  driver: {
    type: 'string',
    description: 'The driver to take, or the winner of a tie',
    valueHint: 'NAME',
  },
  chain: {
    type: 'string',
    description: 'Drivers to try in turn, vfio-pci last',
    valueHint: 'A,B',
  },
  feature: {
    type: 'string',
    description: `What the driver has to have: ${FEATURES.join(', ')}`,
    valueHint: 'A,B',
  },
  pinned: {
    type: 'string',
    description: 'What plan --json printed earlier; decides the same while nothing has changed',
    valueHint: 'FILE',
  },
  aliases: {
    type: 'string',
    description: 'Another module index than the machine’s own',
    valueHint: 'FILE',
  },
  exact: { type: 'boolean', description: 'Match aliases byte for byte as libvirt does' },
  group: { type: 'boolean', description: 'Take the whole IOMMU group' },
  force: { type: 'boolean', description: 'Overrule guards that may be overruled' },
} as const;
