import type { PlatformHook } from '@vfiokit/core';
import { platformHookCases } from '../src/contracts/platform-hook.js';
import { describePlatformHook, type PlatformHookSubject } from '../src/index.js';
import { describeBroken } from './broken.js';
import { plugFunction } from './function.js';

const EBUSY = 16;

function watching(override: Partial<PlatformHook> = {}): PlatformHookSubject {
  const open = new Set<object>();
  const hook: PlatformHook = {
    open(pdev) {
      if (open.has(pdev)) return -EBUSY;
      open.add(pdev);
      return 0;
    },
    close: (pdev) => open.delete(pdev),
    infoCapabilities: () => [
      { id: 1, version: 1, body: Uint8Array.of(1, 2, 3, 4) },
      { id: 2, version: 2, body: new Uint8Array(0) },
    ],
    ...override,
  };
  return { hook, pdev: plugFunction() };
}

const capability = (id: number) => ({ id, version: 1, body: new Uint8Array(4) });

describePlatformHook('a hook that counts opens', watching);
describePlatformHook('a hook without capabilities', () =>
  watching({ infoCapabilities: () => -19 }),
);
describePlatformHook('an empty hook', () => ({ hook: {}, pdev: plugFunction() }));

describeBroken('a platform hook', platformHookCases, {
  'lets a function be opened, closed and opened again': () => watching({ close: () => {} }),
  'tells well-formed capabilities, or a negated errno': () =>
    watching({ infoCapabilities: () => [capability(7), capability(7)] }),
  'tells the same capabilities every time'() {
    let id = 0;
    return watching({
      infoCapabilities: () => {
        id += 1;
        return [capability(id)];
      },
    });
  },
});
