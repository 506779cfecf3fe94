import type { Decision } from './decision.js';
import { columnsOf, DEFAULT_COLUMNS, hanging } from './text-layout.js';

/** One of several decisions for one device: what it takes, and why. */
export interface ComparedDecision {
  readonly policy: string;
  readonly driver: string | null;
  readonly outcome: Decision['outcome'];
  /** The sentence that tells which rule decided. */
  readonly rule: string;
  /** Why it is not to be done, be it the policy's word or a guard's. */
  readonly refusal: string | null;
  /** The one of both that matters: the refusal where there is one. */
  readonly reason: string;
}

/** Lays decisions side by side. */
export function compareDecisions(decisions: readonly Decision[]): readonly ComparedDecision[] {
  return decisions.map(({ request, chosen, outcome, refusal, rule }) => ({
    policy: request.policy,
    driver: chosen === null ? null : (chosen.driver ?? chosen.name),
    outcome,
    rule,
    refusal,
    reason: refusal ?? rule,
  }));
}

/** A comparison as a table; what stands in the way of several is told once, below. */
export function renderComparison(
  device: string,
  compared: readonly ComparedDecision[],
  columns = DEFAULT_COLUMNS,
): string {
  const rows = compared.map(({ policy, driver, outcome, rule }) => [
    policy,
    driver ?? '-',
    outcome,
    rule.startsWith(`${policy}: `) ? rule.slice(policy.length + 2) : rule,
  ]);
  const obstacles = compared.flatMap(({ rule, refusal }) =>
    refusal === null || refusal === rule ? [] : [refusal],
  );
  return [
    device,
    ...columnsOf([['policy', 'driver', 'outcome', 'because'], ...rows], '  ', columns),
    ...[...new Set(obstacles)].flatMap((text) => hanging('  refused: ', text, columns)),
    '',
  ].join('\n');
}

/** How a decision changes from one kernel to another; undefined if it does not. */
export function decisionChange(before: Decision, after: Decision): string | undefined {
  const named = ({ chosen, refusal }: Decision) =>
    chosen === null ? `nothing (${refusal})` : (chosen.driver ?? chosen.name);
  return named(before) === named(after)
    ? undefined
    : `${before.request.device}: ${named(before)} with ${before.kernel.index?.release ?? 'the old kernel'}, ${named(after)} with ${after.kernel.index?.release ?? 'the new one'}`;
}
