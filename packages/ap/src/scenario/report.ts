import type { Effect } from './effects.js';
import type { ScenarioRun, StepResult } from './run.js';

/** Colours for reports, or none. */
export interface ReportStyle {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
}

const same = (text: string): string => text;

/** No colours. */
export const PLAIN: ReportStyle = { bold: same, dim: same, good: same, bad: same };

const OUTCOME_COLUMN = 62;

/** A run as lines: every step with its outcome, and under it what it did to whom. */
export function reportRun(run: ScenarioRun, style: ReportStyle = PLAIN): string[] {
  return [
    style.bold(run.scenario.title),
    style.dim(`${run.design.name}: ${run.design.title}`),
    '',
    ...run.results.flatMap((result, n) => reportStep(result, n + 1, style)),
    summary(run, style),
  ];
}

/** One step with what it did. */
export function reportStep(
  result: StepResult,
  number: number,
  style: ReportStyle = PLAIN,
): string[] {
  const { actor, text, outcome, messages, effects, violations, unmet } = result;
  const head = `${String(number).padStart(3)}. ${actor}: ${text}`;
  const colour = outcome === 'ok' ? style.good : outcome === 'n/a' ? style.dim : style.bad;
  return [
    `${head.padEnd(OUTCOME_COLUMN)} ${colour(outcome)}`,
    ...shorten(messages).map((message) => style.dim(`       ${message}`)),
    ...effects.map(({ subject, text: what }) => `       ${subject.padEnd(8)} ${what}`),
    ...[...violations, ...unmet].map((problem) => style.bad(`       !        ${problem}`)),
  ];
}

/** How many messages a step shows. The last is the one that the writer of a file gets. */
const MOST_MESSAGES = 3;

function shorten(messages: readonly string[]): readonly string[] {
  if (messages.length <= MOST_MESSAGES) return messages;
  const hidden = messages.length - MOST_MESSAGES;
  return [...messages.slice(0, MOST_MESSAGES - 1), `… and ${hidden} more`, ...messages.slice(-1)];
}

function summary(run: ScenarioRun, { good, bad }: ReportStyle): string {
  const wrong = run.results.filter((one) => one.unmet.length > 0).length;
  return wrong === 0
    ? good(`${run.results.length} steps, all as expected`)
    : bad(`${wrong} of ${run.results.length} steps not as expected`);
}

/** A run as one document for programs. */
export function runDocument(run: ScenarioRun) {
  return {
    title: run.scenario.title,
    design: run.design.name,
    passed: run.passed,
    steps: run.results.map(
      ({ step, actor, text, outcome, messages, effects, violations, unmet }) => ({
        line: step.line,
        verb: step.verb,
        actor,
        text,
        outcome,
        messages,
        effects,
        violations,
        unmet,
      }),
    ),
  };
}

/** Several runs of one scenario side by side: each step with every design's outcome, and where they part, why. */
export function reportComparison(
  runs: readonly ScenarioRun[],
  style: ReportStyle = PLAIN,
): string[] {
  const [first] = runs;
  if (first === undefined) return [];
  const width = Math.max(...runs.map(({ design }) => design.name.length)) + 2;
  const columns = (cells: readonly string[]): string =>
    cells
      .map((cell) => cell.padEnd(width))
      .join('')
      .trimEnd();
  const lines = [
    style.bold(first.scenario.title),
    '',
    `${''.padEnd(OUTCOME_COLUMN)} ${style.bold(columns(runs.map(({ design }) => design.name)))}`,
  ];
  for (const [n, { actor, text }] of first.results.entries()) {
    const results = runs.map((run) => run.results[n]!);
    const head = `${String(n + 1).padStart(3)}. ${actor}: ${text}`;
    lines.push(`${head.padEnd(OUTCOME_COLUMN)} ${columns(results.map(({ outcome }) => outcome))}`);
    lines.push(...differences(runs, results, style));
  }
  return lines;
}

/** What the runs have in common, then what only some of them have, with their names. */
function differences(
  runs: readonly ScenarioRun[],
  results: readonly StepResult[],
  style: ReportStyle,
): string[] {
  const told = results.map(({ effects }) => new Set(effects.map(effectText)));
  const phrases = new Set(told.flatMap((effects) => [...effects]));
  const lines = [...phrases].map((phrase) => {
    const having = runs.filter((_, n) => told[n]!.has(phrase)).map(({ design }) => design.name);
    const all = having.length === runs.length;
    return { all, text: all ? phrase : `${phrase}  [${having.join(', ')}]` };
  });
  return [...lines.filter(({ all }) => all), ...lines.filter(({ all }) => !all)].map(({ text }) =>
    style.dim(`       ${text}`),
  );
}

/** An effect as one phrase: `g1 loses 05.0004`. */
export function effectText({ subject, text }: Effect): string {
  return subject === 'queue' || subject === 'host' ? text : `${subject} ${text}`;
}
