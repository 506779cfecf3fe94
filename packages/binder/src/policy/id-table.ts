import { GENERIC_DRIVER } from './generic.js';
import {
  type Candidate,
  type PolicyAnswer,
  type Rejection,
  refuse,
  type SelectionInput,
  type SelectionPolicy,
} from './policy.js';
import { candidateFor, isRejection } from './resolve-driver.js';
import { idText, variants } from './variants.js';

/** P2: a table of ids in the tool. It goes stale, and what the kernel advertises is reported where it disagrees. */
export const ID_TABLE: SelectionPolicy = {
  name: 'id-table',
  summary: "the tool's own table of ids, in its order",
  choose(input) {
    const ids = idText(input);
    const named = input.knowledge.drivers
      .filter((one) => ids !== undefined && one.ids.includes(ids))
      .map(({ driver }) => driver);
    const wanted = [...named, GENERIC_DRIVER];
    return firstOf(
      wanted.map((name) => [
        name,
        name === GENERIC_DRIVER ? 'the end of the table' : `the table lists ${ids} for it`,
      ]),
      input,
      `id-table: ${named.length > 0 ? `${ids} stands in the table` : `${ids ?? 'the device'} is in no entry of the table`}`,
      disagreements(named, input),
    );
  },
};

/** What the kernel's index says otherwise than the table. */
function disagreements(named: readonly string[], input: SelectionInput): readonly string[] {
  const advertised = variants(input).filter(
    (module) => !named.some((name) => name.replaceAll('-', '_') === module),
  );
  return advertised.map(
    (module) => `the index advertises ${module} for the device, the table does not`,
  );
}

/** Takes the first name that can be had, if falling back is allowed; else the first or nothing. */
export function firstOf(
  names: readonly (readonly [name: string, why: string])[],
  input: SelectionInput,
  rule: string,
  warnings: readonly string[] = [],
): PolicyAnswer {
  const candidates: Candidate[] = [];
  const rejections: Rejection[] = [];
  for (const [name, why] of names) {
    const one = candidateFor(name, why, input);
    if (!isRejection(one)) candidates.push(one);
    else if (candidates.length === 0 && input.request.fallBack === false)
      return refuse(`${rule}; ${one.reason}`, [...rejections, one]);
    else rejections.push(one);
  }
  if (candidates.length === 0) return refuse(`${rule}; none of its drivers can be had`, rejections);
  return { candidates, rejections, rule, style: 'first', warnings };
}
