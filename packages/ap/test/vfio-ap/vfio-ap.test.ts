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
    const available = () => m.shell.cat(`${TYPE}/available_instances`);
    expect(available()).toBe('65536\n');
    const mdev = m.create();
    expect(available()).toBe('65535\n');
    mdev.write('remove', '1');
    expect(available()).toBe('65536\n');
  });

  it('[ap:71] says EUSERS when there is no room left', () => {
    const m = machine({ vfioAp: { instances: 1 } });
    m.create();
    expect(m.shell.cat(`${TYPE}/available_instances`)).toBe('0\n');
    expect(errnoOf(() => m.create(M2))).toBe('EUSERS');
  });

  it('[ap:73] has one type', () => {
    const m = machine();
    expect(m.shell.ls(`${MATRIX}/mdev_supported_types`)).toEqual(['vfio_ap-passthrough']);
    expect(m.shell.cat(`${TYPE}/device_api`)).toBe('vfio-ap\n');
    expect(m.shell.cat(`${TYPE}/name`)).toBe('VFIO AP Passthrough Device\n');
  });

  it('[ap:74] tells its features', () => {
    expect(machine().shell.cat(`${MATRIX}/features`)).toBe('guest_matrix hotplug ap_config\n');
  });

  it('[ap:72] makes no device while it goes away', async () => {
    const m = free();
    const holder = new Holder(m, m.create());
    const gone = m.vfioAp!.parent.unregister();
    expect(errnoOf(() => m.vfioAp!.create(M2))).toBe('ENODEV');
    holder.close();
    await gone;
    expect(m.shell.exists(TYPE)).toBe(false);
  });

  it('[ap:79] is not there on a machine without AP instructions', () => {
    const m = new Fixture({ hardware: HARDWARE, vfioAp: { apInstructions: false } }, false);
    expect(errnoOf(() => m.loadVfioAp())).toBe('ENODEV');
    expect(m.shell.exists(MATRIX)).toBe(false);
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
    expect(errnoOf(() => m.shell.echo(text, `${TYPE}/create`))).toBe('EINVAL');
    expect(m.shell.ls(`${TYPE}/devices`)).toEqual([]);
  });

  it.each([M1, `${M1}\n`, `${M1}x`])('[ap:69] takes 36 characters and one more: %j', (text) => {
    const m = machine();
    m.shell.echo(text, `${TYPE}/create`);
    expect(m.shell.ls(`${TYPE}/devices`)).toEqual([M1]);
  });

  it('[ap:69] makes a directory in lower case', () => {
    const m = machine();
    m.shell.echo('ABCDEF00-1111-1111-1111-111111111111', `${TYPE}/create`);
    const uuid = 'abcdef00-1111-1111-1111-111111111111';
    expect(m.shell.ls(`${MATRIX}/${uuid}`)).toContain('assign_adapter');
    expect(m.shell.readlink(`${MATRIX}/${uuid}/mdev_type`)).toBe(TYPE);
    expect(m.shell.ls('/sys/bus/mdev/devices')).toEqual([uuid]);
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
    expect(m.shell.exists(`${MATRIX}/${M1}`)).toBe(true);
    mdev.write('remove', '1\n');
    expect(m.shell.exists(`${MATRIX}/${M1}`)).toBe(false);
  });

  it('[ap:76] of an idle device leaves its queues clean and unassigned', () => {
    const m = free();
    const mdev = m.assigned([5], [4, 0x47]);
    const zapped = record(m, 'ZAPQ');
    mdev.write('remove', '1');
    expect(zapped).toEqual(['05.0004', '05.0047']);
    expect(m.shell.cat(m.device('05.0004', 'status'))).toBe('unassigned\n');
    expect(m.driverOf('05.0004')).toBe('vfio_ap');
  });

  it('[ap:77] of an open device asks at once and every ten seconds, until it is closed', async () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const holder = new Holder(m, mdev);
    const asked: number[] = [];
    mdev.matrix.attachment.request = (count) => void asked.push(count);
    const removal = mdev.remove();
    expect(removal).toBeInstanceOf(Promise);
    m.clock.advance(25_000);
    expect(asked).toEqual([0, 1, 2]);
    expect(m.shell.exists(`${MATRIX}/${M1}`)).toBe(true);
    mdev.write('remove', '1');
    expect(m.shell.exists(`${MATRIX}/${M1}`)).toBe(true);
    holder.close();
    await removal;
    expect(m.shell.exists(`${MATRIX}/${M1}`)).toBe(false);
    m.clock.advance(25_000);
    expect(asked).toEqual([0, 1, 2]);
  });

  it('[ap:78] of an open device takes the guest’s queues away at the first request', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const holder = new Holder(m, mdev);
    expect([...holder.kvm.masks.apm]).toEqual([5]);
    void mdev.remove();
    expect(holder.kvm.crycb.every((byte) => byte === 0)).toBe(true);
    expect([...mdev.matrix.shadow.apm]).toEqual([5]);
  });

  it('lets nobody open the device that it waits for, nor change it', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const holder = new Holder(m, mdev);
    holder.openAgain().close();
    void mdev.remove();
    expect(errnoOf(() => holder.openAgain())).toBe('ENODEV');
    expect(errnoOf(() => mdev.write('assign_domain', '0x47'))).toBe('ENODEV');
  });
});

describe('the module', () => {
  it('cannot be unloaded while a device is open', () => {
    const m = free();
    const holder = new Holder(m, m.assigned([5], [4]));
    expect(errnoOf(() => m.unloadVfioAp())).toBe('EBUSY');
    holder.close();
    m.unloadVfioAp();
    expect(m.shell.exists(MATRIX)).toBe(false);
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
