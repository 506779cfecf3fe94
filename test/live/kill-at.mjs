// Loaded before the CLI with --import: kills its process right after the KILL_AT-th thing that it does to the machine or
// to its journal, as `kill -9` would at the worst moment. Prints nothing; a run that gets through was not killed.
import childProcess from 'node:child_process';
import fsp from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const at = Number(process.env.KILL_AT);
let step = 0;

function stepDone() {
  step += 1;
  if (step === at) process.kill(process.pid, 'SIGKILL');
}

const { open } = fsp;
fsp.open = async (path, ...rest) => {
  const handle = await open(path, ...rest);
  for (const method of ['write', 'writeFile']) {
    const original = handle[method].bind(handle);
    handle[method] = async (...args) => {
      const result = await original(...args);
      stepDone();
      return result;
    };
  }
  return handle;
};

const { spawn } = childProcess;
childProcess.spawn = (...args) => {
  // A blocking store runs in a process of its own, which is not killed with this one.
  const child = spawn(...args);
  child.once('exit', stepDone);
  return child;
};

syncBuiltinESMExports();
