import { describe, expect, test } from 'vitest';
import { A, B, fixture, G, H, nic, V, X } from './fixture.js';

describe('drivers_probe', () => {
  test('[binding:81] an unknown device is ENODEV', async () => {
    const { probe } = fixture();
    expect(await probe('0000:ff:00.0')).toBe(-19);
  });

  test('[binding:82] a bound device stays as it is', async () => {
    const { probe, driverOf, override } = fixture();
    await override(A, 'vfio-pci');
    expect(await probe(A)).toBe(12);
    expect(await driverOf(A)).toBe('e1000e');
  });

  test('[binding:83] binds what matches', async () => {
    const { probe, driverOf } = fixture();
    expect(await probe(B)).toBe(12);
    expect(await driverOf(B)).toBe('e1000e');
  });

  test('[binding:84] says yes where nobody matches', async () => {
    const { probe, driverOf } = fixture();
    expect(await probe(G)).toBe(12);
    expect(await driverOf(G)).toBeUndefined();
  });

  test('[binding:85] follows the override', async () => {
    const { probe, driverOf, override } = fixture();
    await override(B, 'vfio-pci');
    await probe(B);
    expect(await driverOf(B)).toBe('vfio-pci');
  });

  test('[binding:87] a user who owns the group stops the search: EINVAL', async () => {
    const { groups, unbind, probe } = fixture();
    await unbind('snd_hda_intel', H);
    groups.userOwned.add(15);
    expect(await probe(H)).toBe(-22);
  });

  function deferring() {
    const machine = fixture();
    let ready = false;
    machine.pci.driversAutoprobe = false;
    machine.pci.register({
      name: 'later',
      ids: [{ vendor: 0x1b36, device: 0x0010 }],
      probe: () => (ready ? 0 : -517),
    });
    machine.pci.driversAutoprobe = true;
    return {
      ...machine,
      getReady: () => {
        ready = true;
      },
    };
  }

  test('[binding:88] a probe that wants to come later is listed, and the write says yes', async () => {
    const { core, probe, driverOf } = deferring();
    expect(await probe(X)).toBe(12);
    expect(await driverOf(X)).toBeUndefined();
    expect(core.deferred.devices.map(({ name }) => name)).toEqual([X]);
  });

  test('[binding:89] any bind that succeeds tries the deferred ones again', async () => {
    const { core, probe, bind, driverOf, getReady } = deferring();
    await probe(X);
    getReady();
    await bind('e1000e', B);
    expect(await driverOf(X)).toBe('later');
    expect(core.deferred.devices).toEqual([]);
  });

  test('[binding:90] but not where the bus does not probe by itself', async () => {
    const { probe, bind, driverOf, write, getReady } = deferring();
    await probe(X);
    getReady();
    await write('drivers_autoprobe', '0');
    await bind('e1000e', B);
    expect(await driverOf(X)).toBeUndefined();
  });

  test('a device that defers again waits for the next bind', async () => {
    const { core, probe, bind, unbind, driverOf, getReady } = deferring();
    await probe(X);
    await bind('e1000e', B);
    expect(core.deferred.devices.map(({ name }) => name)).toEqual([X]);
    getReady();
    await unbind('e1000e', B);
    await bind('e1000e', B);
    expect(await driverOf(X)).toBe('later');
  });
});

describe('drivers_autoprobe, rescan and remove', () => {
  test.each([
    ['0', '0\n'],
    ['1', '1\n'],
    ['y', '1\n'],
    ['no', '1\n'],
    ['\n', '1\n'],
  ])('[binding:91] a store of %j reads back as %j', async (text, value) => {
    const { write, read } = fixture();
    expect(await write('drivers_autoprobe', text)).toBe(text.length);
    expect(await read('drivers_autoprobe')).toBe(value);
  });

  test('[binding:92] without it a new device stays unbound until it is asked for', async () => {
    const { pci, root, write, probe, driverOf } = fixture();
    await write('drivers_autoprobe', '0');
    await pci.add(nic('0000:0b:00.0', root));
    expect(await driverOf('0000:0b:00.0')).toBeUndefined();
    await probe('0000:0b:00.0');
    expect(await driverOf('0000:0b:00.0')).toBe('e1000e');
  });

  test('[binding:93] without it a new driver gets nothing', async () => {
    const { pci, write, driverOf } = fixture();
    await write('drivers_autoprobe', '0');
    pci.register({ name: 'new', ids: [{ vendor: 0x1b36 }], probe: () => 0 });
    expect(await driverOf(X)).toBeUndefined();
  });

  test('[binding:94] rescan takes a number; zero does nothing', async () => {
    const { write, root, willFind, sysfs } = fixture();
    willFind(() => nic('0000:0b:00.0', root));
    expect(await write('rescan', 'abc')).toBe(-22);
    expect(await write('rescan', '0')).toBe(1);
    expect(await sysfs.list('/sys/bus/pci/devices/0000:0b:00.0')).toBe(-2);
    await write('rescan', '1');
    expect(await sysfs.list('/sys/bus/pci/devices/0000:0b:00.0')).toContain('vendor');
  });

  test('[binding:95] remove takes a device off the bus, unbound first; VFs have no such file', async () => {
    const { core, write, sysfs, actions } = fixture();
    const before = core.uevents.events.length;
    expect(await write(`devices/${A}/remove`, '1')).toBe(1);
    expect(actions(before)).toEqual(['unbind', 'remove']);
    expect(await sysfs.list(`/sys/bus/pci/devices/${A}`)).toBe(-2);
    expect(await write(`devices/${V}/remove`, '1')).toBe(-2);
  });

  test('[binding:96] two drivers cannot share a name', () => {
    const { pci } = fixture();
    expect(() => pci.register({ name: 'e1000e', probe: () => 0 })).toThrow(
      expect.objectContaining({ code: 'EBUSY' }),
    );
  });

  test('a driver that is unregistered lets go of its devices', async () => {
    const { pci, drivers, driverOf, sysfs } = fixture();
    await pci.unregister(drivers.e1000e);
    expect(await driverOf(A)).toBeUndefined();
    expect(await sysfs.list('/sys/bus/pci/drivers/e1000e')).toBe(-2);
  });

  test('a fabricated uevent tells the device manager, and binds nothing', async () => {
    const { core, write, driverOf } = fixture();
    expect(await write(`devices/${B}/uevent`, 'add')).toBe(3);
    expect(core.uevents.events.at(-1)).toMatchObject({ action: 'add', env: { PCI_SLOT_NAME: B } });
    expect(await write(`devices/${B}/uevent`, 'nonsense')).toBe(-22);
    expect(await driverOf(B)).toBeUndefined();
  });

  test('a device manager may act on a uevent and rebind at once', async () => {
    const { core, pci, drivers, unbind, driverOf } = fixture();
    core.uevents.listen(({ action, devpath }) => {
      if (action === 'unbind' && devpath.endsWith(A)) void pci.bind(drivers.pciStub, A);
    });
    await pci.dynamicIds(drivers.pciStub).add('8086 10d3');
    await unbind('e1000e', A);
    await Promise.resolve();
    expect(await driverOf(A)).toBe('pci-stub');
  });
});
