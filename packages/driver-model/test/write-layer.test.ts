import { describe, expect, test } from 'vitest';
import { A, fixture } from './fixture.js';

const DRIVERS = '/sys/bus/pci/drivers';
const DEVICES = '/sys/bus/pci/devices';

describe('what a write to sysfs is', () => {
  test('[binding:1] a write-only file cannot be opened for reading, even by root', () => {
    const { sysfs } = fixture();
    expect(sysfs.open(`${DRIVERS}/vfio-pci/new_id`, { read: true })).toBe(-13);
  });

  test('[binding:2] a read-only file cannot be opened for writing, even by root', () => {
    const { sysfs } = fixture();
    expect(sysfs.open(`${DEVICES}/${A}/vendor`, { write: true })).toBe(-13);
  });

  test('[binding:3] read and write together need both permissions', () => {
    const { sysfs } = fixture();
    expect(sysfs.open(`${DRIVERS}/e1000e/bind`, { read: true, write: true })).toBe(-13);
    expect(sysfs.open(`${DRIVERS}/e1000e/bind`, { write: true })).toBeTypeOf('object');
  });

  test('[binding:4 binding:5] an absent file is ENOENT, or EACCES to those who would create it', () => {
    const { sysfs } = fixture();
    expect(sysfs.open(`${DRIVERS}/e1000e/bindx`, { write: true })).toBe(-2);
    expect(sysfs.open(`${DRIVERS}/e1000e/bindx`, { write: true, create: true })).toBe(-13);
  });

  test('[binding:6] a write of no bytes does nothing', async () => {
    const { override, read } = fixture();
    await override(A, 'x');
    expect(await override(A, '')).toBe(0);
    expect(await read(`devices/${A}/driver_override`)).toBe('x\n');
  });

  test('[binding:7] a long write is one store of a page', async () => {
    const { override, read } = fixture();
    expect(await override(A, 'a'.repeat(5000))).toBe(-22);
    expect(await read(`devices/${A}/driver_override`)).toBe('(null)\n');
    const { write } = fixture();
    expect(await write('drivers_autoprobe', '0'.repeat(5000))).toBe(4096);
  });

  test('[binding:8 binding:9] every write on a descriptor is complete in itself, wherever the position is', async () => {
    const { sysfs, read } = fixture();
    const file = sysfs.open(`${DEVICES}/${A}/driver_override`, { write: true });
    if (typeof file === 'number') throw new Error('not opened');
    await file.write('vfio-');
    await file.write('pci');
    expect(await read(`devices/${A}/driver_override`)).toBe('pci\n');
  });

  test('[binding:10] a descriptor outlives its device and answers ENODEV', async () => {
    const { sysfs, write } = fixture();
    const file = sysfs.open(`${DEVICES}/${A}/driver_override`, { write: true });
    if (typeof file === 'number') throw new Error('not opened');
    await write(`devices/${A}/remove`, '1');
    expect(await file.write('vfio-pci')).toBe(-19);
  });

  test('links lead where sysfs leads them', async () => {
    const { sysfs } = fixture();
    expect(await sysfs.readLink(`${DEVICES}/${A}`)).toBe(`../../../devices/pci0000:00/${A}`);
    expect(await sysfs.readLink(`${DEVICES}/${A}/driver`)).toBe('../../../bus/pci/drivers/e1000e');
    expect(await sysfs.readLink(`${DEVICES}/${A}/vendor`)).toBe(-22);
    expect(await sysfs.readLink('/sys/module/vfio_pci/drivers/pci:vfio-pci')).toBe(
      '../../../bus/pci/drivers/vfio-pci',
    );
  });

  test('what is no directory cannot be listed, and what is one cannot be read', async () => {
    const { sysfs } = fixture();
    expect(await sysfs.list(`${DEVICES}/${A}/vendor`)).toBe(-20);
    expect(await sysfs.read(`${DEVICES}/${A}`)).toBe(-21);
    expect(await sysfs.list('/sys/nowhere')).toBe(-2);
    expect(await sysfs.list(DRIVERS)).toContain('vfio-pci');
  });
});
