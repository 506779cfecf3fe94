import { globMatches } from './glob.js';

/** The fields of a PCI alias, in their order, by their markers (file2alias.c: do_pci_entry). */
export const ALIAS_FIELDS = ['v', 'd', 'sv', 'sd', 'bc', 'sc', 'i'] as const;

export type AliasField = (typeof ALIAS_FIELDS)[number];

/** The text of each field. */
export type AliasFields = Readonly<Record<AliasField, string>>;

const MODALIAS =
  /^pci:v(?<v>[0-9A-F]{8})d(?<d>[0-9A-F]{8})sv(?<sv>[0-9A-F]{8})sd(?<sd>[0-9A-F]{8})bc(?<bc>[0-9A-F]{2})sc(?<sc>[0-9A-F]{2})i(?<i>[0-9A-F]{2})$/;
const VFIO_PATTERN =
  /^vfio_pci:v(?<v>.+?)d(?<d>.+?)sv(?<sv>.+?)sd(?<sd>.+?)bc(?<bc>.+?)sc(?<sc>.+?)i(?<i>.+)$/;

/** The fields of a function's modalias; undefined for anything else. */
export function parseModalias(text: string): AliasFields | undefined {
  return fieldsOf(MODALIAS, text);
}

/**
 * The fields of a pattern `vfio_pci:v…d…sv…sd…bc…sc…i…`; undefined where one is missing or out of order. The star that
 * is added behind the last field counts to it.
 */
export function parseVfioPattern(pattern: string): AliasFields | undefined {
  return fieldsOf(VFIO_PATTERN, pattern);
}

function fieldsOf(expression: RegExp, text: string): AliasFields | undefined {
  // The groups of both expressions are the fields, by name.
  return expression.exec(text)?.groups as AliasFields | undefined;
}

/** How one field was compared. */
export interface FieldMatch {
  readonly field: AliasField;
  readonly pattern: string;
  readonly value: string;
  readonly wildcard: boolean;
}

/** Compares field by field, each as a shell pattern; undefined unless all match. */
export function matchFields(
  pattern: AliasFields,
  device: AliasFields,
): readonly FieldMatch[] | undefined {
  const matches: FieldMatch[] = [];
  for (const field of ALIAS_FIELDS) {
    if (!globMatches(pattern[field], device[field])) return undefined;
    matches.push({
      field,
      pattern: pattern[field],
      value: device[field],
      wildcard: pattern[field] === '*',
    });
  }
  return matches;
}
