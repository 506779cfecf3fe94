import { describe, expect, it } from 'vitest';
import {
  errnoOf,
  Fixture,
  free,
  HARDWARE,
  Holder,
  M1,
  M2,
  MATRIX,
  machine,
  record,
  TYPE,
} from '../support/fixture.js';

describe('the matrix device', () => {
  it('[ap:67] has room for 65536 mediated devices', () => {
    const m = machine();
    const available = () => m.sysfs.read(`${TYPE}/available_instances`);
    expect(available()).toBe('65536\n');
    const mdev = m.create();
    expect(available()).toBe('65535\n');
    mdev.write('remove', '1');
    expect(available()).toBe('65536\n');
  });

  it('[ap:71] says EUSERS when there is no room left', () => {
    const m = machine();
    const [type] = m.vfioAp!.parent.types;
    for (let n = 0; n < 65_536; n++)
      type!.create(`00000000-0000-0000-0000-${n.toString(16).padStart(12, '0')}`);
    expect(errnoOf(() => m.create())).toBe('EUSERS');
  });

  it('[ap:73] has one type', () => {
    const m = machine();
    expect(m.sysfs.list(`${MATRIX}/mdev_supported_types`)).toEqual(['vfio_ap-passthrough']);
    expect(m.sysfs.read(`${TYPE}/device_api`)).toBe('vfio-ap\n');
    expect(m.sysfs.read(`${TYPE}/name`)).toBe('VFIO AP Passthrough Device\n');
  });

  it('[ap:74] tells its features', () => {
    expect(machine().sysfs.read(`${MATRIX}/features`)).toBe('guest_matrix hotplug ap_config\n');
  });

  it('[ap:72] makes no device while it goes away', () => {
    const m = free();
    const holder = new Holder(m, m.create());
    let gone = false;
    m.vfioAp!.parent.unregister(() => {
      gone = true;
    });
    expect(errnoOf(() => m.create(M2))).toBe('ENODEV');
    expect(gone).toBe(false);
    holder.close();
    expect(gone).toBe(true);
  });

  it('[ap:79] is not there on a machine without AP instructions', () => {
    const m = new Fixture({ hardware: HARDWARE, vfioAp: { apInstructions: false } }, false);
    expect(errnoOf(() => m.loadVfioAp())).toBe('ENODEV');
    expect(m.sysfs.exists(MATRIX)).toBe(false);
  });
});

describe('create', () => {
  it.each([
    ['35 characters', M1.slice(0, 35)],
    ['38 characters', `${M1}\n\n`],
    ['a dash in the wrong place', '1111111-11111-1111-1111-111111111111'],
    ['a character that is no hex digit', `${M1.slice(0, 35)}g`],
  ])('[ap:68] refuses %s', (_, text) => {
    const m = machine();
    expect(errnoOf(() => m.sysfs.write(`${TYPE}/create`, text))).toBe('EINVAL');
    expect(m.sysfs.list(`${TYPE}/devices`)).toEqual([]);
  });

  it.each([M1, `${M1}\n`, `${M1}x`])('[ap:69] takes 36 characters and one more: %j', (text) => {
    const m = machine();
    m.sysfs.write(`${TYPE}/create`, text);
    expect(m.sysfs.list(`${TYPE}/devices`)).toEqual([M1]);
  });

  it('[ap:69] makes a directory in lower case', () => {
    const m = machine();
    m.sysfs.write(`${TYPE}/create`, 'ABCDEF00-1111-1111-1111-111111111111');
    const uuid = 'abcdef00-1111-1111-1111-111111111111';
    expect(m.sysfs.list(`${MATRIX}/${uuid}`)).toContain('assign_adapter');
    expect(m.sysfs.readLink(`${MATRIX}/${uuid}/mdev_type`)).toBe(TYPE);
    expect(m.sysfs.list('/sys/bus/mdev/devices')).toEqual([uuid]);
  });

  it('[ap:70] refuses a UUID that there is', () => {
    const m = machine();
    m.create();
    expect(errnoOf(() => m.create(M1.toUpperCase()))).toBe('EEXIST');
  });
});

describe('remove', () => {
  it('[ap:75] takes a number', () => {
    const m = machine();
    const mdev = m.create();
    mdev.write('remove', '0');
    expect(errnoOf(() => mdev.write('remove', 'x'))).toBe('EINVAL');
    expect(m.sysfs.exists(`${MATRIX}/${M1}`)).toBe(true);
    mdev.write('remove', '1\n');
    expect(m.sysfs.exists(`${MATRIX}/${M1}`)).toBe(false);
  });

  it('[ap:76] of an idle device leaves its queues clean and unassigned', () => {
    const m = free();
    const mdev = m.assigned([5], [4, 0x47]);
    const zapped = record(m, 'ZAPQ');
    mdev.write('remove', '1');
    expect(zapped).toEqual(['05.0004', '05.0047']);
    expect(m.sysfs.read(m.device('05.0004', 'status'))).toBe('unassigned\n');
    expect(m.driverOf('05.0004')).toBe('vfio_ap');
  });

  it('[ap:77] of an open device asks at once and every ten seconds, until it is closed', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const holder = new Holder(m, mdev);
    const asked: number[] = [];
    const { matrix } = mdev;
    matrix.request = (count) => void asked.push(count);
    mdev.write('remove', '1');
    m.clock.advance(25_000);
    expect(asked).toEqual([0, 1, 2]);
    expect(m.sysfs.exists(`${MATRIX}/${M1}`)).toBe(true);
    expect(errnoOf(() => mdev.write('remove', '1'))).toBe('EAGAIN');
    holder.close();
    expect(m.sysfs.exists(`${MATRIX}/${M1}`)).toBe(false);
    m.clock.advance(25_000);
    expect(asked).toEqual([0, 1, 2]);
  });

  it('[ap:78] of an open device takes the guest’s queues away at the first request', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const holder = new Holder(m, mdev);
    expect([...holder.kvm.masks.apm]).toEqual([5]);
    mdev.write('remove', '1');
    expect(holder.kvm.crycb.every((byte) => byte === 0)).toBe(true);
    expect(mdev.passed).toEqual(['05.0004']);
  });

  it('lets nobody open the device that it waits for', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    new Holder(m, mdev);
    mdev.write('remove', '1');
    expect(errnoOf(() => mdev.instance.vfio.openCdev())).toBe('ENODEV');
  });
});

describe('the module', () => {
  it('cannot be unloaded while a device is open', () => {
    const m = free();
    const holder = new Holder(m, m.assigned([5], [4]));
    expect(errnoOf(() => m.unloadVfioAp())).toBe('EBUSY');
    holder.close();
    m.unloadVfioAp();
    expect(m.sysfs.exists(MATRIX)).toBe(false);
    expect(m.readBus('bindings')).toBe('0/6\n');
  });

  it('finds its queues again when it is loaded anew', () => {
    const m = free();
    m.unloadVfioAp();
    m.loadVfioAp();
    expect(m.boundTo('vfio_ap')).toHaveLength(6);
    expect(errnoOf(() => m.loadVfioAp())).toBe('EEXIST');
  });
});
