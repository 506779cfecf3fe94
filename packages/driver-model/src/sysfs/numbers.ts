/**
 * An unsigned number in C's notation with at most one newline behind it (lib/kstrtox.c: kstrtoul, base 0); undefined for
 * anything else.
 */
export function parseUnsigned(text: string): number | undefined {
  const match = /^\+?(?:(0x[0-9a-f]+)|(0[0-7]*)|([1-9][0-9]*))\n?$/i.exec(text);
  if (match === null) return undefined;
  const [, hex, octal, decimal] = match;
  if (octal !== undefined) return parseInt(octal, 8);
  return Number(hex ?? decimal);
}

/**
 * A boolean by its first letter (lib/kstrtox.c: kstrtobool): y, t, e, 1 or `on`; n, f, d, 0 or `off`; undefined for
 * anything else.
 */
export function parseBoolean(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  if (/^(?:[yte1]|on)/.test(lower)) return true;
  if (/^(?:[nfd0]|of)/.test(lower)) return false;
  return undefined;
}

/** Lower-case hexadecimal of a fixed width behind `0x`, as most attributes show it. */
export function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}
