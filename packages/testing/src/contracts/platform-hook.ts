import type { PlatformHook } from '@vfiokit/core';
import type { PciDevice } from '@vfiokit/pci';
import { expect } from 'vitest';
import { type ContractCases, type Declines, describeContract } from './contract.js';

/** A platform hook under test, made anew for every case, with a function of its machine. */
export interface PlatformHookSubject {
  readonly hook: PlatformHook;
  readonly pdev: PciDevice;
}

/** The contract of {@link PlatformHook}: it serves every function of its machine and leaves nothing behind. */
export function describePlatformHook(
  name: string,
  make: () => PlatformHookSubject,
  declines: Declines = {},
): void {
  describeContract(`${name} as a platform hook`, platformHookCases(make), declines);
}

/** The cases by title, to be run by {@link describePlatformHook}. */
export function platformHookCases(make: () => PlatformHookSubject): ContractCases {
  return {
    'lets a function be opened, closed and opened again'() {
      const { hook, pdev } = make();
      for (let turn = 0; turn < 2; turn += 1) {
        expect(hook.open?.(pdev, undefined) ?? 0).toBe(0);
        hook.close?.(pdev, undefined);
      }
    },
    'tells well-formed capabilities, or a negated errno'() {
      const { hook, pdev } = make();
      hook.open?.(pdev, undefined);
      const capabilities = hook.infoCapabilities?.(pdev) ?? [];
      if (typeof capabilities === 'number') {
        expect(capabilities).toBeLessThan(0);
        return;
      }
      for (const { id, version, body } of capabilities) {
        expect(id).toBeGreaterThan(0);
        expect(id).toBeLessThan(0x10000);
        expect(version).toBeGreaterThan(0);
        expect(body).toBeInstanceOf(Uint8Array);
      }
      expect(new Set(capabilities.map(({ id }) => id)).size).toBe(capabilities.length);
    },
    'tells the same capabilities every time'() {
      const { hook, pdev } = make();
      hook.open?.(pdev, undefined);
      expect(hook.infoCapabilities?.(pdev)).toEqual(hook.infoCapabilities?.(pdev));
    },
  };
}
