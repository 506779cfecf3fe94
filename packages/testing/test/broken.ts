import { describe, expect, it } from 'vitest';
import type { ContractCases, Skip } from '../src/contracts/contract.js';

/** What broken implementations throw where they throw, so that it can be told from mistakes of a test. */
export class Broken extends Error {
  override readonly name = 'Broken';
}

/** Fails, as a broken implementation does. */
export function fail(): never {
  throw new Broken('broken on purpose');
}

/** No case may be skipped where something is broken. */
const skip: Skip = (reason) => {
  throw new RangeError(reason);
};

/**
 * Every case of a contract has to find what is broken against it.
 *
 * @param broken an implementation for each case, by the case's title.
 */
export function describeBroken<Subject>(
  contract: string,
  casesOf: (make: () => Subject) => ContractCases,
  broken: Readonly<Record<string, () => Subject>>,
): void {
  describe(`the contract of ${contract}`, () => {
    it('has something broken for every case', () => {
      expect(Object.keys(broken)).toEqual(Object.keys(casesOf(fail)));
    });

    it.each(Object.entries(broken))('finds what does not do this: %s', (title, make) => {
      let error: unknown;
      try {
        casesOf(make)[title]?.(skip);
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toMatchObject({ name: expect.stringMatching(/^(AssertionError|Broken)$/) });
    });
  });
}
