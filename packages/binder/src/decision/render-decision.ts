import { className } from '@vfiokit/pci';
import type { Decision } from './decision.js';
import type { Operation } from './operation.js';
import { columnsOf, DEFAULT_COLUMNS, hanging } from './text-layout.js';

/** A decision as a text that a person reads at a glance; the first line is the answer. */
export function renderDecision(decision: Decision, columns = DEFAULT_COLUMNS): string {
  const { refusal, rule, guards, libvirtExact } = decision;
  const lines: string[] = [headline(decision)];
  const say = (heading: string, text: string) =>
    lines.push(...hanging(`  ${heading.padEnd(8)} `, text, columns));

  say('because', rule);
  if (refusal !== null && refusal !== rule) say('refused', refusal);
  say('device', describeDevice(decision));
  if (decision.tie.length > 0) say('tie', decision.tie.join(', '));
  for (const one of decision.candidates.slice(1))
    say('else', `${one.driver ?? one.name}: ${one.why}`);
  for (const one of decision.rejections) say('not', `${one.name}: ${one.reason}`);
  if (libvirtExact.differs)
    say(
      'libvirt',
      libvirtExact.driver === null
        ? libvirtExact.note
        : `would take ${libvirtExact.driver} (${libvirtExact.note})`,
    );
  lines.push(...groupLines(decision, columns));
  // The refusal has told the guard that stops everything.
  for (const { text } of guards) if (refusal?.startsWith(text) !== true) say('guard', text);
  for (const text of decision.warnings) say('warning', text);
  lines.push(...operationLines(decision.operations, columns));
  if (decision.unobserved.length > 0) say('unseen', together(decision.unobserved));
  return `${lines.join('\n')}\n`;
}

function headline({ request, chosen, outcome }: Decision): string {
  const name = chosen?.driver ?? chosen?.name;
  switch (outcome) {
    case 'bind':
      return `${request.device} → ${name}`;
    case 'nothing-to-do':
      return `${request.device} is bound to ${name} already`;
    case 'already-provided':
      return `${request.device} stays with its driver`;
    case 'refused':
      return `${request.device}: refused`;
  }
}

/** `8086:46a6 VGA controller, driver i915, override none`. */
function describeDevice({ facts }: Decision): string {
  const of = (name: string) => facts.find((one) => one.name === name)?.value;
  const text = (name: string) => {
    const value = of(name);
    return value === undefined ? 'unknown' : (value ?? 'none');
  };
  const [ids, code] = [of('ids'), of('class')];
  const what =
    ids === undefined
      ? 'of unknown ids'
      : `${String(ids).replaceAll('0x', '')} ${className(Number(code))}`;
  return `${what}, driver ${text('driver')}, override ${text('override')}`;
}

function groupLines({ group }: Decision, columns: number): readonly string[] {
  if (group === null) return [];
  const viable = (is: boolean | null) => (is === null ? 'not known' : is ? 'yes' : 'no');
  const rows = group.members.map(({ device, driver, effect, action, class: kind }) => [
    device,
    driver === undefined ? '?' : (driver ?? '-'),
    effect,
    action,
    kind,
  ]);
  return [
    `  group    ${group.number}; viable now: ${viable(group.viableNow)}, after: ${viable(group.viableAfter)}`,
    ...columnsOf(rows, '           ', columns),
  ];
}

/** What is not known of one thing in one part: `override, physfn of 0000:00:02.0`. */
function together(unobserved: readonly string[]): string {
  const parts: string[] = [];
  let of = '';
  for (const text of unobserved) {
    const thing = / of [0-9a-f]{4,8}:[0-9a-f:.]+$/.exec(text)?.[0] ?? '';
    if (thing !== '' && thing === of)
      parts.push(`${parts.pop()!.slice(0, -thing.length)}, ${text}`);
    else parts.push(text);
    of = thing;
  }
  return parts.join('; ');
}

const BUS = '/sys/bus/pci/';

/**
 * The writes as a shell would say them, below the bus's folder; what takes each back stands beside it, or under it where
 * there is no room.
 */
function operationLines(operations: readonly Operation[], columns: number): readonly string[] {
  if (operations.length === 0) return [];
  const place = (path: string) => (path.startsWith(BUS) ? path.slice(BUS.length) : path);
  const rows = operations.map(({ step, path, bytes, undo }, at): [string, string] => {
    const number = `${at + 1}.`.padStart(3);
    if (step === 'load') return [`${number} modprobe -b ${path.slice('/sys/module/'.length)}`, ''];
    if (step === 'verify') return [`${number} verify ${place(path)}`, ''];
    const back =
      undo === undefined
        ? ''
        : undo.path === path
          ? `undo: ${JSON.stringify(undo.bytes)}`
          : `undo: ${undo.bytes === bytes ? '' : `${JSON.stringify(undo.bytes)} `}> ${place(undo.path)}`;
    return [`${number} ${JSON.stringify(bytes)} > ${place(path)}`, back];
  });
  const widest = (at: 0 | 1) => Math.max(...rows.map((row) => row[at].length));
  const beside = 2 + widest(0) + 2 + widest(1) <= columns;
  return [
    `  writes   in ${BUS.slice(0, -1)}:`,
    ...(beside
      ? columnsOf(rows, '  ', columns)
      : rows.flatMap(([write, back]) => [`  ${write}`, ...(back === '' ? [] : [`      ${back}`])])),
  ];
}
