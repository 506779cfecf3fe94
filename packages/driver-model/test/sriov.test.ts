import { describe, expect, test } from 'vitest';
import { A, fixture, NIC, P, pending, V } from './fixture.js';

const numvfs = `devices/${P}/sriov_numvfs`;

describe('SR-IOV', () => {
  test.each([
    ['abc', -22],
    ['65536', -22],
    ['5', -34],
    ['2', 1],
    ['3', -16],
  ])(
    '[binding:120] with two of four VFs, %j gives %i and changes nothing',
    async (text, result) => {
      const { write, read } = fixture();
      expect(await write(numvfs, text)).toBe(result);
      expect(await read(numvfs)).toBe('2\n');
    },
  );

  test('[binding:120] zero takes the VFs away', async () => {
    const { write, sysfs } = fixture();
    expect(await write(numvfs, '0')).toBe(1);
    expect(await sysfs.list(`/sys/bus/pci/devices/${V}`)).toBe(-2);
    expect(await sysfs.readLink(`/sys/bus/pci/devices/${P}/virtfn0`)).toBe(-2);
  });

  test('[binding:121] a PF without a driver is ENOENT, unless nothing would change', async () => {
    const { write, unbind } = fixture();
    await write(numvfs, '0');
    await unbind('mlx5_core', P);
    expect(await write(numvfs, '1')).toBe(-2);
    expect(await write(numvfs, '0')).toBe(1);
  });

  test('[binding:123] so is a driver that cannot do it', async () => {
    const { add, write } = fixture();
    const sriov = { totalVfs: 2, offset: 16, stride: 2, vfDevice: 0x10ca };
    add('0000:06:00.0', { ...NIC, sriov });
    expect(await write('devices/0000:06:00.0/sriov_numvfs', '1')).toBe(-2);
  });

  test.each([
    ['maybe', -22, '1\n'],
    ['off', 3, '0\n'],
    ['No', 2, '0\n'],
    ['y', 1, '1\n'],
    ['on', 2, '1\n'],
  ])('[binding:124] sriov_drivers_autoprobe: %j gives %i', async (text, result, value) => {
    const { write, read } = fixture();
    expect(await write(`devices/${P}/sriov_drivers_autoprobe`, text)).toBe(result);
    expect(await read(`devices/${P}/sriov_drivers_autoprobe`)).toBe(value);
  });

  test('[binding:124] when it is off, new VFs stay unbound', async () => {
    const { write, driverOf } = fixture();
    await write(numvfs, '0');
    await write(`devices/${P}/sriov_drivers_autoprobe`, '0');
    await write(numvfs, '2');
    expect(await driverOf(V)).toBeUndefined();
    await write(numvfs, '0');
    await write(`devices/${P}/sriov_drivers_autoprobe`, '1');
    await write(numvfs, '2');
    expect(await driverOf(V)).toBe('mlx5_core');
  });

  test('[binding:125] the links between PF and VF stand when the VF is probed', async () => {
    const { sysfs, write, pci, drivers } = fixture();
    // Both are looked at in the turn of the call: a turn later the VF has been probed.
    const links = () =>
      Promise.all([
        sysfs.readLink(`/sys/bus/pci/devices/${V}/physfn`),
        sysfs.readLink(`/sys/bus/pci/devices/${P}/virtfn0`),
      ]);
    expect(await links()).toEqual([`../${P}`, `../${V}`]);
    await write(numvfs, '0');
    let seen: Promise<unknown> | undefined;
    await pci.unregister(drivers.mlx5_core);
    pci.register({
      ...drivers.mlx5_core,
      probe: (device) => {
        if (device.name === V) seen = links();
        return 0;
      },
    });
    await write(numvfs, '1');
    expect(await seen).toEqual([`../${P}`, `../${V}`]);
  });

  test('[binding:126] vectors of a VF: a number, a PF driver that can, and an unbound VF', async () => {
    const { write, pci, drivers, bind } = fixture();
    const file = `devices/${V}/sriov_vf_msix_count`;
    expect(await write(file, '-1')).toBe(-22);
    expect(await write(file, '4')).toBe(-95);
    await pci.unregister(drivers.mlx5_core);
    pci.register({ ...drivers.mlx5_core, setVfMsixCount: (_, count) => (count > 60 ? -28 : 0) });
    expect(await write(file, '61')).toBe(-16);
    await pci.unbind(pci.drivers.get('mlx5_core')!, V);
    expect(await write(file, '4')).toBe(1);
    expect(await write(file, '61')).toBe(-28);
    expect(await bind('mlx5_core', V)).toBe(12);
  });

  test('[binding:127] the id of VFs is shown without 0x', async () => {
    const { read } = fixture();
    expect(await read(`devices/${P}/sriov_vf_device`)).toBe('101e\n');
    expect(await read(`devices/${P}/sriov_totalvfs`)).toBe('4\n');
    expect(await read(`devices/${A}/sriov_totalvfs`)).toBe(-2);
  });

  test('[binding:78] while an unbind of the PF is blocked, so is a read of sriov_numvfs', async () => {
    const { pci, drivers, read, unbind } = fixture();
    await pci.unregister(drivers.mlx5_core);
    let free = () => {};
    pci.register({
      ...drivers.mlx5_core,
      remove: () =>
        new Promise<void>((done) => {
          free = done;
        }),
    });
    const unbinding = unbind('mlx5_core', P);
    const reading = read(numvfs);
    expect(await pending(reading)).toBe(true);
    free();
    await unbinding;
    expect(await reading).toBe('2\n');
  });

  test('a PF that is removed takes its VFs along', async () => {
    const { write, pci } = fixture();
    await write(`devices/${P}/remove`, '1');
    expect([P, V].filter((name) => pci.devices.has(name))).toEqual([]);
  });
});
