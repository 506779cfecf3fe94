import { ApMask } from '@vfiokit/ap';
import { EventFd } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import {
  errnoOf,
  type Fixture,
  free,
  HARDWARE,
  Holder,
  type Mdev,
  record,
} from '../support/fixture.js';

const VFIO_AP = '/sys/bus/ap/drivers/vfio_ap';

/** A device that a machine holds, with a count of the events that tell of changes. */
function watched(m: Fixture, mdev: Mdev) {
  const holder = new Holder(m, mdev);
  const events = new EventFd();
  mdev.matrix.attachment.triggers[1] = events;
  const updates = holder.kvm.updates;
  return {
    kvm: holder.kvm,
    events: () => events.count,
    updates: () => holder.kvm.updates - updates,
    ids: () => [[...holder.kvm.masks.apm], [...holder.kvm.masks.aqm]],
  };
}

describe('while a guest runs', () => {
  it('[ap:133] an assignment reaches it in one update and one event', () => {
    const m = free();
    const mdev = m.assigned([5, 6], [4]);
    const guest = watched(m, mdev);
    mdev.write('assign_domain', '0xab');
    expect(guest.ids()).toEqual([
      [5, 6],
      [4, 0xab],
    ]);
    expect([guest.updates(), guest.events()]).toEqual([1, 1]);
  });

  it('[ap:134] what is unassigned is taken from it before the first reset', () => {
    const m = free();
    const mdev = m.assigned([5, 6], [4]);
    const guest = watched(m, mdev);
    const seen: unknown[] = [];
    m.hardware.fault = (instruction, apqn) => {
      if (instruction === 'ZAPQ') seen.push([apqn, ...guest.ids()]);
      return undefined;
    };
    mdev.write('unassign_adapter', '5');
    expect(seen).toEqual([[0x0504, [6], [4]]]);
  });

  it('[ap:135] unassigning waits until the queues are clean, or gone', () => {
    const m = free({ hardware: { ...HARDWARE, resetTime: 70 } });
    const mdev = m.assigned([5, 6], [4]);
    watched(m, mdev);
    m.clock.advance(100);
    const start = m.clock.now;
    mdev.write('unassign_adapter', '5');
    expect(m.clock.now - start).toBe(80);
    m.clock.after(30, () => m.hardware.removeAdapter(6));
    mdev.write('unassign_adapter', '6');
    expect(m.clock.now - start).toBe(80 + 40);
  });

  it('[ap:136] unassigning what the filter had left out changes nothing for it', () => {
    const m = free();
    m.shell.echo('06.0004', `${VFIO_AP}/unbind`);
    const mdev = m.assigned([5, 6], [4]);
    const guest = watched(m, mdev);
    mdev.write('unassign_adapter', '6');
    expect([guest.updates(), guest.events()]).toEqual([0, 0]);
  });

  it('[ap:137] an adapter that the host loses is taken from it, and cannot be reset', () => {
    const m = free();
    const mdev = m.assigned([5, 6], [4]);
    const guest = watched(m, mdev);
    m.hardware.removeAdapter(6);
    const { matrixDev } = m.vfioAp!;
    const resets = record(m, 'ZAPQ');
    m.writeBus('scans', '1');
    expect(guest.ids()).toEqual([[5], [4]]);
    expect([guest.updates(), guest.events()]).toEqual([1, 1]);
    // The bus itself tries once per queue that leaves its driver; vfio_ap does not.
    expect(resets).toEqual(['06.0004', '06.0047', '06.00ab']);
    expect(matrixDev.findQueue(0x0604)).toBeUndefined();
    expect(mdev.assigned).toEqual(['05.0004', '06.0004']);
  });

  it('[ap:138] an adapter that comes back reaches it when the scan is complete', () => {
    const m = free();
    const mdev = m.assigned([5, 6], [4, 0x47]);
    m.hardware.removeAdapter(6);
    m.writeBus('scans', '1');
    const guest = watched(m, mdev);
    m.hardware.addAdapter(6);
    const during: number[] = [];
    for (const _ of m.kernel.scanner.scan()) during.push(guest.updates());
    expect(during).toEqual([0, 0]);
    expect([guest.updates(), guest.events()]).toEqual([1, 1]);
    expect(guest.ids()).toEqual([
      [5, 6],
      [4, 0x47],
    ]);
  });

  it('[ap:139] an adapter and a domain that come together reach it together', () => {
    const m = free({ hardware: { adapters: [5], domains: [4], controlDomains: [] } });
    const mdev = m.assigned([5, 6], [4, 0x47]);
    const guest = watched(m, mdev);
    expect(guest.ids()).toEqual([[5], [4]]);
    m.hardware.addAdapter(6);
    m.hardware.configure({ aqm: ApMask.of(4, 0x47) });
    m.writeBus('scans', '1');
    expect(guest.ids()).toEqual([
      [5, 6],
      [4, 0x47],
    ]);
    expect([guest.updates(), guest.events()]).toEqual([1, 1]);
  });

  it('[ap:140] no mask can plug or unplug what is assigned', () => {
    const m = free();
    const mdev = m.assigned([5, 6], [4, 0x47]);
    const guest = watched(m, mdev);
    for (const [mask, text] of [
      ['apmask', '-0-255'],
      ['aqmask', '-4,-0x47'],
      ['aqmask', '-0-255'],
    ] as const)
      m.writeBus(mask, text);
    for (const [mask, text] of [
      ['apmask', '+5'],
      ['aqmask', '+4'],
      ['aqmask', '+0-255'],
    ] as const)
      expect(errnoOf(() => m.writeBus(mask, text))).toBe('EBUSY');
    expect([guest.updates(), guest.events()]).toEqual([0, 0]);
  });

  it('[ap:141] an adapter comes when the last of its queues is bound', () => {
    const m = free();
    m.shell.echo('06.0004', `${VFIO_AP}/unbind`);
    m.shell.echo('06.0047', `${VFIO_AP}/unbind`);
    const mdev = m.assigned([5, 6], [4, 0x47]);
    const guest = watched(m, mdev);
    m.shell.echo('06.0004', `${VFIO_AP}/bind`);
    expect(guest.ids()).toEqual([[5], [4, 0x47]]);
    m.shell.echo('06.0047', `${VFIO_AP}/bind`);
    expect(guest.ids()).toEqual([
      [5, 6],
      [4, 0x47],
    ]);
  });

  it('[ap:142] a control domain that the host gets changes just that', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    mdev.write('assign_control_domain', '9');
    const guest = watched(m, mdev);
    m.hardware.configure({ adm: ApMask.of(4, 9) });
    m.writeBus('scans', '1');
    expect([...guest.kvm.masks.adm]).toEqual([9]);
    expect(guest.ids()).toEqual([[5], [4]]);
    expect(guest.updates()).toBe(1);
  });

  it('unbinding one queue takes its adapter, and resets all of it', () => {
    const m = free();
    const mdev = m.assigned([5, 6], [4, 0x47]);
    const guest = watched(m, mdev);
    const zapped = record(m, 'ZAPQ');
    m.shell.echo('05.0004', `${VFIO_AP}/unbind`);
    expect(guest.ids()).toEqual([[6], [4, 0x47]]);
    expect(zapped).toEqual(['05.0004', '05.0047', '05.0004']);
  });

  it('an adapter that is too old is not passed, if a new domain tells', () => {
    const m = free({ hardware: { adapters: [5], domains: [4], controlDomains: [] } });
    const mdev = m.assigned([5, 6], [4, 0x47]);
    m.hardware.addAdapter(6, { type: 9 });
    m.hardware.configure({ aqm: ApMask.of(4, 0x47) });
    m.writeBus('scans', '1');
    expect(mdev.passed).toEqual(['05.0004', '05.0047']);
  });
});
