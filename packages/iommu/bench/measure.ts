/** Nanoseconds of each of `count` operations; the best of several rounds, each on what `prepare` makes. */
export function nanoseconds<T>(
  count: number,
  prepare: () => T,
  run: (subject: T) => void,
  rounds = 5,
): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) {
    const subject = prepare();
    const start = process.hrtime.bigint();
    run(subject);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / count);
  }
  return best;
}

/** `1.3 M/s` */
export function rate(ns: number): string {
  return `${(1000 / ns).toFixed(1)} M/s`;
}

/** `3.1x` */
export function times(one: number, other: number): string {
  return `${(other / one).toFixed(1)}x`;
}

/** Bytes in use, typed arrays included, after a collection if the runner allows one. */
export function usedBytes(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Pages in random order, each once, the same every time. */
export function randomPages(count: number, among: number): number[] {
  const pages = new Set<number>();
  let seed = 12345;
  while (pages.size < count) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    pages.add(seed % among);
  }
  return [...pages];
}
