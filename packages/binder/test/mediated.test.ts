import 'reflect-metadata';
import { ApMachine } from '@vfiokit/ap';
import {
  changeApMask,
  createMdev,
  MemoryJournal,
  removeMdev,
  restoreApMask,
} from '@vfiokit/binder';
import { Directory, ModelSysfs, type Sysfs } from '@vfiokit/driver-model';
import { describe, expect, test } from 'vitest';

const U1 = '11111111-1111-1111-1111-111111111111';
const U2 = '22222222-2222-2222-2222-222222222222';
const QUEUE = '05.0004';
const PARENT = '/sys/devices/vfio_ap/matrix';
const TYPE = `${PARENT}/mdev_supported_types/vfio_ap-passthrough`;
const FULL = `0x${'f'.repeat(64)}`;

/** An s390 partition with two adapters and three domains, vfio_ap loaded. */
function partition(instances?: number) {
  const machine = new ApMachine({
    hardware: { adapters: [5, 6], domains: [4, 0x47, 0xab], controlDomains: [4] },
    ...(instances === undefined ? {} : { vfioAp: { instances } }),
  });
  machine.loadVfioAp();
  const sysfs = new ModelSysfs(new Directory({ sys: machine.core.sys }));
  const read = async (path: string) => {
    const bytes = await sysfs.read(path);
    return typeof bytes === 'number' ? bytes : new TextDecoder().decode(bytes);
  };
  return {
    sysfs,
    read,
    write: (path: string, text: string) => sysfs.write(`/sys/bus/ap/${path}`, text),
    override: (text: string) => sysfs.write(`/sys/bus/ap/devices/${QUEUE}/driver_override`, text),
    mask: async () => String(await read('/sys/bus/ap/apmask')).trim(),
    create: (text: string) => sysfs.write(`${TYPE}/create`, text),
    mdev: (uuid: string, file: string, text: string) =>
      sysfs.write(`${PARENT}/${uuid}/${file}`, text),
    driverOf: async (name = QUEUE) => {
      const link = await sysfs.readLink(`/sys/bus/ap/devices/${name}/driver`);
      return typeof link === 'number' ? undefined : link.slice(link.lastIndexOf('/') + 1);
    },
  };
}

describe('AP queues', () => {
  test('[binding:230] a queue of the host goes to the host driver, not to the alternative', async () => {
    const { write, driverOf } = partition();
    expect(await driverOf()).toBe('cex4queue');
    await write('drivers/cex4queue/unbind', QUEUE);
    expect(await write('drivers/vfio_ap/bind', QUEUE)).toBe(-19);
    expect(await write('drivers/cex4queue/bind', QUEUE)).toBe(7);
  });

  test('[binding:231] an override names the driver, whatever the masks say', async () => {
    const { override, write, driverOf } = partition();
    await override('vfio_ap');
    await write('drivers/cex4queue/unbind', QUEUE);
    expect(await write('drivers/vfio_ap/bind', QUEUE)).toBe(7);
    expect(await driverOf()).toBe('vfio_ap');
  });

  test('[binding:232 binding:233] masks and overrides exclude each other', async () => {
    const { override, write } = partition();
    await override('vfio_ap');
    expect(await write('apmask', '-5')).toBe(-22);
    await override('\n');
    await write('apmask', '-5');
    expect(await override('vfio_ap')).toBe(-22);
  });

  test('[binding:234] relative changes move bits and reprobe queues; what is no change is a mask', async () => {
    const { write, mask, driverOf } = partition();
    expect(await write('apmask', '-5')).toBe(2);
    expect(await mask()).toBe(`0xfb${'f'.repeat(62)}`);
    expect(await driverOf()).toBe('vfio_ap');
    expect(await write('apmask', '+5')).toBe(2);
    expect(await driverOf()).toBe('cex4queue');
    expect(await write('apmask', '+300')).toBe(-22);
    expect(await write('apmask', '5')).toBe(1);
    expect(await mask()).toBe(`0x5${'0'.repeat(63)}`);
  });

  test('[binding:235] an absolute mask is hexadecimal from the left; a newline is none at all', async () => {
    const { write, mask } = partition();
    expect(await write('apmask', '0xzz')).toBe(-22);
    expect(await write('apmask', 'f'.repeat(65))).toBe(-22);
    for (const text of ['8', '0x8']) {
      await write('apmask', text);
      expect(await mask()).toBe(`0x8${'0'.repeat(63)}`);
    }
    expect(await write('apmask', '\n')).toBe(1);
    expect(await mask()).toBe(`0x${'0'.repeat(64)}`);
  });

  test('[binding:236] a bit that a mediated device uses does not go back to the host', async () => {
    const { write, create, mdev, mask } = partition();
    await write('apmask', '-5');
    await create(U1);
    await mdev(U1, 'assign_adapter', '5');
    await mdev(U1, 'assign_domain', '4');
    expect(await write('apmask', '+5')).toBe(-16);
    expect(await mask()).toBe(`0xfb${'f'.repeat(62)}`);
  });

  test('[binding:237] an override that is not set reads as an empty line', async () => {
    const { read } = partition();
    expect(await read(`/sys/bus/ap/devices/${QUEUE}/driver_override`)).toBe('\n');
  });

  test('[binding:238] an override does not make a driver match another type of hardware', async () => {
    const { sysfs, write } = partition();
    await write('drivers/cex4queue/unbind', QUEUE);
    await sysfs.write(`/sys/bus/ap/devices/${QUEUE}/driver_override`, 'cex4card');
    expect(await write('drivers/cex4card/bind', QUEUE)).toBe(-19);
  });

  test('[binding:239] what may be assigned', async () => {
    const { write, create, mdev } = partition();
    await create(U1);
    await create(U2);
    expect(await mdev(U1, 'assign_adapter', 'abc')).toBe(-22);
    expect(await mdev(U1, 'assign_adapter', '256')).toBe(-19);
    await mdev(U1, 'assign_domain', '4');
    expect(await mdev(U1, 'assign_adapter', '5')).toBe(-99);
    await write('apmask', '-5');
    expect(await mdev(U1, 'assign_adapter', '5')).toBe(1);
    expect(await mdev(U1, 'assign_adapter', '5')).toBe(1);
    await mdev(U2, 'assign_domain', '4');
    expect(await mdev(U2, 'assign_adapter', '5')).toBe(-98);
  });
});

describe('mediated devices', () => {
  test.each([
    ['35 bytes', U1.slice(1), -22],
    ['38 bytes', `${U1}\n\n`, -22],
    ['36 bytes that are no UUID', 'x'.repeat(36), -22],
    ['a UUID and a newline', `${U1}\n`, 37],
  ])('[binding:244] create with %s gives %3$i', async (_, text, result) => {
    const { create } = partition();
    expect(await create(text)).toBe(result);
  });

  test('[binding:244] a UUID that is used is EEXIST', async () => {
    const { create } = partition();
    await create(U1);
    expect(await create(U1)).toBe(-17);
  });

  test('[binding:244] where none is left it is EUSERS', async () => {
    const { create } = partition(1);
    await create(U1);
    expect(await create(U2)).toBe(-87);
  });

  test('[binding:28 binding:245] nothing matches them: no override, and what is unbound can only be made anew', async () => {
    const { sysfs, create } = partition();
    await create(U1);
    const driver = '/sys/bus/mdev/drivers/vfio_ap_mdev';
    expect(await sysfs.write(`${PARENT}/${U1}/driver_override`, 'x')).toBe(-2);
    expect(await sysfs.write(`${driver}/bind`, U1)).toBe(-19);
    expect(await sysfs.write(`${driver}/unbind`, U1)).toBe(36);
    expect(await sysfs.write(`${driver}/bind`, U1)).toBe(-19);
  });

  test('[binding:246] remove takes a number; zero does nothing', async () => {
    const { sysfs, create, mdev } = partition();
    await create(U1);
    expect(await mdev(U1, 'remove', 'x')).toBe(-22);
    expect(await mdev(U1, 'remove', '0')).toBe(1);
    expect(await mdev(U1, 'remove', '1')).toBe(1);
    expect(await sysfs.list(`${PARENT}/${U1}`)).toBe(-2);
  });
});

describe('attaching them', () => {
  const request = { id: 'm1', uuid: U1, parent: PARENT, type: 'vfio_ap-passthrough' };
  const dying = (sysfs: Sysfs, after: boolean): Sysfs => ({
    kind: 'model',
    read: (path) => sysfs.read(path),
    list: (path) => sysfs.list(path),
    readLink: (path) => sysfs.readLink(path),
    write: async (path, data) => {
      if (after) await sysfs.write(path, data);
      throw new Error('killed');
    },
  });

  test('[binding:247] the UUID is in the journal before the device exists: a crash before writes nothing, one after removes it', async () => {
    for (const after of [false, true]) {
      const { sysfs } = partition();
      const journal = new MemoryJournal();
      await expect(createMdev(dying(sysfs, after), journal, request)).rejects.toThrow('killed');
      expect(await journal.list()).toEqual(['m1']);
      expect(await removeMdev(sysfs, journal, 'm1')).toBe(after ? 'removed' : 'never made');
      expect(await sysfs.list(`${PARENT}/${U1}`)).toBe(-2);
      expect(await journal.list()).toEqual([]);
    }
  });

  test('a device that can not be made leaves no journal', async () => {
    const { sysfs, create } = partition();
    await create(U1);
    const journal = new MemoryJournal();
    await expect(createMdev(sysfs, journal, request)).rejects.toMatchObject({ code: 'EEXIST' });
    expect(await journal.list()).toEqual([]);
  });

  test('[binding:248] a mask is brought back whole, in one store', async () => {
    const { sysfs, mask, driverOf, read } = partition();
    const journal = new MemoryJournal();
    await changeApMask(sysfs, journal, 'a1', 'apmask', '-5,-6');
    expect(await driverOf()).toBe('vfio_ap');
    const writes: string[] = [];
    const spy: Sysfs = {
      ...dying(sysfs, true),
      write: async (path, data) => {
        writes.push(`${path} ${data}`);
        return sysfs.write(path, data);
      },
    };
    await restoreApMask(spy, journal, 'a1');
    expect(writes).toEqual([`/sys/bus/ap/apmask ${FULL}`]);
    expect([await mask(), await driverOf()]).toEqual([FULL, 'cex4queue']);
    await expect(changeApMask(sysfs, journal, 'a2', 'apmask', '+300')).rejects.toMatchObject({
      code: 'EINVAL',
    });
    expect(await read('/sys/bus/ap/aqmask')).toBe(`${FULL}\n`);
  });
});
