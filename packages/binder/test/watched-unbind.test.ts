import { describe, expect, test } from 'vitest';
import { A, spied, testbed, V } from './testbed.js';

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
    expect(await binding).toMatchObject({
      state: 'committed',
      notices: [expect.stringContaining(`${V}: its unbind waits for process 4200`)],
    });
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
