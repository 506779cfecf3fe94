/**
 * An operation in the steps between which the kernel holds no lock, so that others may come in between. Each `yield`
 * names what comes next. Whoever does not care for interleavings runs it with {@link finish}.
 */
export type Phases<T = void> = Generator<string, T, void>;

/** Runs an operation to its end, with nobody coming in between. */
export function finish<T>(phases: Phases<T>): T {
  for (;;) {
    const step = phases.next();
    if (step.done) return step.value;
  }
}
