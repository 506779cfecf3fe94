import type { ResetHooks } from '@vfiokit/core';
import { expect } from 'vitest';
import { type ContractCases, type Declines, describeContract } from './contract.js';

/** Hooks under test, made anew for every case. */
export interface ResetHooksSubject {
  readonly hooks: ResetHooks;
  /** What they take while a reset lasts and give back, such as a lock of the PF. */
  held?(): unknown;
}

/** The contract of {@link ResetHooks}: nobody waits for them but by their return, and a reset leaves nothing taken. */
export function describeResetHooks(
  name: string,
  make: () => ResetHooksSubject,
  declines: Declines = {},
): void {
  describeContract(`${name} around resets`, resetHooksCases(make), declines);
}

/** The cases by title, to be run by {@link describeResetHooks}. */
export function resetHooksCases(make: () => ResetHooksSubject): ContractCases {
  return {
    'has something to do'() {
      const { hooks } = make();
      expect([typeof hooks.prepare, typeof hooks.done]).toContain('function');
    },
    'is over when it returns'() {
      const { hooks } = make();
      // A hook written without types may return a promise, which nobody would wait for.
      const results: unknown[] = [hooks.prepare?.(), hooks.done?.()];
      for (const result of results) expect(result ?? {}).not.toHaveProperty('then');
    },
    'goes with one reset after another'() {
      const { hooks } = make();
      for (let turn = 0; turn < 3; turn += 1)
        expect(() => {
          hooks.prepare?.();
          hooks.done?.();
        }).not.toThrow();
    },
    'gives back after a reset what it took before it'() {
      const { hooks, held } = make();
      const before = structuredClone(held?.());
      hooks.prepare?.();
      hooks.done?.();
      expect(held?.()).toEqual(before);
    },
  };
}
