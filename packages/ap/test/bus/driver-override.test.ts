import { describe, expect, it } from 'vitest';
import { errnoOf, free, machine } from '../support/fixture.js';

const OVERRIDE = '/sys/bus/ap/devices/05.0004/driver_override';

/** 05.0004 bound to vfio_ap by its override, with full masks. */
function overridden() {
  const m = machine();
  m.shell.echo('vfio_ap\n', OVERRIDE);
  m.shell.echo('05.0004', '/sys/bus/ap/drivers/cex4queue/unbind');
  m.shell.echo('05.0004', '/sys/bus/ap/drivers_probe');
  return m;
}

describe('driver_override', () => {
  it('[ap:49] is refused while the masks are in use', () => {
    const m = free();
    expect(errnoOf(() => m.shell.echo('vfio_ap', OVERRIDE))).toBe('EINVAL');
    expect(m.shell.cat(OVERRIDE)).toBe('\n');
  });

  it('[ap:50] is stored, and binds nothing by itself', () => {
    const m = machine();
    m.shell.echo('vfio_ap\nand more', OVERRIDE);
    expect(m.shell.cat(OVERRIDE)).toBe('vfio_ap\n');
    expect(m.driverOf('05.0004')).toBe('cex4queue');
  });

  it('[ap:51] keeps the masks from being used', () => {
    const m = machine();
    m.shell.echo('vfio_ap', OVERRIDE);
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
    m.shell.echo('vfio_ap', OVERRIDE);
    m.shell.echo('\n', OVERRIDE);
    expect(m.shell.cat(OVERRIDE)).toBe('\n');
    m.writeBus('apmask', '-5');
    expect(m.driverOf('05.0004')).toBe('vfio_ap');
  });

  it('[ap:55] that names no driver of the queue leaves it without one', () => {
    const m = machine();
    m.shell.echo('nobody', OVERRIDE);
    m.shell.echo('05.0004', '/sys/bus/ap/drivers/cex4queue/unbind');
    m.shell.echo('05.0004', '/sys/bus/ap/drivers_probe');
    expect(m.driverOf('05.0004')).toBeUndefined();
    expect(errnoOf(() => m.shell.echo('05.0004', '/sys/bus/ap/drivers/vfio_ap/bind'))).toBe(
      'ENODEV',
    );
  });

  it('is shorter than a page', () => {
    const m = machine();
    expect(errnoOf(() => m.shell.echo('x'.repeat(4096), OVERRIDE))).toBe('EINVAL');
  });

  it('can be set after a kernel parameter has set a mask, until a write changes one', () => {
    const m = machine({ parameters: { apmask: '0x00' } });
    m.shell.echo('cex4queue', OVERRIDE);
    m.shell.echo('\n', OVERRIDE);
    m.writeBus('apmask', '+5');
    expect(errnoOf(() => m.shell.echo('cex4queue', OVERRIDE))).toBe('EINVAL');
  });

  it('goes with its queue, and does not keep the masks from being used for ever', () => {
    const m = machine();
    m.shell.echo('vfio_ap', OVERRIDE);
    m.hardware.removeAdapter(5);
    m.writeBus('scans', '1');
    m.writeBus('apmask', '-6');
    expect(m.driverOf('06.0004')).toBe('vfio_ap');
  });
});
