import type { ModuleIndex } from './module-index.js';
import {
  ALIAS_FIELDS,
  type AliasFields,
  type FieldMatch,
  matchFields,
  parseModalias,
  parseVfioPattern,
} from './vfio-alias.js';

/** A line of the index that fits a device. */
export interface AliasCandidate {
  readonly module: string;
  readonly pattern: string;
  /** In the index, from 1; 0 for a driver that is compiled in. */
  readonly line: number;
  readonly fields: readonly FieldMatch[];
  /** How many fields are wildcards: fewer is more specific. */
  readonly score: number;
  readonly builtin: boolean;
}

export interface BestMatch {
  /** Every line that fits, the best first. */
  readonly candidates: readonly AliasCandidate[];
  /** Modules that share the best score; more than one is a tie. */
  readonly tie: readonly string[];
  /** Lines that are no good and were passed over, by number. */
  readonly malformed: readonly number[];
}

/**
 * The strict search: fields are compared as shell patterns, drivers that are compiled in count as well, malformed lines
 * and ties are reported.
 */
export function strictMatch(index: ModuleIndex, modalias: string): BestMatch {
  const device = parseModalias(modalias);
  if (device === undefined) return { candidates: [], tie: [], malformed: [] };
  const key = modalias.replace(/^pci:/, 'vfio_pci:');
  const candidates: AliasCandidate[] = [];
  const seen = new Set<string>();
  const sources = [
    [index.aliases.match(key), false],
    [index.builtinAliases.match(key), true],
  ] as const;
  for (const [entries, builtin] of sources)
    for (const { pattern, module, line } of entries) {
      const fields = matchPattern(pattern, device);
      // Generated aliases are unique, but a module may spell one by hand as well.
      if (fields === undefined || seen.has(`${module} ${pattern}`)) continue;
      seen.add(`${module} ${pattern}`);
      const score = fields.filter(({ wildcard }) => wildcard).length;
      candidates.push({ module, pattern, line: builtin ? 0 : line, fields, score, builtin });
    }
  candidates.sort((a, b) => a.score - b.score || a.line - b.line);
  const best = candidates.filter(({ score }) => score === candidates[0]?.score);
  return {
    candidates,
    tie: [...new Set(best.map(({ module }) => module))],
    malformed: index.malformedLines,
  };
}

function matchPattern(pattern: string, device: AliasFields): readonly FieldMatch[] | undefined {
  const fields = parseVfioPattern(pattern);
  return fields === undefined ? undefined : matchFields(fields, device);
}

/** Bytes that libvirt reads of a device's modalias, and of the index. */
const MODALIAS_LIMIT = 100;
const INDEX_LIMIT = 8 * 1024 * 1024;

/** What libvirt's search gives: a module's name verbatim and its score, nothing, or the error that fails the attach. */
export type LibvirtMatch =
  | {
      readonly kind: 'match';
      readonly module: string;
      readonly score: number;
      readonly line: number;
    }
  | { readonly kind: 'none' }
  | { readonly kind: 'error'; readonly message: string };

/**
 * libvirt's search for the best driver, byte for byte (virpci.c: virPCIDeviceFindBestVFIOVariant). Only a field that is
 * exactly `*` is a wildcard; the first line of the file is never seen; of equal scores the first line stays; a line
 * without a module borrows the text behind the next space.
 *
 * @param modalias the content of the device's file, newline and all.
 * @param index the content of the running kernel's `modules.alias`; undefined if it can't be read.
 */
export function libvirtMatch(modalias: string, index: string | undefined): LibvirtMatch {
  const error = (message: string): LibvirtMatch => ({ kind: 'error', message });
  if (modalias.length > MODALIAS_LIMIT)
    return error('the device has a modalias of more than 100 bytes');
  if (!modalias.startsWith('pci:')) return error('the modalias of the device is not one of PCI');
  const device = parseAt(modalias, 'pci:'.length);
  if (device === undefined) return error('the modalias of the device has an unknown form');
  if (index === undefined) return error("the running kernel's modules.alias can't be read");
  if (index.length > INDEX_LIMIT)
    return error("the running kernel's modules.alias is larger than 8 MiB");

  const start = '\nalias vfio_pci:';
  let best: { module: string; score: number; at: number } | undefined;
  for (let at = index.indexOf(start); at >= 0; at = index.indexOf(start, at + 1)) {
    const from = at + start.length;
    const fields = parseAt(index, from);
    if (fields === undefined) continue;
    const score = libvirtScore(fields, device);
    if (score === undefined || (best !== undefined && score >= best.score)) continue;
    const space = index.indexOf(' ', from);
    if (space < 0) continue;
    const end = index.indexOf('\n', space);
    const module = index.slice(space + 1, end < 0 ? undefined : end);
    best = { module, score, at };
  }
  if (best === undefined) return { kind: 'none' };
  const { module, score, at } = best;
  return { kind: 'match', module, score, line: index.slice(0, at + 1).split('\n').length };
}

/** The fields from a position on; each ends where the next marker comes, wherever that is, the last at white space. */
function parseAt(text: string, from: number): AliasFields | undefined {
  const fields: Partial<Record<(typeof ALIAS_FIELDS)[number], string>> = {};
  let at = from;
  for (const [index, marker] of ALIAS_FIELDS.entries()) {
    if (!text.startsWith(marker, at)) return undefined;
    at += marker.length;
    const next = ALIAS_FIELDS[index + 1];
    const length = next === undefined ? text.slice(at).search(/\s|$/) : text.indexOf(next, at) - at;
    if (length < 0) return undefined;
    fields[marker] = text.slice(at, at + length);
    at += length;
  }
  return fields as AliasFields;
}

function libvirtScore(pattern: AliasFields, device: AliasFields): number | undefined {
  let wildcards = 0;
  for (const field of ALIAS_FIELDS) {
    if (pattern[field] === '*') wildcards += 1;
    else if (pattern[field] !== device[field]) return undefined;
  }
  return wildcards;
}
