/**
 * What a call of the driver core returns: a value, or a promise of it while something blocks it, such as a lock that is
 * held or a device that is in use. Everything that does not block is finished when the call returns.
 */
export type Blocking<T> = T | Promise<T>;

/** Goes on with a value, at once if it is there. (A module must not export a `then`: importing it would await it.) */
export function andThen<T, U>(step: Blocking<T>, next: (value: T) => Blocking<U>): Blocking<U> {
  return step instanceof Promise ? step.then(next) : next(step);
}

/** Does one thing after another, each when the one before has finished. */
export function inTurn<T>(items: readonly T[], act: (item: T) => Blocking<void>): Blocking<void> {
  for (let at = 0; at < items.length; at += 1) {
    const step = act(items[at]!);
    if (step instanceof Promise) return step.then(() => inTurn(items.slice(at + 1), act));
  }
}
