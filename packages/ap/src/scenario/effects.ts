import type { Apqn } from '../arch/apqn.js';
import { apidOf, formatApid } from '../arch/apqn.js';
import type { QueueObservation, WorldObservation } from '../design/observation.js';
import { abbreviate, abbreviateMatrix } from '../show/queue-names.js';

/** One thing that has changed: to the host, to a matrix, to a guest, or in the hardware. */
export interface Effect {
  readonly kind: 'host' | 'matrix' | 'guest' | 'hardware';
  /** `host`, the name of the matrix or the guest, or `adapter`. */
  readonly subject: string;
  readonly text: string;
}

/** Nothing at all: how a machine stands before it is switched on. */
export const NOTHING_YET: WorldObservation = {
  queues: new Map(),
  cards: new Map(),
  matrices: new Map(),
  guests: new Map(),
};

/** Works out what has changed between two looks at a machine. */
export function compareObservations(
  before: WorldObservation,
  after: WorldObservation,
  zeroized: Iterable<Apqn> = [],
): readonly Effect[] {
  return [
    ...adapterEffects(before, after),
    ...hostEffects(before, after),
    ...matrixEffects(before, after),
    ...guestEffects(before, after),
    ...contentEffects(before, after, zeroized),
  ];
}

/** Collects queues under what has happened to them. */
class Changes {
  readonly #queues = new Map<string, Apqn[]>();

  add(text: string, apqn: Apqn): void {
    this.#queues.set(text, [...(this.#queues.get(text) ?? []), apqn]);
  }

  effects(kind: Effect['kind'], subject: string): Effect[] {
    return [...this.#queues].map(([text, apqns]) => ({
      kind,
      subject,
      text: text.replace('%', abbreviate(apqns)),
    }));
  }
}

function* allQueues(
  before: WorldObservation,
  after: WorldObservation,
): Generator<[Apqn, QueueObservation | undefined, QueueObservation | undefined]> {
  const apqns = new Set([...before.queues.keys(), ...after.queues.keys()]);
  for (const apqn of [...apqns].sort((a, b) => a - b))
    yield [apqn, before.queues.get(apqn), after.queues.get(apqn)];
}

function adapterEffects(before: WorldObservation, after: WorldObservation): Effect[] {
  const states = (world: WorldObservation): Map<number, string> =>
    new Map(
      [...world.queues.values()]
        .filter(({ present }) => present)
        .map(({ apqn, adapter }) => [apidOf(apqn), adapter]),
    );
  const was = states(before);
  const changes = new Changes();
  for (const [apqn, had, has] of allQueues(before, after)) {
    if (!had?.present && has?.present) changes.add('% in the partition', apqn);
    if (had?.present && !has?.present) changes.add('% gone from the partition', apqn);
  }
  const effects = changes.effects('hardware', 'queue');
  for (const [apid, state] of states(after))
    if (was.has(apid) && was.get(apid) !== state)
      effects.push({
        kind: 'hardware',
        subject: 'adapter',
        text: `${formatApid(apid)} is ${state}`,
      });
  return effects;
}

function hostEffects(before: WorldObservation, after: WorldObservation): Effect[] {
  const changes = new Changes();
  for (const [apqn, was, is] of allQueues(before, after)) {
    const [from, to] = [binding(was), binding(is)];
    if (from === to) continue;
    changes.add(was === undefined ? `% with ${to}` : `%: ${from} -> ${to}`, apqn);
  }
  const effects = changes.effects('host', 'host');
  for (const [apid, is] of after.cards) {
    const was = before.cards.get(apid);
    const card = `card${formatApid(apid)}`;
    const say = (text: string): number => effects.push({ kind: 'host', subject: 'host', text });
    if (was !== undefined && was.config !== is.config)
      say(`${card} ${is.config ? '' : 'de'}configured`);
    if (was !== undefined && was.chkstop !== is.chkstop)
      say(`${card} ${is.chkstop ? 'has stopped' : 'works again'}`);
  }
  return effects;
}

/** How the host's AP bus has a queue. */
function binding(queue: QueueObservation | undefined): string {
  if (!queue?.onBus) return 'not on the bus';
  return queue.driver ?? 'no driver';
}

function matrixEffects(before: WorldObservation, after: WorldObservation): Effect[] {
  const effects: Effect[] = [];
  const say = (subject: string, text: string): number =>
    effects.push({ kind: 'matrix', subject, text });
  for (const id of new Set([...before.matrices.keys(), ...after.matrices.keys()])) {
    const was = before.matrices.get(id);
    const is = after.matrices.get(id);
    if (is === undefined) {
      say(id, 'is gone');
      continue;
    }
    if (was === undefined) say(id, 'is new');
    const assigned = abbreviateMatrix(is.assigned);
    const control = is.assigned.adm.ids.join(', ');
    const passed = abbreviateMatrix(is.passed);
    if (was && abbreviateMatrix(was.assigned) !== assigned) say(id, `${assigned} assigned`);
    if (was && was.assigned.adm.ids.join(', ') !== control)
      say(id, control === '' ? 'no control domain' : `control domain ${control} assigned`);
    if (was && abbreviateMatrix(was.passed) !== passed) say(id, `${passed} passed`);
  }
  return effects;
}

function guestEffects(before: WorldObservation, after: WorldObservation): Effect[] {
  const effects: Effect[] = [];
  for (const name of new Set([...before.guests.keys(), ...after.guests.keys()])) {
    const was = before.guests.get(name);
    const is = after.guests.get(name);
    const say = (text: string): number => effects.push({ kind: 'guest', subject: name, text });
    if (is === undefined) say('has ended');
    else if (was === undefined) say('runs');
    else if (was.state !== is.state) say(is.state === 'halted' ? 'has halted' : 'runs');
    if (is !== undefined && was?.plugged && !is.plugged) say('has lost its device');
    const changes = new Changes();
    for (const [apqn, had, has] of allQueues(before, after)) {
      const held = had?.guests.includes(name) ?? false;
      const holds = has?.guests.includes(name) ?? false;
      if (!held && holds) changes.add('gets %', apqn);
      if (held && !holds) changes.add('loses %', apqn);
    }
    effects.push(...changes.effects('guest', name));
    const known = abbreviate(is?.known ?? []);
    if (is !== undefined && known !== '' && known !== abbreviate(was?.known ?? []))
      say(`its Linux has ${known}`);
    const told = is === undefined ? 0 : is.configEvents - (was?.configEvents ?? 0);
    if (told > 0) say(told === 1 ? 'is told of the change' : `is told of ${told} changes`);
  }
  return effects;
}

function contentEffects(
  before: WorldObservation,
  after: WorldObservation,
  zeroized: Iterable<Apqn>,
): Effect[] {
  const changes = new Changes();
  const cleaned = new Set(zeroized);
  for (const [apqn, was, is] of allQueues(before, after)) {
    if (!is?.present) continue;
    if (cleaned.has(apqn)) changes.add('% zeroized', apqn);
    if (is.used && !was?.used) changes.add('% holds messages', apqn);
    if (is.irq && !was?.irq) changes.add('% has interrupts', apqn);
    if (was?.irq && !is.irq) changes.add('% has no interrupts', apqn);
  }
  return changes.effects('hardware', 'queue');
}

/** A queue in three words: whose driver has it, who can use it, what is in it. */
export function queueState(queue: QueueObservation | undefined): string {
  if (!queue?.present)
    return queue === undefined ? 'gone' : `gone; ${binding(queue)} does not know yet`;
  const user = queue.guests[0] ?? (queue.host ? 'host' : 'nobody');
  const content = `${queue.used ? 'used' : 'clean'}${queue.irq ? ', IRQ on' : ''}`;
  const state = queue.adapter === 'configured' ? '' : `, ${queue.adapter}`;
  return `${binding(queue)} / ${user} / ${content}${state}`;
}
