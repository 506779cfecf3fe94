import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What `node --expose-gc` has. */
export const collectGarbage = (() => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();
