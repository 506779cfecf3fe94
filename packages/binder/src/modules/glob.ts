/**
 * Whether a shell pattern matches a whole text: `*` any run, `?` one character, `[a-z]` and `[!a-z]` one of a class, a
 * backslash takes the next character as it is (fnmatch(3) without flags, as kmod calls it).
 */
export function globMatches(pattern: string, text: string): boolean {
  let at = 0;
  let position = 0;
  let star = -1;
  let starPosition = 0;
  while (position < text.length) {
    const step = at < pattern.length ? matchOne(pattern, at, text[position]!) : undefined;
    if (pattern[at] === '*') {
      star = at;
      starPosition = position;
      at += 1;
    } else if (step !== undefined) {
      at = step;
      position += 1;
    } else if (star >= 0) {
      // The last star takes one character more, and everything behind it is tried again.
      starPosition += 1;
      position = starPosition;
      at = star + 1;
    } else return false;
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}

/** Where the pattern goes on if its element at `at` takes the character. */
function matchOne(pattern: string, at: number, character: string): number | undefined {
  const element = pattern[at];
  if (element === '?') return at + 1;
  if (element === '[') return matchClass(pattern, at, character);
  if (element === '\\') return pattern[at + 1] === character ? at + 2 : undefined;
  return element === character ? at + 1 : undefined;
}

function matchClass(pattern: string, at: number, character: string): number | undefined {
  const close = pattern.indexOf(']', at + 2);
  if (close < 0) return character === '[' ? at + 1 : undefined;
  const negated = pattern[at + 1] === '!' || pattern[at + 1] === '^';
  let inside = false;
  for (let i = at + (negated ? 2 : 1); i < close; i += 1) {
    const low = pattern[i]!;
    if (pattern[i + 1] === '-' && i + 2 < close) {
      inside ||= low <= character && character <= pattern[i + 2]!;
      i += 2;
    } else inside ||= low === character;
  }
  return inside === negated ? undefined : close + 1;
}

/** The part of a pattern before its first special character: no text that lacks it can match. */
export function literalPrefix(pattern: string): string {
  const end = pattern.search(/[*?[\\]/);
  return end < 0 ? pattern : pattern.slice(0, end);
}
