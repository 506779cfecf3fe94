import {
  type Decision,
  FEATURES,
  nearest,
  type PinnedDecision,
  type PlanOptions,
  POLICIES,
} from '@vfiokit/binder';
import { VfioError } from '@vfiokit/uapi';
import { UsageError } from '../command.js';
import { readNamedFile } from '../named-file.js';

/** Options that one policy alone asks for: they tell the policy where none is named. */
const IMPLIED = {
  driver: 'user-override',
  chain: 'chain',
  feature: 'capability',
  pinned: 'pinned',
} as const;

/**
 * Plan options from a command line's. What is asked for tells the policy where none is named.
 *
 * @param compared every policy is asked, each for what it knows of.
 * @throws UsageError for a policy or a feature that is none, and for options that no one policy asks for.
 * @throws VfioError for a file that is no decision.
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
  readonly compare?: boolean | undefined;
}): PlanOptions {
  const { driver, chain, feature, pinned, exact, group, force, compare } = args;
  const list = (text: string) => text.split(',').filter((word) => word !== '');
  return {
    policy: compare ? 'alias-best-match' : policyFor(args),
    mode: exact ? 'libvirt-exact' : 'strict',
    ...(driver === undefined ? {} : { driver, tieBreaker: driver }),
    ...(chain === undefined ? {} : { chain: list(chain) }),
    ...(feature === undefined ? {} : { features: list(feature).map(knownFeature) }),
    ...(pinned === undefined ? {} : { pinned: readPinned(pinned) }),
    wholeGroup: group ?? false,
    force: force ?? false,
  };
}

/** The policy that is named, or that what is asked for implies. */
function policyFor(
  args: { readonly policy?: string | undefined } & {
    readonly [option in keyof typeof IMPLIED]?: string | undefined;
  },
): string {
  const { policy } = args;
  const names = POLICIES.map(({ name }) => name);
  if (policy !== undefined && !names.includes(policy)) {
    const near = nearest(policy, names);
    throw new UsageError(
      `--policy ${policy}: no such policy; there is ${(near.length > 0 ? near : names).join(', ')}`,
    );
  }
  const given = (['driver', 'chain', 'feature', 'pinned'] as const).filter(
    (option) => args[option] !== undefined,
  );
  // A driver that is named decides a tie under every other policy.
  const strange = given.find(
    (option) => policy !== undefined && option !== 'driver' && IMPLIED[option] !== policy,
  );
  if (strange !== undefined)
    throw new UsageError(
      `--${strange}: is for --policy ${IMPLIED[strange]}; --policy ${policy} does not ask for it`,
    );
  const [first, second] = given;
  if (policy === undefined && first !== undefined && second !== undefined)
    throw new UsageError(
      `--${first} and --${second}: each means another policy; say which with --policy, or leave one out`,
    );
  return policy ?? (first === undefined ? 'alias-best-match' : IMPLIED[first]);
}

function knownFeature(word: string): (typeof FEATURES)[number] {
  const feature = FEATURES.find((one) => one === word);
  if (feature !== undefined) return feature;
  const near = nearest(word, FEATURES);
  throw new UsageError(
    `--feature ${word}: no such feature; there is ${(near.length > 0 ? near : FEATURES).join(', ')}`,
  );
}

/** What an earlier `plan --json` decided. */
function readPinned(path: string): PinnedDecision {
  const problem = (cause?: unknown) =>
    new VfioError(
      'EINVAL',
      `${path}: not a decision; name a file that plan --json printed for one device`,
      {
        cause,
      },
    );
  const text = readNamedFile(path).toString();
  let decision: Partial<Decision> | null;
  try {
    decision = JSON.parse(text) as Partial<Decision> | null;
  } catch (cause) {
    throw problem(cause);
  }
  const { chosen, facts, kernel } = decision ?? {};
  if (!Array.isArray(facts)) throw problem();
  const modalias = facts.find((one) => one?.name === 'modalias')?.value;
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
