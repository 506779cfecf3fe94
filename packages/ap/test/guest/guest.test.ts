import { VFIO_AP_GENERATIONS } from '@vfiokit/ap';
import { describe, expect, it } from 'vitest';
import { errnoOf, free, HARDWARE, M1, M2, MATRIX, record, usable } from '../support/fixture.js';

describe('a guest', () => {
  it('[ap:182] has an AP bus only with the CPU feature for it', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const guest = m.startGuest({ name: 'g', cpu: { ap: false } });
    expect(errnoOf(() => guest.plug(mdev.instance.vfio))).toBe('ENODEV');
    expect(mdev.instance.vfio.openCount).toBe(0);
    expect(errnoOf(() => m.startGuest({ name: 'h', cpu: { ap: false, apqi: true } }))).toBe(
      'EINVAL',
    );
  });

  it('[ap:183] has one slot on it', () => {
    const m = free();
    const guest = m.guestWith(m.assigned([5], [4]));
    const second = m.assigned([6], [4], M2);
    expect(errnoOf(() => guest.plug(second.instance.vfio))).toBe('EBUSY');
    expect(usable(guest)).toEqual(['05.0004']);
  });

  it('[ap:184] gets the device from a kernel without eventfds as well, with warnings', () => {
    const [, generation] = VFIO_AP_GENERATIONS;
    const m = free({ vfioAp: { generation } });
    const guest = m.guestWith(m.assigned([5], [4]));
    expect(guest.device!.warnings).toHaveLength(2);
    expect(usable(guest)).toEqual(['05.0004']);
  });

  it('[ap:185] lets go of the device when the host asks, and the removal ends', async () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const guest = m.guestWith(mdev);
    await mdev.remove();
    expect(guest.device).toBeUndefined();
    expect(usable(guest)).toEqual([]);
    expect(m.shell.exists(`${MATRIX}/${M1}`)).toBe(false);
    expect(guest.process.fds.get(3)).toBeUndefined();
  });

  it('[ap:186] is told once of a change, and looks at its bus', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const guest = m.guestWith(mdev);
    guest.boot();
    const { configEvents } = guest;
    mdev.write('assign_domain', '0x47');
    expect(guest.configEvents).toBe(configEvents + 1);
    expect([...guest.linux!.bus.queues()].map(({ name }) => name)).toEqual(['05.0004']);
    m.clock.advance(0);
    expect([...guest.linux!.bus.queues()].map(({ name }) => name)).toEqual(['05.0004', '05.0047']);
  });

  it('[ap:186] fetches one event, of source 5 and content 3, for a change', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const { events } = m.guestWith(mdev);
    expect(events.store()).toBeUndefined();
    mdev.write('assign_domain', '0x47');
    expect(Buffer.from(events.store()!).toString('hex')).toBe('000c00010000000000000503');
    expect(events.store()).toBeUndefined();
  });

  it('[ap:187] cannot be moved to another host with the device', () => {
    const m = free();
    const guest = m.guestWith(m.assigned([5], [4]));
    expect(errnoOf(() => guest.migrate())).toBe('EPERM');
    expect(guest.state).toBe('running');
    guest.unplug();
    guest.migrate();
    expect(guest.state).toBe('gone');
  });

  it('[ap:188] keeps its queues over a reset, which cleans them', () => {
    const m = free();
    const guest = m.guestWith(m.assigned([5], [4]));
    guest.boot();
    m.hardware.nqap(0x0504, { id: 1, text: 'secret' });
    const zapped = record(m, 'ZAPQ');
    const masks = String(guest.kvm.masks.apm);
    guest.reboot();
    expect(zapped).toEqual(['05.0004']);
    expect(m.hardware.holdsSecrets(0x0504)).toBe(false);
    expect(String(guest.kvm.masks.apm)).toBe(masks);
    expect([...guest.linux!.bus.queues()].map(({ name }) => name)).toEqual(['05.0004']);
  });

  it('gets the device through its character device as well', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const guest = m.startGuest({ name: 'g' });
    guest.plug(mdev.instance.vfio, 'cdev');
    expect(usable(guest)).toEqual(['05.0004']);
    guest.unplug();
    expect(mdev.instance.vfio.openCount).toBe(0);
  });

  it('that fails to get a device leaves nothing open', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const first = m.guestWith(mdev);
    const second = m.startGuest({ name: 'g2' });
    expect(errnoOf(() => second.plug(mdev.instance.vfio))).toBe('EBUSY');
    expect(errnoOf(() => second.plug(mdev.instance.vfio, 'cdev'))).toBe('EBUSY');
    expect(second.process.fds.get(3)).toBeUndefined();
    first.exit();
    second.plug(mdev.instance.vfio);
    expect(usable(second)).toEqual(['05.0004']);
  });

  it('that ends, however, gives clean queues back', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const guest = m.guestWith(mdev);
    guest.boot();
    m.hardware.nqap(0x0504, { id: 1, text: 'secret' });
    guest.exit();
    expect(mdev.instance.vfio.openCount).toBe(0);
    expect(m.hardware.holdsSecrets(0x0504)).toBe(false);
    expect(guest.kvm.references).toBe(0);
    expect(m.guests.size).toBe(0);
  });

  it('that halts keeps what it has', () => {
    const m = free();
    const guest = m.guestWith(m.assigned([5], [4]));
    guest.boot();
    guest.halt();
    expect(guest.state).toBe('halted');
    expect(usable(guest)).toEqual(['05.0004']);
    expect(m.shell.cat(m.device('05.0004', 'status'))).toBe('in use\n');
  });
});

describe('Linux in a guest', () => {
  it('finds its queues, resets them, and has their interrupts', () => {
    const m = free({ hardware: { ...HARDWARE, serviceTime: 10 } });
    const guest = m.guestWith(m.assigned([5], [4, 0x47]));
    const reset = record(m, 'RAPQ');
    guest.boot();
    const { bus } = guest.linux!;
    expect([...bus.queues()].map(({ name, driver }) => [name, driver?.name])).toEqual([
      ['05.0004', 'cex4queue'],
      ['05.0047', 'cex4queue'],
    ]);
    expect(reset).toEqual(['05.0004', '05.0047']);
    expect(guest.device!.device.pins.total).toBe(2);
    const results: (string | number)[] = [];
    bus.queue(0x0504)!.enqueue({ text: 'rsa', done: (result) => results.push(result) });
    m.clock.advance(10);
    expect(results).toEqual(['rsa']);
    expect(m.hardware.hostInterrupts).toBe(0);
  });

  it.each([
    ['QCI', { apqci: false }, ['05.0004']],
    ['interrupts', { apqi: false }, ['05.0004']],
    ['the facilities test, without which it knows no adapter', { apft: false }, []],
  ])('does without %s', (_, cpu, queues) => {
    const m = free();
    const guest = m.guestWith(m.assigned([5], [4]), { cpu });
    guest.boot();
    expect([...guest.linux!.bus.queues()].map(({ name }) => name)).toEqual(queues);
  });

  it('sees an adapter go that its host loses', () => {
    const m = free();
    const guest = m.guestWith(m.assigned([5, 6], [4]));
    guest.boot();
    m.hardware.removeAdapter(6);
    m.writeBus('scans', '1');
    m.clock.advance(0);
    expect([...guest.linux!.bus.cards.keys()]).toEqual([5]);
  });

  it('sees an adapter in standby', () => {
    const m = free();
    const guest = m.guestWith(m.assigned([5], [4]));
    guest.boot();
    m.hardware.setState(5, 'standby');
    guest.linux!.scanner.force();
    expect(guest.linux!.bus.cards.get(5)!.config).toBe(false);
    expect(guest.linux!.bus.queue(0x0504)!.deviceState).toBe('ERROR');
  });
});
