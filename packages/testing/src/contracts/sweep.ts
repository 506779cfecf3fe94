/** Regions of up to so many bytes are looked at byte by byte. */
const SMALL = 0x1_0000;
/** Of a larger one so many bytes at both ends … */
const END = 0x1000;
/** … and so many places between. */
const SAMPLES = 1024;

/** Every offset of a region; of a large one all at both ends, and the four bytes of an even sample of dwords between. */
export function sweep(size: number): readonly number[] {
  if (size <= SMALL) return Array.from({ length: size }, (_, at) => at);
  const head = Array.from({ length: END }, (_, at) => at);
  const first = Math.floor((size - END) / 4) * 4;
  const tail = Array.from({ length: size - first }, (_, at) => first + at);
  const step = Math.ceil((first - END) / SAMPLES / 4) * 4;
  const between: number[] = [];
  for (let at = END; at + 4 <= first; at += step) between.push(at, at + 1, at + 2, at + 3);
  return [...head, ...between, ...tail];
}

/** The naturally aligned accesses of one width among them. */
export function alignedSweep(size: number, width: 1 | 2 | 4): readonly number[] {
  return sweep(size).filter((at) => at % width === 0 && at + width <= size);
}

/** For a message: the first places where something is wrong. */
export function places(wrong: readonly number[]): string {
  const shown = wrong.slice(0, 8).map((at) => `0x${at.toString(16)}`);
  return wrong.length > shown.length ? `${shown.join(', ')} …` : shown.join(', ');
}
