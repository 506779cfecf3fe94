import type { Decision, PlanOptions } from '@vfiokit/binder';
import type { Palette } from '../io.js';
import { table } from '../output.js';
import type { Chapter } from './chapter.js';
import type { Stage } from './stage.js';

/** A device for which every policy is asked. */
export interface Asked {
  readonly stage: Stage;
  readonly device: string;
  /** What it is, at the head of its column. */
  readonly what: string;
}

/** Columns that are left for a reason. */
const WIDTH = 47;

/** Every policy's answer for two devices, side by side, and why for the second. */
export function policiesChapter(first: Asked, second: Asked, { bold, dim }: Palette): Chapter {
  const names = first.stage.opened.planner.policies.map(({ name }) => name);
  const answers = names.map((policy) => ({
    policy,
    decisions: [first, second].map((asked) => decide(asked, policy)),
  }));
  const rows = answers.map(({ policy, decisions: [one, other] }, index) => [
    `P${index + 1} ${policy}`,
    answer(one!),
    bold(answer(other!)),
    dim(shorten(reason(policy, other!))),
  ]);
  return {
    name: 'policies',
    title: 'Which driver? Nine answers have been proposed; each is a policy, and tells why',
    lines: table(rows, {
      header: ['policy', first.what, second.what, `why, for the ${second.what}`],
    }),
    facts: [first, second].map(({ device }, at) => ({
      device,
      answers: answers.map(({ policy, decisions }) => {
        const { outcome, chosen, rule } = decisions[at]!;
        return { policy, outcome, driver: chosen?.driver ?? chosen?.name ?? null, rule };
      }),
    })),
    good: answers.every(({ decisions }) => decisions.every(({ rule }) => rule !== '')),
  };
}

/** What somebody who wants this policy would say with it. */
function decide({ stage, device }: Asked, policy: string): Decision {
  const { planner, input } = stage.opened;
  const ask = (options: Partial<PlanOptions>) =>
    planner.plan(device, input, {
      policy: 'alias-best-match',
      mode: 'strict',
      wholeGroup: true,
      ...options,
    });
  switch (policy) {
    case 'user-override':
      return ask({ policy, driver: 'vfio-pci' });
    case 'capability':
      return ask({ policy, features: ['migration'] });
    case 'pinned': {
      const { chosen, facts, kernel } = ask({});
      const modalias = facts.find(({ name }) => name === 'modalias')?.value;
      return ask({
        policy,
        pinned: {
          driver: chosen?.driver ?? chosen?.name ?? '',
          modalias: String(modalias),
          release: kernel.release ?? '',
          digest: kernel.index?.digest ?? '',
        },
      });
    }
    default:
      return ask({ policy });
  }
}

function answer({ chosen }: Decision): string {
  return chosen === null ? 'none' : (chosen.driver ?? chosen.name);
}

function reason(policy: string, { rule }: Decision): string {
  return rule.startsWith(`${policy}: `) ? rule.slice(policy.length + 2) : rule;
}

/** The first clauses of a reason that fit. */
function shorten(text: string): string {
  if (text.length <= WIDTH) return text;
  const cut = Math.max(text.lastIndexOf(';', WIDTH), text.lastIndexOf(',', WIDTH));
  return cut > 0 ? text.slice(0, cut) : text;
}
