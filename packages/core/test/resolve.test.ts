import { type InjectionToken, container as root } from 'tsyringe';
import { describe, expect, it } from 'vitest';
import { resolveAll, resolveOne } from '../src/resolve.js';

const COLOUR: InjectionToken<string> = Symbol('COLOUR');

function containers(host: readonly string[], device: readonly string[]) {
  const above = root.createChildContainer();
  for (const useValue of host) above.register(COLOUR, { useValue });
  const below = above.createChildContainer();
  for (const useValue of device) below.register(COLOUR, { useValue });
  return below;
}

describe('what a container holds for a token', () => {
  it('may be nothing', () => {
    expect(resolveAll(containers([], []), COLOUR)).toEqual([]);
    expect(resolveOne(containers([], []), COLOUR)).toBeUndefined();
  });

  it('is everything in order of registration, or the last', () => {
    const container = containers([], ['red', 'green']);
    expect(resolveAll(container, COLOUR)).toEqual(['red', 'green']);
    expect(resolveOne(container, COLOUR)).toBe('green');
  });

  it('is found in the container above', () => {
    const container = containers(['red', 'green'], []);
    expect(resolveAll(container, COLOUR)).toEqual(['red', 'green']);
    expect(resolveOne(container, COLOUR)).toBe('green');
  });

  it('hides what is above, which is why a token lives on one level', () => {
    expect(resolveAll(containers(['red'], ['green']), COLOUR)).toEqual(['green']);
  });
});
