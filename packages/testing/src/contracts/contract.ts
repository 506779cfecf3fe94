import { describe, it } from 'vitest';

/** Cases that an implementation does not meet, by title, each with the reason. */
export type Declines = Readonly<Record<string, string>>;

/** Leaves a case: it asks for something that the implementation does not have, and need not have. */
export type Skip = (reason: string) => never;

/** What a contract asks, by title. */
export type ContractCases = Readonly<Record<string, (skip: Skip) => void>>;

/**
 * Runs a contract against one implementation. A case that has nothing to ask is shown as skipped together with its
 * reason. A declined case is shown with its reason and has to fail: one that passes, like a reason for a case that the
 * contract does not have, is an error, so that lists of exceptions don't go stale.
 */
export function describeContract(
  title: string,
  cases: ContractCases,
  declines: Declines = {},
): void {
  for (const name of Object.keys(declines))
    if (!(name in cases))
      throw new RangeError(`${title}: declines "${name}", which is no case of it`);
  describe(title, () => {
    for (const [name, run] of Object.entries(cases)) {
      const reason = declines[name];
      if (reason === undefined) it(name, ({ skip }) => run(skip));
      else it.fails(`${name} (declined: ${reason})`, ({ skip }) => run(skip));
    }
  });
}
