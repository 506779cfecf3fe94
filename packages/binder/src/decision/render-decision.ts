import type { Decision } from './decision.js';

/** A decision as a text that a person reads at a glance; the first line is the answer. */
export function renderDecision(decision: Decision): string {
  const { request, chosen, outcome, refusal, rule, group, guards, operations } = decision;
  const name = chosen?.driver ?? chosen?.name;
  const headline = {
    bind: `${request.device} → ${name}`,
    'nothing-to-do': `${request.device} is bound to ${name} already`,
    'already-provided': `${request.device} stays with its driver`,
    refused: `${request.device}: refused`,
  }[outcome];
  const lines = [headline, `  because  ${rule}`];
  if (refusal !== null && refusal !== rule) lines.push(`  refused  ${refusal}`);
  for (const fact of decision.facts.filter((one) =>
    ['ids', 'class', 'driver', 'override'].includes(one.name),
  ))
    lines.push(
      `  ${fact.name.padEnd(8)} ${fact.value === undefined ? 'unknown' : (fact.value ?? 'none')}`,
    );
  if (decision.tie.length > 0) lines.push(`  tie      ${decision.tie.join(', ')}`);
  for (const one of decision.candidates.slice(1))
    lines.push(`  else     ${one.driver ?? one.name}: ${one.why}`);
  for (const one of decision.rejections) lines.push(`  not      ${one.name}: ${one.reason}`);
  const { libvirtExact } = decision;
  if (libvirtExact.differs)
    lines.push(`  libvirt  would take ${libvirtExact.driver ?? 'nothing'} (${libvirtExact.note})`);
  if (group !== null) {
    const viable = (is: boolean | null) =>
      is === null ? 'nobody knows' : is ? 'viable' : 'not viable';
    lines.push(
      `  group ${group.number}: ${viable(group.viableNow)} now, ${viable(group.viableAfter)} after`,
    );
    for (const one of group.members)
      lines.push(
        `    ${one.device}  ${(one.driver === undefined ? '?' : (one.driver ?? '-')).padEnd(16)} ${one.effect.padEnd(9)} ${one.action.padEnd(6)} ${one.class}`,
      );
  }
  for (const one of guards) lines.push(`  guard    ${one.text}`);
  for (const text of decision.warnings) lines.push(`  warning  ${text}`);
  for (const [index, one] of operations.entries()) {
    const what =
      one.step === 'verify' || one.step === 'load'
        ? `${one.step} ${one.path}`
        : `${JSON.stringify(one.bytes)} > ${one.path}`;
    const undo =
      one.undo === undefined
        ? ''
        : `   (undo: ${JSON.stringify(one.undo.bytes)} > ${one.undo.path})`;
    lines.push(`  ${String(index + 1).padStart(2)}. ${what}${undo}`);
  }
  if (decision.unobserved.length > 0) lines.push(`  unseen   ${decision.unobserved.join('; ')}`);
  return `${lines.join('\n')}\n`;
}
