import { cNumberAt } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import { AP_MASK_BITS, ApMask } from './mask.js';
import type { ApMatrix } from './matrix.js';

const MAX_DIGITS = AP_MASK_BITS / 4;

/**
 * Reads a mask as it is written to `/sys/bus/ap/apmask` or `aqmask` (ap_bus.c: ap_parse_mask_str).
 *
 * A text that starts with a sign is a list of changes to the current mask: `+1,-5-0xa,+017`, applied from left to right.
 * Any other is the whole mask in hex, left-aligned: `0x41` is {1, 7}.
 *
 * @throws VfioError `EINVAL` for anything else; what was parsed so far has no effect.
 */
export function parseMask(text: string, current: ApMask): ApMask {
  return text.startsWith('+') || text.startsWith('-')
    ? parseMaskChanges(text, current)
    : parseHexMask(text);
}

/** Reads the list of changes `<sign><n>[-<m>]`; n and m in any base of C, 0 <= n <= m <= 255. */
function parseMaskChanges(text: string, current: ApMask): ApMask {
  let mask = current;
  for (let at = 0; at < text.length; ) {
    const sign = text[at];
    if (sign !== '+' && sign !== '-')
      throw invalid(text, `"+" or "-" expected at column ${at + 1}`);
    const first = cNumberAt(text, at + 1);
    if (first === undefined) throw invalid(text, `number expected at column ${at + 2}`);
    let last = first;
    // A "-" right behind a number makes a range, even where a further change was meant: "+1-2" is {1, 2}.
    if (text[first.end] === '-') {
      const upper = cNumberAt(text, first.end + 1);
      if (upper === undefined) throw invalid(text, `number expected at column ${first.end + 2}`);
      last = upper;
    }
    if (last.value >= AP_MASK_BITS) throw invalid(text, `ids end at ${AP_MASK_BITS - 1}`);
    if (first.value > last.value) throw invalid(text, 'a range runs upwards');
    const range = ApMask.range(Number(first.value), Number(last.value));
    mask = sign === '+' ? mask.or(range) : mask.andNot(range);
    at = last.end;
    while (text[at] === ',' || text[at] === '\n') at += 1;
  }
  return mask;
}

/**
 * Reads a whole mask: an optional `0x` or `x`, up to 64 hex digits, at most one newline (ap_bus.c: ap_hex2bitmap).
 * No digit at all is the empty mask.
 *
 * @throws VfioError `EINVAL`.
 */
export function parseHexMask(text: string): ApMask {
  const match = /^(?:0?x)?([0-9a-fA-F]*)\n?$/.exec(text);
  if (match === null)
    throw invalid(text, 'write 0x and up to 64 hex digits, or changes such as +1,-5-8');
  if (match[1]!.length > MAX_DIGITS) throw invalid(text, `more than ${MAX_DIGITS} hex digits`);
  return ApMask.fromHex(match[1]!);
}

/**
 * Reads the kernel parameters `apmask=` and `aqmask=`: the same grammar, but changes start from the empty mask, and a
 * text that does not parse leaves the mask empty, with nothing reserved for the host (ap_bus.c: ap_perms_init).
 */
export function parseBootMask(text: string | undefined): ApMask {
  if (text === undefined) return ApMask.ALL;
  try {
    return parseMask(text, ApMask.NONE);
  } catch (error) {
    // The kernel does not stop its boot for this either.
    if (error instanceof VfioError) return ApMask.NONE;
    throw error;
  }
}

/** How much of a write to `ap_config` is looked at: three full masks with their separators. */
const AP_CONFIG_LENGTH = 3 * (MAX_DIGITS + 2) + 3;

/**
 * Reads the three masks of a mediated device's `ap_config`: adapters, usage domains, control domains, each in hex,
 * separated by a comma or a newline (vfio_ap_ops.c: ap_config_store). What follows the third is not looked at; a third
 * that is empty because the text ends in its separator is the empty mask.
 *
 * @throws VfioError `EINVAL`.
 */
export function parseApConfig(text: string): ApMatrix {
  const [apm, aqm, adm] = text.slice(0, AP_CONFIG_LENGTH).split(/[,\n]/);
  if (apm === undefined || aqm === undefined || adm === undefined)
    throw invalid(text, 'three masks are needed: adapters,domains,control domains');
  return { apm: parseHexMask(apm), aqm: parseHexMask(aqm), adm: parseHexMask(adm) };
}

/** The text of `ap_config`: three full masks and a newline, 201 characters. */
export function formatApConfig(matrix: ApMatrix): string {
  return `${matrix.apm},${matrix.aqm},${matrix.adm}\n`;
}

function invalid(text: string, why: string): VfioError {
  return new VfioError('EINVAL', `AP mask ${JSON.stringify(text.slice(0, 80))}: ${why}`);
}
