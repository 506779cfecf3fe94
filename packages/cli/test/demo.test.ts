import { COMMANDS, captureIo, run } from 'vfiokit';
import { expect, test } from 'vitest';

test('vfiokit demo tells the main job in at most 40 lines, and every operation matches', async () => {
  const io = captureIo();
  const status = await run(['demo'], COMMANDS, io);
  expect(io.out.length).toBeLessThanOrEqual(40);
  expect(io.out.join('\n')).toMatch(/17,411 of 17,411 match \(100 %\)/);
  expect(status).toBe(0);
});
