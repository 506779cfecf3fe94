import { matchDevice } from '@vfiokit/driver-model';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { entryMatches, tableEntries } from '../src/pci/pci-id-table.js';
import { A, B, fixture, H, nic, X } from './fixture.js';

const candidates = ({ pci, devices }: ReturnType<typeof fixture>) =>
  [...pci.drivers.values()]
    .filter((driver) => pci.matches(devices.b, driver))
    .map(({ name }) => name);

describe('which drivers match', () => {
  test('[binding:29] without an override, override-only entries match nothing', () => {
    const machine = fixture();
    expect(candidates(machine)).toEqual(['e1000e']);
  });

  test('[binding:30] with one, only its driver, by its override-only entry', async () => {
    const machine = fixture();
    await machine.override(B, 'vfio-pci');
    expect(candidates(machine)).toEqual(['vfio-pci']);
    expect(machine.pci.matchedEntry(machine.devices.b, machine.drivers.vfioPci)).toEqual({
      overrideOnly: true,
    });
  });

  test('[binding:31] an override makes a driver take what its table does not name, with data 0', async () => {
    const machine = fixture();
    await machine.override(B, 'mlx5_vfio_pci');
    const entry = machine.pci.matchedEntry(machine.devices.b, machine.drivers.mlx5VfioPci);
    expect(entry).toEqual({});
  });

  test('[binding:32] dynamic ids come before the table', async () => {
    const machine = fixture();
    await machine.write('drivers/e1000e/new_id', '8086 10d3 ffffffff ffffffff 0 0 7');
    expect(machine.pci.matchedEntry(machine.devices.b, machine.drivers.e1000e)).toMatchObject({
      subvendor: 0xffffffff,
      driverData: 7,
    });
  });

  test('[binding:33] of two dynamic ids the older one is used', async () => {
    const { write, pci, devices, drivers } = fixture();
    await write('drivers/pci-stub/new_id', '8086 10d3 ffffffff ffffffff 0 0 1');
    await write('drivers/pci-stub/new_id', '8086 10d3 ffffffff ffffffff 0 0 2');
    expect(pci.matchedEntry(devices.a, drivers.pciStub)?.driverData).toBe(1);
  });

  test('[binding:34] an override for another driver outweighs a dynamic id', async () => {
    const machine = fixture();
    await machine.override(B, 'e1000e');
    await machine.write('drivers/vfio-pci/new_id', '8086 10d3');
    expect(candidates(machine)).toEqual(['e1000e']);
  });

  const device = (class_: number) => ({
    vendor: 1,
    device: 2,
    subsystemVendor: 3,
    subsystemDevice: 4,
    class: class_,
  });

  test('[binding:35] a class is compared where its mask has bits', () => {
    const entry = { class: 0x040300, classMask: 0xffff00 };
    expect(entryMatches(entry, device(0x040300))).toBe(true);
    expect(entryMatches(entry, device(0x040380))).toBe(true);
    expect(entryMatches(entry, device(0x040100))).toBe(false);
  });

  test('[binding:36] an empty mask matches every class', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffffff }),
        fc.integer({ min: 0, max: 0xffffff }),
        (wanted, class_) => entryMatches({ class: wanted, classMask: 0 }, device(class_)),
      ),
    );
  });

  test('[binding:37] an entry of vendor 0 that has a class mask does not end a table', () => {
    const last = { vendor: 0, subvendor: 0, class: 0x030000, classMask: 0xffffff };
    const table = [last, { vendor: 0, subvendor: 0 }, { vendor: 1 }];
    expect(tableEntries(table)).toEqual([last]);
  });

  test('an override decides before any id does, whatever the ids', () => {
    const number = fc.integer({ min: 0, max: 0xffff });
    const entry = fc.record({ vendor: number, device: number, overrideOnly: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(entry),
        fc.array(entry),
        number,
        number,
        (table, dynamic, vendor, id) => {
          const ids = { vendor, device: id, subsystemVendor: 0, subsystemDevice: 0, class: 0 };
          const driver = { name: 'd', ids: table };
          expect(matchDevice(driver, dynamic, ids, 'other')).toBeUndefined();
          expect(matchDevice(driver, dynamic, ids, 'd')).toBeDefined();
        },
      ),
    );
  });

  test('[binding:38] a device that may not be bound yet matches nobody', async () => {
    const { devices, bind, probe, driverOf } = fixture();
    devices.b.bindingAllowed = false;
    expect(await bind('e1000e', B)).toBe(-19);
    expect(await probe(B)).toBe(12);
    expect(await driverOf(B)).toBeUndefined();
  });

  test('[binding:39] of two drivers that match the first registered wins, however specific the other is', async () => {
    const { pci, probe, driverOf } = fixture();
    const wide = { name: 'wide', ids: [{ vendor: 0x1b36 }], probe: () => 0 };
    const exact = { name: 'exact', ids: [{ vendor: 0x1b36, device: 0x0010 }], probe: () => 0 };
    // Both are there before the device is offered to either.
    pci.driversAutoprobe = false;
    for (const order of [
      [wide, exact],
      [exact, wide],
    ]) {
      for (const driver of order) pci.register(driver);
      expect(await probe(X)).toBe(12);
      expect(await driverOf(X)).toBe(order[0]!.name);
      for (const driver of order) await pci.unregister(driver);
    }
  });

  test.each([-5, -19, -517])(
    '[binding:40] a driver whose own probe fails (%i) makes room for the next',
    async (errno) => {
      const { pci, probe, driverOf } = fixture();
      pci.driversAutoprobe = false;
      pci.register({
        name: 'first',
        ids: [{ vendor: 0x1b36, device: 0x0010 }],
        probe: () => errno,
      });
      pci.register({ name: 'second', ids: [{ vendor: 0x1b36, device: 0x0010 }], probe: () => 0 });
      expect(await probe(X)).toBe(12);
      expect(await driverOf(X)).toBe('second');
    },
  );

  test('a driver that likes to be probed apart comes second for new devices, first come first served after that', async () => {
    const { pci, root, unbind, probe, driverOf } = fixture();
    const ids = [{ vendor: 0x8086, device: 0x9999 }];
    pci.register({ name: 'slow', ids, asyncProbe: true, probe: () => 0 });
    pci.register({ name: 'quick', ids, probe: () => 0 });
    await pci.add(nic('0000:06:00.0', root, { device: 0x9999 }));
    expect(await driverOf('0000:06:00.0')).toBe('quick');
    await unbind('quick', '0000:06:00.0');
    await probe('0000:06:00.0');
    expect(await driverOf('0000:06:00.0')).toBe('slow');
  });

  test('devices that are bound are not offered again', async () => {
    const { pci, driverOf } = fixture();
    pci.register({
      name: 'late',
      ids: [{ vendor: 0x8086 }, { class: 0x040300, classMask: 0xffffff }],
      probe: () => 0,
    });
    expect(await driverOf(A)).toBe('e1000e');
    expect(await driverOf(H)).toBe('snd_hda_intel');
    expect(await driverOf(B)).toBe('late');
  });
});
