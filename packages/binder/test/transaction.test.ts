import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileLock, MemoryJournal, parseJournal } from '@vfiokit/binder';
import type { Sysfs } from '@vfiokit/driver-model';
import { afterAll, describe, expect, test } from 'vitest';
import { A, B, FileJournal, G, H, onSysfs, P, testbed, V, X } from './testbed.js';

const scratch = mkdtempSync(join(tmpdir(), 'vfiokit-journal-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** A tree whose writes are noted, and may be answered by somebody else first. */
function spied(
  sysfs: Sysfs,
  answer: (path: string, data: string) => number | undefined | Promise<number | undefined> = () =>
    undefined,
) {
  const writes: string[] = [];
  const tree: Sysfs = {
    kind: sysfs.kind,
    read: (path) => sysfs.read(path),
    list: (path) => sysfs.list(path),
    readLink: (path) => sysfs.readLink(path),
    write: async (path, data) => {
      writes.push(`${path.replace('/sys/bus/pci/', '')} ${JSON.stringify(String(data))}`);
      return (await answer(path, String(data))) ?? sysfs.write(path, data);
    },
  };
  return { tree, writes };
}

describe('a transaction', () => {
  test('[binding:208] writes every override before the first unbind', async () => {
    const { sysfs, binder, target } = testbed();
    const { tree, writes } = spied(sysfs);
    await binder({}, tree).bind([await target(A, 'vfio-pci'), await target(H, 'vfio-pci')]);
    expect(writes).toEqual([
      `devices/${A}/driver_override "vfio-pci"`,
      `devices/${H}/driver_override "vfio-pci"`,
      `drivers/e1000e/unbind "${A}"`,
      `drivers/snd_hda_intel/unbind "${H}"`,
      `drivers/vfio-pci/bind "${A}"`,
      `drivers/vfio-pci/bind "${H}"`,
    ]);
  });

  test('[binding:209] leaves the device bound, its override set, its journal committed', async () => {
    const { binder, target, live, sysfs, journal } = testbed();
    const result = await binder().bind([await target(A, 'vfio-pci')]);
    expect(result).toMatchObject({ state: 'committed', failures: [] });
    expect(await live(A)).toEqual({ driver: 'vfio-pci', override: 'vfio-pci' });
    expect(await sysfs.list(`/sys/bus/pci/devices/${A}/vfio-dev`)).toEqual(['vfio0']);
    expect(parseJournal(await journal.read(result.id))?.state).toBe('committed');
  });

  test('[binding:210] a bind that fails restores driver and override, and tells step and errno', async () => {
    const { machine, binder, target, live } = testbed();
    machine.pci.register({
      name: 'odd',
      ids: [{ vendor: 0x1b36, device: 0x0010 }],
      probe: () => 0,
    });
    const result = await binder().bind([await target(X, 'vfio-pci')]);
    expect(result).toMatchObject({
      state: 'rolled-back',
      failures: [{ step: 'bind', device: X, errno: -22 }],
    });
    expect(result.failures[0]!.message).toContain('it is in no IOMMU group');
    expect(await live(X)).toEqual({ driver: 'odd', override: null });
  });

  test('[binding:211] what was unbound is unbound again, and nobody was asked to probe it', async () => {
    const { sysfs, binder, target, live } = testbed();
    const { tree, writes } = spied(sysfs);
    await binder({}, tree).bind([await target(X, 'vfio-pci')]);
    expect(await live(X)).toEqual({ driver: null, override: null });
    expect(writes.filter((line) => line.startsWith('drivers_probe'))).toEqual([]);
  });

  test('[binding:212] an override that was there is there again, after a rollback and after a release', async () => {
    const { write, binder, target, live } = testbed();
    await write(`devices/${X}/driver_override`, 'foo');
    await write(`devices/${A}/driver_override`, 'foo');
    await binder().bind([await target(X, 'vfio-pci')]);
    expect(await live(X)).toEqual({ driver: null, override: 'foo' });
    await binder().bind([await target(A, 'vfio-pci')]);
    await binder().release();
    expect(await live(A)).toEqual({ driver: 'e1000e', override: 'foo' });
  });

  test('[binding:213] a failure on the third device restores all three, the last first', async () => {
    const { sysfs, binder, target, live } = testbed();
    const { tree, writes } = spied(sysfs);
    const result = await binder({}, tree).bind([
      await target(A, 'vfio-pci'),
      await target(H, 'vfio-pci'),
      await target(X, 'vfio-pci'),
    ]);
    expect(result.state).toBe('rolled-back');
    expect([await live(A), await live(H), await live(X)]).toEqual([
      { driver: 'e1000e', override: null },
      { driver: 'snd_hda_intel', override: null },
      { driver: null, override: null },
    ]);
    const undone = writes.slice(
      writes.findIndex((line) => line.startsWith(`drivers/vfio-pci/bind "${X}`)) + 1,
    );
    const devices = undone.map((line) => [A, H, X].find((name) => line.includes(name)));
    expect([...new Set(devices)]).toEqual([X, H, A]);
  });

  test('[binding:214] an original driver that does not take it back leaves it unbound, and both errnos are told', async () => {
    const { machine, binder, target, live } = testbed();
    machine.pci.register({ name: 'late', ids: [{ vendor: 0x8086 }], probe: () => -5 });
    const driver = machine.pci.drivers.get('e1000e')!;
    await machine.pci.unregister(driver);
    let broken = false;
    machine.pci.register({ ...driver, probe: () => (broken ? -5 : 0) });
    const plan = [await target(A, 'vfio-pci'), await target(X, 'vfio-pci')];
    broken = true;
    const result = await binder().bind(plan);
    expect(result).toMatchObject({
      state: 'needs-attention',
      failures: [
        { step: 'bind', errno: -22 },
        { step: 'rollback', device: A, errno: -5 },
      ],
    });
    expect(await live(A)).toEqual({ driver: null, override: null });
  });

  test('[binding:221] a driver that was quicker is as good', async () => {
    const { machine, sysfs, binder, target } = testbed();
    const { tree } = spied(sysfs, (path) => {
      if (path.endsWith('vfio-pci/bind')) void machine.pci.driversProbe(A);
      return undefined;
    });
    expect(await binder({}, tree).bind([await target(A, 'vfio-pci')])).toMatchObject({
      state: 'committed',
      failures: [],
    });
  });

  test('[binding:222] a driver that is not ready is asked again, so often and no more', async () => {
    const { sysfs, binder, target, live } = testbed();
    const { tree, writes } = spied(sysfs, (path) =>
      path.endsWith('vfio-pci/bind') ? -11 : undefined,
    );
    const result = await binder({ retries: 3 }, tree).bind([await target(A, 'vfio-pci')]);
    expect(writes.filter((line) => line.startsWith('drivers/vfio-pci/bind'))).toHaveLength(4);
    expect(result).toMatchObject({ state: 'rolled-back', failures: [{ errno: -11 }] });
    expect(await live(A)).toEqual({ driver: 'e1000e', override: null });
  });

  test('[binding:223] what loading a module binds besides is told', async () => {
    const { machine, write, binder, target } = testbed({
      vfioDrivers: [{ name: 'qat_vfio_pci', ids: [{ vendor: 0x8086, device: 0x4941 }] }],
    });
    await write(`devices/${B}/driver_override`, 'qat_vfio_pci');
    const result = await binder().bind([
      await target(A, null, { driver: undefined, load: 'qat_vfio_pci' }),
    ]);
    expect(result.state).toBe('committed');
    expect(result.notices).toEqual([
      expect.stringContaining(`${B}: loading qat_vfio_pci bound it to qat_vfio_pci`),
    ]);
    expect(machine.core.modules.has('qat_vfio_pci')).toBe(true);
  });

  test('a module that can not be loaded touches nothing', async () => {
    const { sysfs, binder, target } = testbed();
    const { tree, writes } = spied(sysfs);
    const result = await binder({}, tree).bind([
      await target(A, null, { driver: undefined, load: 'no_such' }),
    ]);
    expect(result).toMatchObject({ state: 'rolled-back', failures: [{ step: 'load', errno: -2 }] });
    expect(writes).toEqual([]);
  });

  test('[binding:226] a native driver that comes between unbind and bind gets nothing', async () => {
    const { machine, sysfs, binder, target, live } = testbed();
    const { tree } = spied(sysfs, (path) => {
      if (path.endsWith('vfio-pci/bind'))
        machine.pci.register({ name: 'native', ids: [{ vendor: 0x8086 }], probe: () => 0 });
      return undefined;
    });
    await binder({}, tree).bind([await target(A, 'vfio-pci')]);
    expect((await live(A)).driver).toBe('vfio-pci');
  });

  test('[binding:227] an override that somebody else changes is found, and everything else is taken back', async () => {
    const { sysfs, binder, target, live } = testbed();
    const { tree } = spied(sysfs, async (path) => {
      if (path.endsWith('vfio-pci/bind')) {
        const errno = await sysfs.write(path, A);
        await sysfs.write(`/sys/bus/pci/devices/${A}/driver_override`, 'theirs');
        return errno;
      }
      return undefined;
    });
    const result = await binder({}, tree).bind([await target(A, 'vfio-pci')]);
    expect(result).toMatchObject({ state: 'rolled-back', failures: [{ step: 'verify' }] });
    expect(await live(A)).toEqual({ driver: 'e1000e', override: 'theirs' });
  });

  test('[binding:228] a device that is pulled out is told, and the others are restored', async () => {
    const { sysfs, binder, target, live } = testbed();
    const { tree } = spied(sysfs, async (path, data) => {
      if (path.endsWith('vfio-pci/bind') && data === H)
        await sysfs.write(`/sys/bus/pci/devices/${H}/remove`, '1');
      return undefined;
    });
    const result = await binder({}, tree).bind([
      await target(A, 'vfio-pci'),
      await target(H, 'vfio-pci'),
    ]);
    expect(result).toMatchObject({ state: 'rolled-back', notices: [`${H}: is gone`] });
    expect(await live(A)).toEqual({ driver: 'e1000e', override: null });
  });

  test('a driver that provides no VFIO device is found by that, and taken back', async () => {
    const { binder, target, live } = testbed();
    const result = await binder().bind([await target(A, 'pci-stub')]);
    expect(result).toMatchObject({ state: 'rolled-back', failures: [{ step: 'verify' }] });
    expect(result.failures[0]!.message).toContain('pci-stub provides no VFIO device');
    expect(await live(A)).toEqual({ driver: 'e1000e', override: null });
  });

  test('[binding:196 binding:197 binding:198] a chain goes on where one fails; what was there before never gets the device in between', async () => {
    const { machine, sysfs, binder, target, live } = testbed();
    machine.pci.register({ name: 'odd_vfio_pci', managedDma: true, ids: [], probe: () => -5 });
    const { tree, writes } = spied(sysfs);
    const plan = await target(A, 'odd_vfio_pci', {
      alternatives: [{ driver: 'pci-stub' }, { driver: 'vfio-pci' }],
    });
    const result = await binder({}, tree).bind([plan]);
    expect(result).toMatchObject({ state: 'committed' });
    expect(result.notices).toEqual([
      expect.stringContaining("the driver's own probe refuses (EIO)"),
      expect.stringContaining('pci-stub provides no VFIO device'),
    ]);
    expect(writes).toEqual([
      `devices/${A}/driver_override "odd_vfio_pci"`,
      `drivers/e1000e/unbind "${A}"`,
      `drivers/odd_vfio_pci/bind "${A}"`,
      `devices/${A}/driver_override "pci-stub"`,
      `drivers/pci-stub/bind "${A}"`,
      `drivers/pci-stub/unbind "${A}"`,
      `devices/${A}/driver_override "vfio-pci"`,
      `drivers/vfio-pci/bind "${A}"`,
    ]);
    await binder().release();
    expect(await live(A)).toEqual({ driver: 'e1000e', override: null });
  });

  test('a plan that the machine has left behind is not carried out', async () => {
    const { sysfs, binder, target, write } = testbed();
    const plan = [await target(A, 'vfio-pci')];
    await write('drivers/e1000e/unbind', A);
    const { tree, writes } = spied(sysfs);
    await expect(binder({}, tree).bind(plan)).rejects.toMatchObject({ code: 'EAGAIN' });
    expect(writes).toEqual([]);
  });

  test('without a journal nothing is done', async () => {
    const { sysfs, binder, target } = testbed();
    const { tree, writes } = spied(sysfs);
    const file = join(scratch, 'in-the-way');
    writeFileSync(file, '');
    const journal = new FileJournal(join(file, 'journals'));
    await expect(binder({ journal }, tree).bind([await target(A, 'vfio-pci')])).rejects.toThrow(
      'nothing was done',
    );
    expect(writes).toEqual([]);
  });

  test('a capture is not bound on', async () => {
    const { sysfs, target } = testbed();
    const capture: Sysfs = {
      kind: 'capture',
      read: sysfs.read.bind(sysfs),
      list: sysfs.list.bind(sysfs),
      readLink: sysfs.readLink.bind(sysfs),
      write: async () => -30,
    };
    await expect(
      onSysfs(capture)
        .binder()
        .bind([await target(A, 'vfio-pci')]),
    ).rejects.toMatchObject({ code: 'EROFS' });
  });
});

describe('kernels without driver_override', () => {
  test('[binding:224] new_id is used only there, only when asked for, and taken back', async () => {
    const { sysfs, binder, target, live } = testbed();
    const normal = spied(sysfs);
    await binder({}, normal.tree).bind([await target(A, 'vfio-pci')]);
    await binder().release();
    expect(normal.writes.filter((line) => line.includes('new_id'))).toEqual([]);

    const old = spied(sysfs, (path) => (path.endsWith('driver_override') ? -2 : undefined));
    const tree: Sysfs = {
      ...old.tree,
      read: async (path) => (path.endsWith('driver_override') ? -2 : sysfs.read(path)),
    };
    await expect(binder({}, tree).bind([await target(A, 'vfio-pci')])).rejects.toMatchObject({
      code: 'EOPNOTSUPP',
    });
    await binder({ newIdWithoutOverride: true }, tree).bind([await target(A, 'vfio-pci')]);
    expect((await live(A)).driver).toBe('vfio-pci');
    expect(old.writes.filter((line) => line.includes('_id'))).toEqual([
      'drivers/vfio-pci/new_id "8086 10d3"',
      'drivers/vfio-pci/remove_id "8086 10d3"',
    ]);
  });
});

describe('an unbind that is blocked', () => {
  const blocked = async () => {
    const bed = testbed();
    await bed.binder().bind([await bed.target(V, 'vfio-pci')]);
    const user = bed.machine.open(V);
    const seen: string[] = [];
    return { ...bed, user, seen };
  };

  test('[binding:219] is told with its holder, keeps its override, and goes on when the device is let go', async () => {
    const { binder, target, live, journal, user, seen } = await blocked();
    const binding = binder({
      onBlocked: (device, holders) => {
        seen.push(`${device} ${holders[0]?.command}`);
        return 'wait';
      },
    }).bind([await target(V, 'mlx5_vfio_pci')]);
    for (let turn = 0; turn < 200; turn += 1) await Promise.resolve();
    await new Promise(setImmediate);
    expect(seen).toEqual([`${V} qemu-system-x86`]);
    expect(await live(V)).toEqual({ driver: null, override: 'mlx5_vfio_pci' });
    const [, second] = await journal.list();
    expect(await journal.read(second!)).toMatch(/"state":"unbinding"}\n$/);
    user[Symbol.dispose]();
    expect(await binding).toMatchObject({ state: 'committed' });
    expect((await live(V)).driver).toBe('mlx5_vfio_pci');
  });

  test('[binding:220] recovery meanwhile waits, and does not unbind a second time', async () => {
    const { sysfs, binder, target, live, user } = await blocked();
    const left = await binder({ onBlocked: () => 'leave' }).bind([
      await target(V, 'mlx5_vfio_pci'),
    ]);
    expect(left.state).toBe('unbinding');
    const { tree, writes } = spied(sysfs);
    expect(await binder({}, tree).recover()).toMatchObject([{ id: left.id, state: 'waiting' }]);
    expect(writes).toEqual([]);
    user[Symbol.dispose]();
    await new Promise(setImmediate);
    expect(await binder().recover()).toMatchObject([{ state: 'rolled-back' }]);
    expect(await live(V)).toEqual({ driver: 'vfio-pci', override: 'vfio-pci' });
  });

  test('a device that somebody uses is not given back, and nothing is written', async () => {
    const { sysfs, binder, live, user } = await blocked();
    const { tree, writes } = spied(sysfs);
    expect(await binder({}, tree).release()).toMatchObject([
      {
        state: 'in-use',
        failures: [
          { device: V, message: expect.stringContaining('process 4200 (qemu-system-x86)') },
        ],
      },
    ]);
    expect(writes).toEqual([]);
    user[Symbol.dispose]();
    expect(await binder().release()).toMatchObject([{ state: 'released' }]);
    expect(await live(V)).toEqual({ driver: null, override: null });
  });

  test('one member that is used keeps the whole transaction bound', async () => {
    const { binder, target, live, machine } = testbed();
    await binder().bind([await target(A, 'vfio-pci'), await target(V, 'vfio-pci')]);
    using _ = machine.open(V);
    expect(await binder().release()).toMatchObject([{ state: 'in-use' }]);
    expect([(await live(A)).driver, (await live(V)).driver]).toEqual(['vfio-pci', 'vfio-pci']);
  });

  test('whoever gives it back all the same waits, with the holder told', async () => {
    const { binder, live, user, seen } = await blocked();
    const releasing = binder({
      onBlocked: (device, holders) => {
        seen.push(`${device} ${holders[0]?.command}`);
        return 'wait';
      },
    }).release(undefined, true);
    for (let turn = 0; turn < 200; turn += 1) await Promise.resolve();
    await new Promise(setImmediate);
    expect(seen).toEqual([`${V} qemu-system-x86`]);
    user[Symbol.dispose]();
    expect(await releasing).toMatchObject([{ state: 'released' }]);
    expect(await live(V)).toEqual({ driver: null, override: null });
  });

  test('or leaves, and the next attempt finds it still being let go', async () => {
    const { sysfs, binder, live, user } = await blocked();
    expect(await binder({ onBlocked: () => 'leave' }).release(undefined, true)).toMatchObject([
      { state: 'unbinding' },
    ]);
    const { tree, writes } = spied(sysfs);
    expect(await binder({}, tree).release()).toMatchObject([{ state: 'in-use' }]);
    expect(writes).toEqual([]);
    user[Symbol.dispose]();
    await new Promise(setImmediate);
    expect(await binder().release()).toMatchObject([{ state: 'released' }]);
    expect(await live(V)).toEqual({ driver: null, override: null });
  });
});

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

describe('VFs and PFs', () => {
  test('[binding:229] a PF that has VFs is not touched: they would go with its driver, and nothing brings them back', async () => {
    const { sysfs, binder, target } = testbed();
    const { tree, writes } = spied(sysfs);
    await expect(binder({}, tree).bind([await target(P, 'vfio-pci')])).rejects.toMatchObject({
      code: 'EBUSY',
    });
    expect(writes).toEqual([]);
  });

  test('[binding:115] a group whose members are all let go can be had', async () => {
    const { machine, binder, target } = testbed();
    await binder().bind([await target(G, 'vfio-pci'), await target(H, 'vfio-pci')]);
    const user = machine.open(G);
    expect(user.device.name).toBe(G);
    user[Symbol.dispose]();
  });

  test('a journal in memory forgets nothing while it is there', async () => {
    const journal = new MemoryJournal();
    await journal.create('a', 'x');
    await journal.append('a', 'y');
    expect(await journal.read('a')).toBe('x\ny\n');
  });
});
