import { describe, expect, test } from 'vitest';
import { A, B, fixture, nic } from './fixture.js';

const ALL_FIELDS = '8086 10d3 ffffffff ffffffff 0 0 7';

describe('new_id', () => {
  test('[binding:97 binding:98] binds every unbound match and refuses the id a second time', async () => {
    const { write, driverOf } = fixture();
    expect(await write('drivers/vfio-pci/new_id', '8086 10d3')).toBe(9);
    expect(await driverOf(B)).toBe('vfio-pci');
    expect(await driverOf(A)).toBe('e1000e');
    expect(await write('drivers/vfio-pci/new_id', '8086 10d3')).toBe(-17);
  });

  test('[binding:99] an id of the table is refused', async () => {
    const { write } = fixture();
    expect(await write('drivers/e1000e/new_id', '8086 10d3')).toBe(-17);
  });

  test('[binding:100] with all seven fields nobody asks whether it is there', async () => {
    const { write, pci, drivers } = fixture();
    expect(await write('drivers/e1000e/new_id', ALL_FIELDS)).toBe(ALL_FIELDS.length);
    expect(await write('drivers/e1000e/new_id', ALL_FIELDS)).toBe(ALL_FIELDS.length);
    expect(pci.dynamicIds(drivers.e1000e).entries).toHaveLength(2);
  });

  test('[binding:101 binding:102] driver data has to be some of the table, where there is one', async () => {
    const { write } = fixture();
    expect(await write('drivers/e1000e/new_id', '8086 1234')).toBe(-22);
    expect(await write('drivers/e1000e/new_id', '8086 1234 ffffffff ffffffff 0 0 7')).toBe(33);
    expect(await write('drivers/pci-stub/new_id', '8086 1234 ffffffff ffffffff 0 0 99')).toBe(34);
  });

  test.each([
    ['8086', -22],
    ['\n', -22],
    ['8086:10d3', -22],
    ['zz 10d3', -22],
    ['0x8086 0x10d3', 13],
    ['8086\n10d3', 9],
  ])('[binding:103] %j gives %i', async (text, result) => {
    const { write } = fixture();
    expect(await write('drivers/vfio-pci/new_id', text)).toBe(result);
  });

  test('[binding:104] reading ends at the first field that is none', async () => {
    const { write, pci, drivers } = fixture();
    expect(await write('drivers/vfio-pci/new_id', '8086 10d3 xyz')).toBe(13);
    expect(pci.dynamicIds(drivers.vfioPci).entries).toMatchObject([
      { vendor: 0x8086, device: 0x10d3, subvendor: 0xffffffff },
    ]);
  });

  test('[binding:105] a table that is only a terminator takes no id', async () => {
    const { pci, write } = fixture();
    pci.register({
      name: 'empty',
      ids: [{ vendor: 0, subvendor: 0, classMask: 0 }],
      probe: () => 0,
    });
    expect(await write('drivers/empty/new_id', '8086 1234')).toBe(-22);
    expect(await write('drivers/empty/new_id', ALL_FIELDS)).toBe(-22);
  });

  test('[binding:106] binds although the bus does not probe by itself', async () => {
    const { write, driverOf } = fixture();
    await write('drivers_autoprobe', '0');
    await write('drivers/vfio-pci/new_id', '8086 10d3');
    expect(await driverOf(B)).toBe('vfio-pci');
  });

  test('[binding:107] stays when every probe fails, and says yes', async () => {
    const { pci, write, driverOf } = fixture();
    const broken = { name: 'broken', probe: () => -5 };
    pci.register(broken);
    expect(await write('drivers/broken/new_id', '8086 10d3')).toBe(9);
    expect(await driverOf(B)).toBeUndefined();
    expect(pci.dynamicIds(broken).entries).toHaveLength(1);
  });

  test('[binding:108] leaves devices alone whose override names another driver', async () => {
    const { write, override, driverOf } = fixture();
    await override(B, 'e1000e');
    expect(await write('drivers/vfio-pci/new_id', '8086 10d3')).toBe(9);
    expect(await driverOf(B)).toBeUndefined();
  });

  test('[binding:109] an entry with a subvendor does not cover an id without one', async () => {
    const { pci, write } = fixture();
    pci.register({
      name: 'sub',
      ids: [{ vendor: 0x8086, device: 0x10d3, subvendor: 0x8086 }],
      probe: () => 0,
    });
    expect(await write('drivers/sub/new_id', '8086 10d3')).toBe(9);
  });

  test('[binding:112] a device that comes later goes to whoever was registered first', async () => {
    const { write, pci, drivers, root, driverOf } = fixture();
    await write('drivers/vfio-pci/new_id', '8086 10d3');
    await pci.add(nic('0000:0b:00.0', root));
    expect(await driverOf('0000:0b:00.0')).toBe('e1000e');
    await pci.unregister(drivers.e1000e);
    pci.register(drivers.e1000e);
    await pci.add(nic('0000:0c:00.0', root));
    expect(await driverOf('0000:0c:00.0')).toBe('vfio-pci');
  });
});

describe('remove_id', () => {
  test('[binding:110] takes an id back, once, and unbinds nothing', async () => {
    const { write, driverOf } = fixture();
    await write('drivers/vfio-pci/new_id', '8086 10d3');
    expect(await write('drivers/vfio-pci/remove_id', '8086 10d3')).toBe(9);
    expect(await driverOf(B)).toBe('vfio-pci');
    expect(await write('drivers/vfio-pci/remove_id', '8086 10d3')).toBe(-19);
  });

  test('[binding:111] needs two fields, and does not touch the table', async () => {
    const { write } = fixture();
    expect(await write('drivers/e1000e/remove_id', '8086')).toBe(-22);
    expect(await write('drivers/e1000e/remove_id', '8086 10d3')).toBe(-19);
  });

  test('fields that are given have to be the same, those that are not may be any', async () => {
    const { write } = fixture();
    await write('drivers/vfio-pci/new_id', '8086 10d3 8086 a01f');
    expect(await write('drivers/vfio-pci/remove_id', '8086 10d3 8087')).toBe(-19);
    expect(await write('drivers/vfio-pci/remove_id', '8086 10d3 8086 1')).toBe(-19);
    expect(await write('drivers/vfio-pci/remove_id', '8086 10d3 ffffffff a01f')).toBe(23);
  });

  test('[binding:113] dynamic ids go with their driver', async () => {
    const { write, pci, drivers } = fixture();
    await write('drivers/vfio-pci/new_id', '8086 1234');
    await pci.unregister(drivers.vfioPci);
    pci.register(drivers.vfioPci);
    expect(pci.dynamicIds(drivers.vfioPci).entries).toEqual([]);
  });
});
