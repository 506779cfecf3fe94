import { type Apqn, apidOf, apqiOf, formatApid, formatApqi } from '../arch/apqn.js';
import type { QueueMatrix } from '../arch/matrix.js';

/** Queues as a shell would abbreviate them: `05.0004`, `{05,06}.{0004,0047}`; several products are listed. */
export function abbreviate(apqns: Iterable<Apqn>): string {
  const byAdapter = new Map<number, number[]>();
  for (const apqn of [...apqns].sort((a, b) => a - b)) {
    const domains = byAdapter.get(apidOf(apqn)) ?? [];
    domains.push(apqiOf(apqn));
    byAdapter.set(apidOf(apqn), domains);
  }
  const byDomains = new Map<string, number[]>();
  for (const [apid, domains] of byAdapter) {
    const key = braces(domains.map(formatApqi));
    byDomains.set(key, [...(byDomains.get(key) ?? []), apid]);
  }
  return [...byDomains]
    .map(([domains, apids]) => `${braces(apids.map(formatApid))}.${domains}`)
    .join(' ');
}

/** A product, or what there is of one: `05.` where no domain is assigned. `nothing` where nothing is. */
export function abbreviateMatrix({ apm, aqm }: QueueMatrix): string {
  if (apm.isEmpty && aqm.isEmpty) return 'nothing';
  const side = (names: readonly string[]): string => (names.length === 0 ? '' : braces(names));
  return `${side(apm.ids.map(formatApid))}.${side(aqm.ids.map(formatApqi))}`;
}

/** More names than this are not listed one by one. */
const MOST_NAMES = 6;

/** Names in hex of ascending numbers: one as it is, several in braces, runs of three or more as `00-0f`. */
function braces(names: readonly string[]): string {
  if (names.length === 1) return names[0]!;
  const runs: string[][] = [];
  for (const name of names) {
    const run = runs.at(-1);
    const follows = run && Number.parseInt(name, 16) === Number.parseInt(run.at(-1)!, 16) + 1;
    if (follows) run.push(name);
    else runs.push([name]);
  }
  const parts = runs.flatMap((run) => (run.length < 3 ? run : [`${run[0]}-${run.at(-1)}`]));
  const shown = parts.slice(0, MOST_NAMES);
  const hidden = parts.length - shown.length;
  return `{${[...shown, ...(hidden > 0 ? [`+${hidden} more`] : [])].join(',')}}`;
}
