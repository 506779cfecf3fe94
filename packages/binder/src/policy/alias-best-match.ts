import { type AliasCandidate, libvirtMatch, strictMatch } from '../modules/best-match.js';
import { moduleName } from '../modules/modprobe-config.js';
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

/** What no alias can be compared with. */
const UNKNOWN_DEVICE =
  'alias-best-match: the modalias of the device is not known; --policy generic does without';

/** Fields of an alias: an alias with as many wildcards fits anything. */
const FIELDS = 7;

/** P4: the module that advertises the device most specifically; what the kernel's index was given its prefix for. */
export const ALIAS_BEST_MATCH: SelectionPolicy = {
  name: 'alias-best-match',
  summary: 'the most specific vfio_pci: alias of the index',
  choose: (input) => (input.request.mode === 'libvirt-exact' ? libvirtExact(input) : strict(input)),
};

/** The driver that libvirt would take, with its errors as refusals. */
function libvirtExact(input: SelectionInput): PolicyAnswer {
  const modalias = input.device.modalias.value;
  if (modalias === undefined) return refuse(UNKNOWN_DEVICE);
  const match = libvirtMatch(`${modalias}\n`, input.index?.text);
  if (match.kind === 'error') return refuse(`alias-best-match: ${match.message}`);
  const [name, rule, more] =
    match.kind === 'none'
      ? [GENERIC_DRIVER, 'alias-best-match: no alias fits, so the default is taken', {}]
      : [
          match.module,
          `alias-best-match: line ${match.line}, with ${match.score} wildcards of 7, is the first of the most specific`,
          { line: match.line, score: match.score },
        ];
  const one = candidateFor(name, rule.slice('alias-best-match: '.length), input, more);
  // The second best is not tried: a module that is prohibited fails the attach.
  if (isRejection(one)) return refuse(`alias-best-match: ${one.reason}`, [one]);
  return { candidates: [one], rejections: [], rule, style: 'first' };
}

function strict(input: SelectionInput): PolicyAnswer {
  const modalias = input.device.modalias.value;
  if (modalias === undefined) return refuse(UNKNOWN_DEVICE);
  if (input.index === undefined) return withoutIndex(input);
  const { tie, malformed } = strictMatch(input.index, modalias);
  const warnings = malformed.map(
    (line) => `line ${line} of the index is malformed and was passed over`,
  );
  const { ranked, rejections } = rankedCandidates(input);
  const best = ranked[0];
  if (best === undefined) {
    const fallback = candidateFor(GENERIC_DRIVER, 'no alias fits', input);
    if (isRejection(fallback))
      return refuse(`alias-best-match: no alias fits, and ${fallback.reason}`, [
        ...rejections,
        fallback,
      ]);
    return {
      candidates: [fallback],
      rejections,
      rule: 'alias-best-match: no alias fits, so the default is taken',
      style: 'first',
      warnings,
    };
  }
  const { tieBreaker } = input.request;
  // Whoever says which may say the driver's name or the module's.
  const winner = tie.find((module) => moduleName(module) === moduleName(tieBreaker ?? ''));
  if (tie.length > 1 && winner === undefined)
    return {
      ...refuse(
        `alias-best-match: ${tie.join(' and ')} fit equally well; say which with --driver`,
        rejections,
      ),
      tie,
      warnings,
    };
  const chosen =
    tie.length > 1
      ? ranked.find(({ module, name }) => module === winner || name === winner)!
      : best;
  const others = ranked.filter((one) => one !== chosen);
  const { score } = chosen;
  return {
    candidates: input.request.fallBack === true ? [chosen, ...others] : [chosen],
    rejections: [
      ...rejections,
      ...others.map(
        ({ name, score }): Rejection => ({
          name,
          code: (score ?? 0) > (chosen.score ?? 0) ? 'less-specific' : 'later-in-file',
          reason: `${name} has ${score} wildcards, ${chosen.name} ${chosen.score}`,
        }),
      ),
    ],
    rule:
      score === FIELDS
        ? `alias-best-match: only the catch-all of ${chosen.name} fits`
        : `alias-best-match: ${chosen.name} has the narrowest alias, ${score} of ${FIELDS} fields open`,
    style: 'first',
    tie,
    warnings,
  };
}

/** Where no index was captured, only the default is known; a variant may be better, and nobody can tell. */
function withoutIndex(input: SelectionInput): PolicyAnswer {
  const one = candidateFor(GENERIC_DRIVER, 'what any function can have', input);
  if (isRejection(one))
    return refuse(`alias-best-match: there is no module index, and ${one.reason}`, [one]);
  return {
    candidates: [one],
    rejections: [],
    rule: 'alias-best-match: there is no module index, so the default is taken',
    style: 'first',
    warnings: [
      'without a module index nobody knows whether a variant driver fits better; name one with --aliases',
    ],
  };
}

/** Every driver that advertises the device and can be had, the most specific first. */
export function rankedCandidates(input: SelectionInput): {
  readonly ranked: readonly Candidate[];
  readonly rejections: readonly Rejection[];
} {
  const modalias = input.device.modalias.value;
  if (modalias === undefined || input.index === undefined) return { ranked: [], rejections: [] };
  const byModule = new Map<string, AliasCandidate>();
  for (const one of strictMatch(input.index, modalias).candidates)
    if (!byModule.has(one.module)) byModule.set(one.module, one);
  const ranked: Candidate[] = [];
  const rejections: Rejection[] = [];
  for (const { module, pattern, line, score, fields } of byModule.values()) {
    const why = `its alias fits with ${score} wildcards`;
    const one = candidateFor(module, why, input, { pattern, line, score, fields });
    if (isRejection(one)) rejections.push(one);
    else ranked.push(one);
  }
  return { ranked, rejections };
}
