import { VfioError } from '@vfiokit/uapi';

/** A number found in a text, and where it ends. */
export interface CNumber {
  readonly value: bigint;
  /** The position after its last digit. */
  readonly end: number;
}

const HEX = /0[xX][0-9a-fA-F]+/y;
const OCTAL = /0[0-7]*/y;
const DECIMAL = /[1-9][0-9]*/y;

/**
 * The unsigned number at a position, in the base its beginning tells: `0x` hexadecimal, `0` octal, else decimal
 * (lib/vsprintf.c: simple_strtoul). `08` is the number 0, ending before the 8. `undefined` without a digit.
 */
export function cNumberAt(text: string, at: number): CNumber | undefined {
  for (const pattern of [HEX, OCTAL, DECIMAL]) {
    pattern.lastIndex = at;
    const digits = pattern.exec(text)?.[0];
    if (digits === undefined) continue;
    const octal = pattern === OCTAL && digits.length > 1;
    return { value: BigInt(octal ? `0o${digits.slice(1)}` : digits), end: at + digits.length };
  }
  return undefined;
}

/**
 * The one number of an attribute that takes one: an optional `+`, digits in any base of C, at most one newline
 * (lib/kstrtox.c: kstrtoul with base 0).
 *
 * @param subject what the message says it is, such as `assign_adapter`.
 * @throws VfioError `ERANGE` beyond 64 bits, `EINVAL` for anything else. A value above 2^53 comes back rounded.
 */
export function kstrtoul(text: string, subject: string): number {
  const number = cNumberAt(text, text.startsWith('+') ? 1 : 0);
  const quoted = JSON.stringify(text.slice(0, 40));
  if (number === undefined)
    throw new VfioError(
      'EINVAL',
      `${subject}: ${quoted} is not a number; write one such as 5 or 0xab`,
    );
  if (number.value >= 1n << 64n)
    throw new VfioError('ERANGE', `${subject}: ${quoted} does not fit into 64 bits`);
  const rest = text.slice(number.end);
  if (rest !== '' && rest !== '\n')
    throw new VfioError('EINVAL', `${subject}: unexpected text behind the number in ${quoted}`);
  return Number(number.value);
}

/** The same for an attribute that answers any bad text with one errno: undefined for what {@link kstrtoul} throws for. */
export function parseUnsigned(text: string): number | undefined {
  const number = cNumberAt(text, text.startsWith('+') ? 1 : 0);
  if (number === undefined || number.value >= 1n << 64n) return undefined;
  const rest = text.slice(number.end);
  return rest === '' || rest === '\n' ? Number(number.value) : undefined;
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
