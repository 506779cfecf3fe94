import type { DependencyContainer, InjectionToken } from 'tsyringe';

/** Everything that is registered for a token, here or above; nothing is a normal answer. */
export function resolveAll<T>(
  container: DependencyContainer,
  token: InjectionToken<T>,
): readonly T[] {
  return container.isRegistered(token, true) ? container.resolveAll(token) : [];
}

/** What is registered for a token, if anything is. */
export function resolveOne<T>(
  container: DependencyContainer,
  token: InjectionToken<T>,
): T | undefined {
  return container.isRegistered(token, true) ? container.resolve(token) : undefined;
}
