import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryJournal, parseJournal } from '@vfiokit/binder';
import type { Sysfs } from '@vfiokit/driver-model';
import { afterAll, describe, expect, test } from 'vitest';
import { A, B, FileJournal, G, H, onSysfs, P, spied, testbed, X } from './testbed.js';

const scratch = mkdtempSync(join(tmpdir(), 'vfiokit-journal-'));
afterAll(() => rmSync(scratch, { recursive: true }));

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
    // B is bound already when X turns out to be in no group.
    await binder({}, tree).bind([await target(B, 'vfio-pci'), await target(X, 'vfio-pci')]);
    expect(writes).toContain(`drivers/vfio-pci/unbind "${B}"`);
    expect(await live(B)).toEqual({ driver: null, override: null });
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

  test('what needed a person is tried again when everything is given back', async () => {
    const { sysfs, binder, target, live } = testbed();
    let stuck = true;
    const { tree } = spied(sysfs, (path) =>
      stuck && /e1000e\/bind$|drivers_probe$/.test(path) ? -5 : undefined,
    );
    await binder({}, tree).bind([await target(A, 'vfio-pci')]);
    const once = binder({}, tree);
    expect(await once.release()).toMatchObject([{ state: 'needs-attention' }]);
    expect(await once.release()).toMatchObject([{ state: 'needs-attention' }]);
    stuck = false;
    expect(await once.release()).toMatchObject([{ state: 'released', failures: [] }]);
    expect(await live(A)).toEqual({ driver: 'e1000e', override: null });
    expect(await once.release()).toEqual([]);
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

  test('a member of the group that somebody binds meanwhile is found, and everything is taken back', async () => {
    const { sysfs, binder, target, live, write } = testbed();
    await write('drivers/snd_hda_intel/unbind', H);
    const { tree } = spied(sysfs, async (path) => {
      if (path.endsWith('vfio-pci/bind'))
        await sysfs.write('/sys/bus/pci/drivers/snd_hda_intel/bind', H);
      return undefined;
    });
    const result = await binder({}, tree).bind([await target(G, 'vfio-pci')]);
    expect(result).toMatchObject({
      state: 'rolled-back',
      failures: [
        {
          step: 'verify',
          device: G,
          errno: -1,
          message: expect.stringContaining(
            `its group 15 is not viable: ${H} is bound to "snd_hda_intel"`,
          ),
        },
      ],
    });
    expect(await live(G)).toEqual({ driver: null, override: null });
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
