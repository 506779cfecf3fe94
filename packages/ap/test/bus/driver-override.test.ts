import { describe, expect, it } from 'vitest';
import { errnoOf, free, machine } from '../support/fixture.js';

const OVERRIDE = '/sys/bus/ap/devices/05.0004/driver_override';

/** 05.0004 bound to vfio_ap by its override, with full masks. */
function overridden() {
  const m = machine();
  m.sysfs.write(OVERRIDE, 'vfio_ap\n');
  m.sysfs.write('/sys/bus/ap/drivers/cex4queue/unbind', '05.0004');
  m.sysfs.write('/sys/bus/ap/drivers_probe', '05.0004');
  return m;
}

describe('driver_override', () => {
  it('[ap:49] is refused while the masks are in use', () => {
    const m = free();
    expect(errnoOf(() => m.sysfs.write(OVERRIDE, 'vfio_ap'))).toBe('EINVAL');
    expect(m.sysfs.read(OVERRIDE)).toBe('\n');
  });

  it('[ap:50] is stored, and binds nothing by itself', () => {
    const m = machine();
    m.sysfs.write(OVERRIDE, 'vfio_ap\nand more');
    expect(m.sysfs.read(OVERRIDE)).toBe('vfio_ap\n');
    expect(m.driverOf('05.0004')).toBe('cex4queue');
  });

  it('[ap:51] keeps the masks from being used', () => {
    const m = machine();
    m.sysfs.write(OVERRIDE, 'vfio_ap');
    expect(errnoOf(() => m.writeBus('apmask', '-6'))).toBe('EINVAL');
    expect(errnoOf(() => m.writeBus('aqmask', '+0-255'))).toBe('EINVAL');
  });

  it('[ap:52] decides at the next probe', () => {
    expect(overridden().driverOf('05.0004')).toBe('vfio_ap');
  });

  it('[ap:53] makes its queue assignable, and no other', () => {
    const m = overridden();
    const mdev = m.assigned([5], [4]);
    expect(mdev.assigned).toEqual(['05.0004']);
    expect(errnoOf(() => mdev.write('assign_domain', '0x47'))).toBe('EADDRNOTAVAIL');
  });

  it('[ap:54] ends with an empty line, and masks can be used again', () => {
    const m = machine();
    m.sysfs.write(OVERRIDE, 'vfio_ap');
    m.sysfs.write(OVERRIDE, '\n');
    expect(m.sysfs.read(OVERRIDE)).toBe('\n');
    m.writeBus('apmask', '-5');
    expect(m.driverOf('05.0004')).toBe('vfio_ap');
  });

  it('[ap:55] that names no driver of the queue leaves it without one', () => {
    const m = machine();
    m.sysfs.write(OVERRIDE, 'nobody');
    m.sysfs.write('/sys/bus/ap/drivers/cex4queue/unbind', '05.0004');
    m.sysfs.write('/sys/bus/ap/drivers_probe', '05.0004');
    expect(m.driverOf('05.0004')).toBeUndefined();
    expect(errnoOf(() => m.sysfs.write('/sys/bus/ap/drivers/vfio_ap/bind', '05.0004'))).toBe(
      'ENODEV',
    );
  });

  it('is shorter than a page', () => {
    const m = machine();
    expect(errnoOf(() => m.sysfs.write(OVERRIDE, 'x'.repeat(4096)))).toBe('EINVAL');
  });

  it('can be set after a kernel parameter has set a mask, until a write changes one', () => {
    const m = machine({ parameters: { apmask: '0x00' } });
    m.sysfs.write(OVERRIDE, 'cex4queue');
    m.sysfs.write(OVERRIDE, '\n');
    m.writeBus('apmask', '+5');
    expect(errnoOf(() => m.sysfs.write(OVERRIDE, 'cex4queue'))).toBe('EINVAL');
  });

  it('goes with its queue, and does not keep the masks from being used for ever', () => {
    const m = machine();
    m.sysfs.write(OVERRIDE, 'vfio_ap');
    m.hardware.removeAdapter(5);
    m.writeBus('scans', '1');
    m.writeBus('apmask', '-6');
    expect(m.driverOf('06.0004')).toBe('vfio_ap');
  });
});
