import type { ResetHooks } from '@vfiokit/core';
import { resetHooksCases } from '../src/contracts/reset-hooks.js';
import { describeResetHooks, type ResetHooksSubject } from '../src/index.js';
import { describeBroken, fail } from './broken.js';

/** Takes the lock of a PF while a reset lasts. */
function locking(broken: (lock: { taken: boolean }) => ResetHooks = () => ({})): ResetHooksSubject {
  const lock = { taken: false };
  const prepare = () => {
    if (lock.taken) fail();
    lock.taken = true;
  };
  const done = () => {
    lock.taken = false;
  };
  return { hooks: { prepare, done, ...broken(lock) }, held: () => ({ ...lock }) };
}

describeResetHooks('a lock', locking);
describeResetHooks('a device that forgets', () => ({ hooks: { done() {} } }));

describeBroken('reset hooks', resetHooksCases, {
  'has something to do': () => ({ hooks: {} }),
  'is over when it returns': () => locking(() => ({ prepare: async () => {} })),
  'goes with one reset after another': () => locking(() => ({ done() {} })),
  'gives back after a reset what it took before it': () => locking(() => ({ done() {} })),
});
