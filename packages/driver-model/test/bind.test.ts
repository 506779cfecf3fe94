import { linkDevices } from '@vfiokit/driver-model';
import { describe, expect, test } from 'vitest';
import { A, B, fixture, H, nic, pending, V, X } from './fixture.js';

describe('bind', () => {
  test('[binding:41] binds, makes both links and says so', async () => {
    const { core, bind, driverOf, sysfs, actions } = fixture();
    const before = core.uevents.events.length;
    expect(await bind('e1000e', B)).toBe(12);
    expect(await driverOf(B)).toBe('e1000e');
    expect(await sysfs.readLink(`/sys/bus/pci/drivers/e1000e/${B}`)).toBe(
      `../../../../devices/pci0000:00/${B}`,
    );
    expect(actions(before)).toEqual(['bind']);
  });

  test.each([
    ['a newline', `${B}\n`, 13],
    ['two newlines', `${B}\n\n`, -19],
    ['a trailing space', `${B} `, -19],
  ])('[binding:42] a name with %s', async (_, text, result) => {
    const { bind } = fixture();
    expect(await bind('e1000e', text)).toBe(result);
  });

  test.each(['0a:00.0', '0000:0A:00.0'])('[binding:43] %s is no name', async (name) => {
    const { bind } = fixture();
    expect(await bind('e1000e', name)).toBe(-19);
  });

  test('[binding:44] bound already, even to this driver: EBUSY', async () => {
    const { bind } = fixture();
    expect(await bind('e1000e', A)).toBe(-16);
  });

  test('[binding:45] the match is asked before whether it is bound', async () => {
    const { bind } = fixture();
    expect(await bind('vfio-pci', A)).toBe(-19);
  });

  test('[binding:46] an override changes who matches a device that is bound', async () => {
    const { bind, override } = fixture();
    await override(A, 'vfio-pci');
    expect(await bind('vfio-pci', A)).toBe(-16);
    expect(await bind('e1000e', A)).toBe(-19);
  });

  test('[binding:47] a VFIO driver takes nothing without an override', async () => {
    const { bind } = fixture();
    expect(await bind('vfio-pci', B)).toBe(-19);
  });

  const withProbe = (result: number) => {
    const machine = fixture();
    machine.pci.driversAutoprobe = false;
    machine.pci.register({
      name: 'odd',
      ids: [{ vendor: 0x1b36, device: 0x0010 }],
      probe: () => result,
    });
    return machine;
  };

  test('[binding:54] a probe that wants to come later is EAGAIN, and is not listed', async () => {
    const { core, bind } = withProbe(-517);
    expect(await bind('odd', X)).toBe(-11);
    expect(core.deferred.devices).toEqual([]);
  });

  test.each([
    [-19, 'debug'],
    [-6, 'debug'],
    [-5, 'error'],
  ])(
    '[binding:55] a probe that fails with %i passes it on and logs it as %s',
    async (errno, level) => {
      const { core, bind } = withProbe(errno);
      expect(await bind('odd', X)).toBe(errno);
      expect(core.log.lines.at(-1)).toMatchObject({ level, subject: X });
    },
  );

  test('[binding:56] a probe that answers above 0 is a success with a warning', async () => {
    const { core, bind, driverOf } = withProbe(1);
    expect(await bind('odd', X)).toBe(12);
    expect(await driverOf(X)).toBe('odd');
    expect(core.log.lines.some(({ level }) => level === 'warning')).toBe(true);
  });

  test('[binding:57 binding:118] a group that a user owns keeps ordinary drivers out, not VFIO ones', async () => {
    const { groups, bind, unbind, override } = fixture();
    await unbind('snd_hda_intel', H);
    groups.userOwned.add(15);
    expect(await bind('snd_hda_intel', H)).toBe(-16);
    await override(H, 'vfio-pci');
    expect(await bind('vfio-pci', H)).toBe(12);
  });

  test('[binding:58] a group without a default domain is not ready for ordinary drivers', async () => {
    const { groups, bind, override } = fixture();
    groups.withoutDefaultDomain.add(11);
    expect(await bind('e1000e', B)).toBe(-11);
    await override(B, 'vfio-pci');
    expect(await bind('vfio-pci', B)).toBe(12);
  });

  test('[binding:59] a supplier that is not bound yet is EAGAIN', async () => {
    const { devices, bind } = fixture();
    linkDevices(devices.b, devices.x);
    expect(await bind('e1000e', B)).toBe(-11);
  });

  test('while probing is blocked, or the device is not ready, bind is EAGAIN; leftovers are EBUSY', async () => {
    const { core, devices, bind } = fixture();
    core.probingBlocked = true;
    expect(await bind('e1000e', B)).toBe(-11);
    core.probingBlocked = false;
    devices.b.readyToProbe = false;
    expect(await bind('e1000e', B)).toBe(-11);
    devices.b.readyToProbe = true;
    devices.b.leftoverResources = true;
    expect(await bind('e1000e', B)).toBe(-16);
  });

  test('[binding:60] does not care whether the bus probes by itself', async () => {
    const { pci, bind } = fixture();
    pci.driversAutoprobe = false;
    expect(await bind('e1000e', B)).toBe(12);
  });

  test('[binding:61 binding:62] a PF that keeps its VFs unbound is overruled by an override only', async () => {
    const { devices, bind, override } = fixture();
    devices.p.sriov!.driversAutoprobe = false;
    expect(await bind('mlx5_core', V)).toBe(-19);
    await override(V, 'mlx5_core');
    expect(await bind('mlx5_core', V)).toBe(12);
  });

  test('[binding:63] a driver may hide bind and unbind, not its dynamic ids', async () => {
    const { pci, sysfs } = fixture();
    pci.register({ name: 'shy', suppressBindAttrs: true, probe: () => 0 });
    const files = await sysfs.list('/sys/bus/pci/drivers/shy');
    expect(files).toEqual(['uevent', 'new_id', 'remove_id']);
  });

  test('[binding:64 binding:119] a probe that fails leaves no trace', async () => {
    const { core, groups, pci, bind, driverOf, actions } = fixture();
    pci.driversAutoprobe = false;
    pci.register({ name: 'odd', ids: [{ vendor: 0x8086 }], probe: () => -5 });
    const before = core.uevents.events.length;
    await bind('odd', B);
    expect(await driverOf(B)).toBeUndefined();
    expect(actions(before)).toEqual([]);
    expect(groups.count(11)).toBe(0);
  });

  test('a reader that races with a probe may see a link that goes again', async () => {
    const { pci, devices, bind } = fixture();
    let seen: boolean | undefined;
    pci.driversAutoprobe = false;
    pci.register({
      name: 'odd',
      ids: [{ vendor: 0x8086 }],
      probe: () => {
        seen = devices.b.bound;
        return -5;
      },
    });
    await bind('odd', B);
    expect([seen, devices.b.bound]).toEqual([true, false]);
  });
});

describe('unbind', () => {
  test('[binding:65] unbinds, takes both links away and says so', async () => {
    const { core, unbind, driverOf, sysfs, actions } = fixture();
    const before = core.uevents.events.length;
    expect(await unbind('e1000e', A)).toBe(12);
    expect(await driverOf(A)).toBeUndefined();
    expect(await sysfs.readLink(`/sys/bus/pci/drivers/e1000e/${A}`)).toBe(-2);
    expect(actions(before)).toEqual(['unbind']);
  });

  test('[binding:66 binding:67 binding:68] only through the driver that has the device', async () => {
    const { unbind, driverOf } = fixture();
    expect(await unbind('vfio-pci', A)).toBe(-19);
    expect(await driverOf(A)).toBe('e1000e');
    expect(await unbind('e1000e', B)).toBe(-19);
    expect(await unbind('e1000e', '0000:ff:00.0')).toBe(-19);
  });

  test('[binding:69] consumers are unbound first', async () => {
    const { core, devices, unbind } = fixture();
    linkDevices(devices.h, devices.a);
    const before = core.uevents.events.length;
    await unbind('e1000e', A);
    const order = core.uevents.events.slice(before).map(({ devpath }) => devpath.split('/').at(-1));
    expect(order).toEqual([H, A]);
  });

  /** A driver whose device is in use until `free` is called. */
  function inUse() {
    const machine = fixture();
    let free = () => {};
    machine.pci.register({
      name: 'held',
      managedDma: true,
      ids: [{ vendor: 0x1b36, device: 0x0010 }],
      probe: () => 0,
      remove: () =>
        new Promise<void>((done) => {
          free = done;
        }),
    });
    return { ...machine, free: () => free() };
  }

  test('[binding:71] while it is blocked the device looks unbound, and drivers_probe says yes and does nothing', async () => {
    const { unbind, probe, driverOf, devices, free } = inUse();
    const unbinding = unbind('held', X);
    expect(await pending(unbinding)).toBe(true);
    expect(await driverOf(X)).toBeUndefined();
    expect(await probe(X)).toBe(12);
    expect(devices.x.bound).toBe(false);
    free();
    expect(await unbinding).toBe(12);
  });

  test('[binding:72] a second unbind waits for the first and then says yes', async () => {
    const { unbind, free } = inUse();
    const first = unbind('held', X);
    const second = unbind('held', X);
    expect(await pending(second)).toBe(true);
    free();
    expect(await Promise.all([first, second])).toEqual([12, 12]);
  });

  test('[binding:73] a bind waits, and binds when the device is let go', async () => {
    const { unbind, bind, override, driverOf, free } = inUse();
    const unbinding = unbind('held', X);
    await override(X, 'vfio-pci');
    const binding = bind('vfio-pci', X);
    expect(await pending(binding)).toBe(true);
    free();
    await unbinding;
    expect(await binding).toBe(12);
    expect(await driverOf(X)).toBe('vfio-pci');
  });

  test('[binding:76] while it is blocked the override can be read and written', async () => {
    const { unbind, override, read, free } = inUse();
    const unbinding = unbind('held', X);
    expect(await override(X, 'later')).toBe(5);
    expect(await read(`devices/${X}/driver_override`)).toBe('later\n');
    free();
    await unbinding;
  });

  test('a store to enable waits as well', async () => {
    const { unbind, write, free } = inUse();
    const unbinding = unbind('held', X);
    const enabling = write(`devices/${X}/enable`, '1');
    expect(await pending(enabling)).toBe(true);
    free();
    await unbinding;
    expect(await enabling).toBe(1);
  });

  test('a device that is removed while it is in use is gone when it is let go', async () => {
    const { write, sysfs, free } = inUse();
    const removing = write(`devices/${X}/remove`, '1');
    expect(await pending(removing)).toBe(true);
    free();
    await removing;
    expect(await sysfs.list(`/sys/bus/pci/devices/${X}`)).toBe(-2);
  });
});

describe('the lock of a device', () => {
  test('a new device that a driver holds up does not hold up the others', async () => {
    const { pci, root, driverOf } = fixture();
    await pci.add(nic('0000:06:00.0', root));
    expect(await driverOf('0000:06:00.0')).toBe('e1000e');
  });
});
