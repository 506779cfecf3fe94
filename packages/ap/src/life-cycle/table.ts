import { apqnOf } from '../arch/apqn.js';
import type { ApDesign } from '../design/ap-design.js';
import { observe } from '../design/observation.js';
import { type Effect, queueState } from '../scenario/effects.js';
import { effectText } from '../scenario/report.js';
import { ScenarioRun } from '../scenario/run.js';
import { parseScenario } from '../scenario/scenario.js';
import { LIFE_CYCLE, type LifeCycleEvent } from './events.js';

/** The queue whose state the table follows. */
const FOCUS = apqnOf(5, 4);

/** What an event came to in one design. */
export interface LifeCycleRow {
  readonly event: string;
  readonly actor: string;
  readonly outcome: string;
  /** On the host's own side. */
  readonly host: readonly string[];
  /** To matrices and guests. */
  readonly guest: readonly string[];
  /** Driver / who can use it / what is in it, of 05.0004 afterwards. */
  readonly queue: string;
  readonly note: string | undefined;
}

/** Plays every event of the life cycle on a design. */
export async function playLifeCycle(
  design: ApDesign,
  events: readonly LifeCycleEvent[] = LIFE_CYCLE,
): Promise<readonly LifeCycleRow[]> {
  const rows: LifeCycleRow[] = [];
  for (const event of events) rows.push(await playEvent(design, event));
  return rows;
}

async function playEvent(
  design: ApDesign,
  { event, given, when, note }: LifeCycleEvent,
): Promise<LifeCycleRow> {
  const scenario = parseScenario(`steps:\n${given}\n${when}\n`, event);
  const run = new ScenarioRun(design, scenario);
  let last = await run.perform(scenario.steps[0]!);
  for (const step of scenario.steps.slice(1)) {
    // What a design does not have, it need not be brought to: its counterpart happens by itself.
    if (last.outcome !== 'ok' && last.outcome !== 'n/a')
      throw new Error(`${event}: ${last.text}: ${last.outcome}`);
    last = await run.perform(step);
  }
  const { actor, outcome, effects } = last;
  const phrases = (kinds: readonly Effect['kind'][]): string[] =>
    effects.filter(({ kind }) => kinds.includes(kind)).map(effectText);
  if (outcome === 'n/a')
    return { event, actor, outcome, host: [], guest: [], queue: '–', note: undefined };
  return {
    event,
    actor,
    outcome,
    host: phrases(['host', 'hardware']),
    guest: phrases(['matrix', 'guest']),
    queue: queueState(observe(run.world).queues.get(FOCUS)),
    note,
  };
}

/** The table in Markdown. */
export function lifeCycleMarkdown(rows: readonly LifeCycleRow[]): string {
  const lines = [
    '| # | Event | Who | Result | Host and hardware | Matrix and guest | 05.0004 afterwards: driver / user / content |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows.map(
      ({ event, actor, outcome, host, guest, queue, note }, n) =>
        `| ${n + 1} | ${event} | ${actor} | ${outcome === 'ok' ? 'ok' : `**${outcome}**`} | ${cell(host, outcome)} | ${cell([...guest, ...(note === undefined ? [] : [`*${note}*`])], outcome)} | ${queue} |`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

/** The life cycle of every design as one Markdown document. */
export async function lifeCycleDocument(designs: readonly ApDesign[]): Promise<string> {
  const parts = [
    '# The life of queues and guests',
    [
      'What happens to queues, matrices and guests when the host boots, resets, gains and loses hardware, when guests start, halt',
      'and restart, when drivers are unloaded and masks change: every event played on a model of each design. The machine has',
      'adapters 5 and 6 with domains 4, 0x47 and 0xab; the guest of the examples is `g1`, its matrix `m1`. Names in braces stand',
      'for all their combinations, as in a shell.',
    ].join('\n'),
    'Made by `vfiokit ap life-cycle`.',
  ];
  for (const design of designs) {
    parts.push(`## ${design.name}`, `*${design.title}*`);
    parts.push(lifeCycleMarkdown(await playLifeCycle(design)).trimEnd());
  }
  return `${parts.join('\n\n')}\n`;
}

function cell(phrases: readonly string[], outcome: string): string {
  if (outcome === 'n/a') return 'no such event';
  return phrases.length === 0 ? '–' : phrases.join('; ');
}
