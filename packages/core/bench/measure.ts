/** Nanoseconds a call, the best of several rounds; the first ones only warm up. */
export function nanoseconds(calls: number, run: (calls: number) => void, rounds = 7): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) {
    const start = process.hrtime.bigint();
    run(calls);
    const spent = Number(process.hrtime.bigint() - start) / calls;
    if (round > 1) best = Math.min(best, spent);
  }
  return best;
}

/** Collects garbage where node was started so that it can be asked to, and returns the bytes in use. */
export function usedBytes(): number {
  (globalThis as { gc?: () => void }).gc?.();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + Math.max(external, arrayBuffers);
}

export const ns = (value: number) => `${value.toFixed(1)} ns`;
export const ratio = (value: number, floor: number) => `${(value / floor).toFixed(1)}x`;
