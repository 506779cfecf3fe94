import { EventEmitter } from 'node:events';
import { Directory, ModelSysfs } from '@vfiokit/driver-model';
import { LiveSysfs } from '@vfiokit/host';
import { describe, expect, test } from 'vitest';
import { interruptible } from '../../src/binding/machine.js';
import { captureIo } from '../../src/io.js';

class FakeProcess extends EventEmitter {
  readonly exits: number[] = [];
  exit = (code?: number | string | null): never => {
    this.exits.push(Number(code));
    return undefined as never;
  };
}

const live = { name: 'live', sysfs: new LiveSysfs(), machine: undefined };

describe('work on the running machine', () => {
  test('that is interrupted says where it is told what is left, and exits as a shell expects', async () => {
    const io = captureIo();
    const signals = new FakeProcess();
    let finish = () => {};
    const work = interruptible(
      live,
      io,
      () =>
        new Promise<void>((resolve) => {
          finish = resolve;
        }),
      signals as never,
    );
    signals.emit('SIGINT', 'SIGINT', 2);
    expect(io.err).toEqual([
      'interrupted: vfiokit status shows what is unfinished, vfiokit restore --recover takes it back',
    ]);
    expect(signals.exits).toEqual([130]);
    finish();
    await work;
  });

  test('leaves no handler behind, whether it ends well or not', async () => {
    const signals = new FakeProcess();
    const io = captureIo();
    expect(await interruptible(live, io, async () => 7, signals as never)).toBe(7);
    await expect(
      interruptible(live, io, () => Promise.reject(new Error('no')), signals as never),
    ).rejects.toThrow('no');
    expect([signals.listenerCount('SIGINT'), signals.listenerCount('SIGTERM')]).toEqual([0, 0]);
  });
});

test('work on a model may be interrupted as any command', async () => {
  const signals = new FakeProcess();
  let listeners = -1;
  const model = { name: 'm', sysfs: new ModelSysfs(new Directory()), machine: undefined };
  await interruptible(
    model,
    captureIo(),
    async () => {
      listeners = signals.listenerCount('SIGINT');
    },
    signals as never,
  );
  expect(listeners).toBe(0);
});
