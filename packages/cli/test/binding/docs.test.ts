import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { COMMANDS } from '../../src/composition.js';
import { captureIo } from '../../src/io.js';
import { run } from '../../src/run.js';

test('the comparison of policies in the documentation is what the command prints', async () => {
  const io = captureIo();
  await run(['--machine', 'x86-server', 'plan', '0000:17:00.1', '--compare'], COMMANDS, io);
  const page = readFileSync(
    new URL('../../../../docs/driver-selection.md', import.meta.url),
    'utf8',
  );
  expect(page).toContain(io.out.join('\n'));
});
