import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileLock, parseJournal } from '@vfiokit/binder';
import { afterAll, describe, expect, test } from 'vitest';
import { A, FileJournal, H, spied, testbed } from './testbed.js';

const scratch = mkdtempSync(join(tmpdir(), 'vfiokit-journal-'));
afterAll(() => rmSync(scratch, { recursive: true }));

describe('journals', () => {
  test('[binding:216] one of another boot is history, and nothing is written for it', async () => {
    const first = testbed();
    const intent = (await first.binder().bind([await first.target(A, 'vfio-pci')])).id;
    const text = (await first.journal.read(intent)).split('\n').slice(0, 3).join('\n');
    const next = testbed({ bootId: 'another' });
    await next.journal.create(intent, text);
    const { tree, writes } = spied(next.sysfs);
    expect(await next.binder({}, tree).recover()).toMatchObject([{ state: 'archived' }]);
    expect(writes).toEqual([]);
    expect(next.journal.archived.has(intent)).toBe(true);
  });

  const unfinished = async (change: (bed: ReturnType<typeof testbed>) => Promise<unknown>) => {
    const bed = testbed();
    const { id } = await bed.binder().bind([await bed.target(A, 'vfio-pci')]);
    const text = await bed.journal.read(id);
    await bed.journal.create(id, text.split('\n').slice(0, -3).join('\n'));
    await change(bed);
    const { tree, writes } = spied(bed.sysfs);
    return { recovered: await bed.binder({}, tree).recover(), writes };
  };

  test('[binding:217] another device at the address is left alone', async () => {
    const { recovered, writes } = await unfinished(async ({ machine }) => {
      await machine.pci.removeDevice(machine.pci.devices.get(A)!);
      machine.plug({
        ...machine.description.functions.find(({ at }) => at === A)!,
        ids: '8086:1533',
      });
    });
    expect(recovered).toMatchObject([
      { state: 'rolled-back', notes: [`${A}: another device has its address now`] },
    ]);
    expect(writes).toEqual([]);
  });

  test("[binding:218] a third party's driver is left alone, and somebody is called", async () => {
    const { recovered, writes } = await unfinished(async ({ write }) => {
      await write(`devices/${A}/driver_override`, 'pci-stub');
      await write('drivers/vfio-pci/unbind', A);
      await write('drivers/pci-stub/bind', A);
    });
    expect(recovered).toMatchObject([{ state: 'needs-attention' }]);
    expect(writes).toEqual([]);
  });

  test('what was done and only not committed may be kept', async () => {
    const bed = testbed();
    const { id } = await bed.binder().bind([await bed.target(A, 'vfio-pci')]);
    const text = await bed.journal.read(id);
    await bed.journal.create(id, text.split('\n').slice(0, -2).join('\n'));
    expect(await bed.binder().recover(true)).toMatchObject([{ state: 'committed' }]);
    expect((await bed.live(A)).driver).toBe('vfio-pci');
  });

  test('a last line that was cut short counts as not written', async () => {
    const { binder, target, journal } = testbed();
    const { id } = await binder().bind([await target(A, 'vfio-pci')]);
    const text = await journal.read(id);
    for (let cut = 1; cut <= 22; cut += 1)
      expect(parseJournal(text.slice(0, -cut))?.state).toBe('verified');
    expect(parseJournal('{"ver')).toBeUndefined();
  });

  test('what stands behind a damaged line counts as not written, and recovery goes by the devices', async () => {
    const { binder, target, journal, live } = testbed();
    const { id } = await binder().bind([await target(A, 'vfio-pci')]);
    const lines = (await journal.read(id)).split('\n');
    await journal.create(id, [...lines.slice(0, 3), '\0\0\0', ...lines.slice(3)].join('\n'));
    expect((await binder().records()).map(({ state }) => state)).toEqual(['intent']);
    expect(await binder().recover()).toMatchObject([{ state: 'rolled-back' }]);
    expect(await live(A)).toEqual({ driver: 'e1000e', override: null });
  });

  test.each(['garbage', '{"mdev":{}}', '{"version":2,"id":"x","bootId":"y","targets":[]}', '[]'])(
    'one that begins with %s is told, and keeps none of the others from being restored',
    async (line) => {
      const { binder, target, journal, live } = testbed();
      await journal.create('a', line);
      await binder().bind([await target(A, 'vfio-pci')]);
      expect(await binder().damaged()).toEqual(['a']);
      expect(await binder().release()).toMatchObject([{ state: 'released' }]);
      expect((await live(A)).driver).toBe('e1000e');
      expect(await binder().damaged()).toEqual(['a']);
    },
  );

  test('where they can’t be kept, the reason is told in one sentence', async () => {
    const file = join(scratch, 'a-file');
    writeFileSync(file, '');
    const message = { code: 'ENOTDIR', message: expect.stringContaining(file) };
    await expect(new FileLock(join(file, 'x')).acquire()).rejects.toMatchObject(message);
    await expect(new FileJournal(join(file, 'x')).list()).rejects.toMatchObject(message);
    await expect(new FileJournal(join(file, 'x')).archive('a')).rejects.toMatchObject(message);
    await expect(new FileJournal(join(file, 'x')).append('a', '')).rejects.toMatchObject({
      code: 'EIO',
      message: expect.stringContaining('recover takes back what it has done'),
    });
  });

  test('are files, a line a step, and go to the history when they are done', async () => {
    const { binder, target, live } = testbed();
    const folder = join(scratch, 'journals');
    const journal = new FileJournal(folder);
    const { id } = await binder({ journal }).bind([await target(A, 'vfio-pci')]);
    const lines = readFileSync(join(folder, `${id}.journal`), 'utf8')
      .trimEnd()
      .split('\n');
    expect(JSON.parse(lines[0]!)).toMatchObject({
      version: 1,
      id,
      targets: [{ device: A, before: { driver: 'e1000e' } }],
    });
    expect(lines.at(-1)).toBe('{"state":"committed"}');
    await binder({ journal }).release();
    expect(readdirSync(join(folder, 'history'))).toEqual([`${id}.journal`]);
    expect(await live(A)).toEqual({ driver: 'e1000e', override: null });
  });
});

describe('two binders', () => {
  test('[binding:225] on one machine come one after the other', async () => {
    const bed = testbed();
    const one = bed.binder();
    const plan = [await bed.target(A, 'vfio-pci'), await bed.target(H, 'vfio-pci')];
    const { tree, writes } = spied(bed.sysfs);
    const binder = bed.binder({}, tree);
    const [first, second] = await Promise.all([binder.bind(plan), binder.release()]);
    expect(first.state).toBe('committed');
    expect(second).toMatchObject([{ id: first.id, state: 'released' }]);
    const bound = writes.findIndex((line) => line.includes(`vfio-pci/bind "${H}"`));
    const released = writes.findIndex((line) => line.includes('vfio-pci/unbind'));
    expect(bound).toBeLessThan(released);
    expect(await one.records()).toEqual([]);
  });

  test('[binding:225] of two processes the second is told who has the lock; a lock of the dead is taken over', async () => {
    const folder = join(scratch, 'lock');
    const lock = new FileLock(folder);
    const held = await lock.acquire();
    await expect(new FileLock(folder).acquire()).rejects.toThrow(
      `process ${process.pid} is changing this machine`,
    );
    await held[Symbol.asyncDispose]();
    writeFileSync(join(folder, 'lock'), JSON.stringify({ pid: process.pid, started: '1' }));
    const again = await new FileLock(folder).acquire();
    await again[Symbol.asyncDispose]();
    writeFileSync(join(folder, 'lock'), '');
    await (await new FileLock(folder).acquire())[Symbol.asyncDispose]();
  });
});
