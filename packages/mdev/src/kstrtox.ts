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
