import type { Decision } from './decision.js';

/** What several decisions for one device have in common and where they part: a line for each. */
export interface ComparedDecision {
  readonly policy: string;
  readonly driver: string | null;
  readonly outcome: Decision['outcome'];
  readonly reason: string;
}

/** Lays decisions side by side. */
export function compareDecisions(decisions: readonly Decision[]): readonly ComparedDecision[] {
  return decisions.map(({ request, chosen, outcome, refusal, rule }) => ({
    policy: request.policy,
    driver: chosen === null ? null : (chosen.driver ?? chosen.name),
    outcome,
    reason: refusal ?? rule,
  }));
}

/** A comparison as a table. */
export function renderComparison(device: string, compared: readonly ComparedDecision[]): string {
  const rows = compared.map(({ policy, driver, outcome, reason }) => [
    policy,
    driver ?? '-',
    outcome,
    reason,
  ]);
  const header = ['policy', 'driver', 'outcome', 'because'];
  const widths = header.map((_, column) =>
    Math.max(...[header, ...rows].map((row) => row[column]!.length)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column]!)))
      .join('  ');
  return `${device}\n${[header, ...rows].map((row) => `  ${line(row)}`).join('\n')}\n`;
}

/** How a decision changes from one kernel to another; undefined if it does not. */
export function decisionChange(before: Decision, after: Decision): string | undefined {
  const named = ({ chosen, refusal }: Decision) =>
    chosen === null ? `nothing (${refusal})` : (chosen.driver ?? chosen.name);
  return named(before) === named(after)
    ? undefined
    : `${before.request.device}: ${named(before)} with ${before.kernel.index?.release ?? 'the old kernel'}, ${named(after)} with ${after.kernel.index?.release ?? 'the new one'}`;
}
