import { describe, expect, it } from 'vitest';
import { ALL_QUEUES, errnoOf, Fixture, free, HARDWARE, machine } from '../support/fixture.js';

const ONES = `0x${'f'.repeat(64)}\n`;

describe('apmask and aqmask', () => {
  it('[ap:1] are full at the start', () => {
    const m = machine();
    expect(m.readBus('apmask')).toBe(ONES);
    expect(m.readBus('aqmask')).toBe(ONES);
  });

  it('[ap:4] read back what changes have made of them', () => {
    const m = machine();
    m.writeBus('apmask', '-5,-6');
    expect(m.readBus('apmask')).toBe(`0xf9${'f'.repeat(62)}\n`);
  });

  it('[ap:19] stay as they are when a write fails, with bindings and uevents', () => {
    const m = free();
    const before = [m.readBus('apmask'), m.core.uevents.events.length, m.boundTo('vfio_ap')];
    expect(errnoOf(() => m.writeBus('apmask', '+5,+256'))).toBe('EINVAL');
    expect([m.readBus('apmask'), m.core.uevents.events.length, m.boundTo('vfio_ap')]).toEqual(
      before,
    );
  });

  it('[ap:20] do nothing when their current value is written', () => {
    const m = free();
    m.assigned([5], [4]);
    const before = m.core.uevents.events.length;
    const warnings = m.dmesg().length;
    m.writeBus('apmask', m.readBus('apmask'));
    expect(m.core.uevents.events).toHaveLength(before);
    expect(m.dmesg()).toHaveLength(warnings);
  });

  it.each([
    ['apmask', 'APMASK'],
    ['aqmask', 'AQMASK'],
  ])('[ap:21] announce a change of %s once on the root device', (mask, variable) => {
    const m = machine();
    m.writeBus(mask, '-4');
    const changes = m.uevents().filter(({ env }) => variable in env);
    expect(changes).toEqual([
      { action: 'change', device: 'ap', env: { [variable]: `0xf7${'f'.repeat(62)}` } },
    ]);
  });

  it.each(['\n', '0x'])('[ap:16] are emptied by %j, which nobody can veto', (text) => {
    const m = free();
    m.assigned([5], [4]);
    m.writeBus('apmask', text);
    expect(m.readBus('apmask')).toBe(`0x${'0'.repeat(64)}\n`);
  });

  it('[ap:22] come from the kernel parameters, where given', () => {
    const m = new Fixture({ hardware: HARDWARE, parameters: { apmask: '0xffff', aqmask: '0x40' } });
    expect(m.kernel.bus.perms.reserves((15 << 8) | 1)).toBe(true);
    expect(m.kernel.bus.perms.reserves((16 << 8) | 1)).toBe(false);
    expect(m.kernel.bus.perms.reserves(15 << 8)).toBe(false);
  });

  it('take no write of no bytes', () => {
    const m = machine();
    m.writeBus('apmask', '');
    expect(m.readBus('apmask')).toBe(ONES);
  });
});

describe('the partition', () => {
  it('[ap:23] gives everything to the host at the start', () => {
    const m = machine();
    expect(m.boundTo('cex4queue')).toEqual(ALL_QUEUES);
    expect(m.boundTo('vfio_ap')).toEqual([]);
  });

  it('[ap:24] moves queues that are no longer reserved, and no card', () => {
    const m = free();
    expect(m.boundTo('vfio_ap')).toEqual(ALL_QUEUES);
    expect([m.driverOf('card05'), m.driverOf('card06')]).toEqual(['cex4card', 'cex4card']);
  });

  it('[ap:25] moves a domain of every adapter', () => {
    const m = machine();
    m.writeBus('aqmask', '-4');
    expect(m.boundTo('vfio_ap')).toEqual(['05.0004', '06.0004']);
  });

  it('[ap:26] reserves a queue by both bits only', () => {
    const m = machine();
    m.writeBus('apmask', '-5');
    expect(m.boundTo('vfio_ap')).toEqual(['05.0004', '05.0047', '05.00ab']);
  });

  it('[ap:27] keeps a reserved queue from vfio_ap', () => {
    const m = machine();
    m.shell.echo('05.0004', '/sys/bus/ap/drivers/cex4queue/unbind');
    expect(errnoOf(() => m.shell.echo('05.0004', '/sys/bus/ap/drivers/vfio_ap/bind'))).toBe(
      'ENODEV',
    );
    expect(m.driverOf('05.0004')).toBeUndefined();
  });

  it('[ap:28] keeps any other queue from the host', () => {
    const m = free();
    m.shell.echo('05.0004', '/sys/bus/ap/drivers/vfio_ap/unbind');
    expect(errnoOf(() => m.shell.echo('05.0004', '/sys/bus/ap/drivers/cex4queue/bind'))).toBe(
      'ENODEV',
    );
  });

  it('[ap:29] does not keep anybody from unbinding a queue that a guest uses', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    m.guestWith(mdev);
    m.shell.echo('05.0004\n', '/sys/bus/ap/drivers/vfio_ap/unbind');
    expect(m.driverOf('05.0004')).toBeUndefined();
    expect(mdev.passed).toEqual(['.0004']);
  });

  it('[ap:30] leaves queues without a driver while vfio_ap is not loaded', () => {
    const m = new Fixture({ hardware: HARDWARE }, false);
    m.writeBus('apmask', '-5,-6');
    expect(m.readBus('bindings')).toBe('0/6\n');
  });

  it('[ap:31] is complete when vfio_ap comes, and says so', () => {
    const m = new Fixture({ hardware: HARDWARE }, false);
    m.writeBus('apmask', '-5,-6');
    const before = m.kernel.bus.completions;
    m.loadVfioAp();
    expect(m.readBus('bindings')).toBe('6/6 (complete)\n');
    expect(m.uevents().findLast(({ device }) => device === 'ap')).toEqual({
      action: 'change',
      device: 'ap',
      env: { BINDINGS: 'complete', COMPLETECOUNT: String(before + 1) },
    });
    expect(m.readBus('bindings_complete_count')).toBe(`${before + 1}\n`);
  });

  it('[ap:34] zeroizes a queue once more after its driver has let go', () => {
    const m = free();
    const zapped: string[] = [];
    m.hardware.fault = (instruction, apqn) => {
      if (instruction === 'ZAPQ' && apqn === 0x0504)
        zapped.push(m.vfioAp!.matrixDev.findQueue(apqn) ? 'vfio_ap' : 'bus');
      return undefined;
    };
    m.writeBus('apmask', '+5');
    expect(zapped).toEqual(['vfio_ap', 'bus']);
  });

  it('[ap:35] gives requests of host programs back when their queue is taken away', () => {
    const m = machine({ hardware: { ...HARDWARE, serviceTime: 50 } });
    const results: (string | number)[] = [];
    const queue = m.kernel.bus.queue(0x0504)!;
    queue.enqueue({ text: 'rsa', done: (result) => results.push(result) });
    expect(queue.counts).toEqual({ requestq: 0, pendingq: 1 });
    m.writeBus('aqmask', '-4');
    expect(results).toEqual([-11]);
  });
});

describe('a request of a host program', () => {
  it('is answered when the adapter has it', () => {
    const m = machine({ hardware: { ...HARDWARE, serviceTime: 50 } });
    const results: (string | number)[] = [];
    m.kernel.bus.queue(0x0504)!.enqueue({ text: 'rsa', done: (result) => results.push(result) });
    m.clock.advance(49);
    expect(results).toEqual([]);
    m.clock.advance(2);
    expect(results).toEqual(['rsa']);
  });

  it('is answered without interrupts as well', () => {
    const m = machine({ hardware: { ...HARDWARE, serviceTime: 5 }, parameters: { useirq: false } });
    const results: (string | number)[] = [];
    m.kernel.bus.queue(0x0504)!.enqueue({ text: 'rsa', done: (result) => results.push(result) });
    m.clock.advance(10);
    expect(results).toEqual(['rsa']);
    expect(m.readBus('ap_interrupts')).toBe('0\n');
  });

  it('waits while the queue is full', () => {
    const hardware = { ...HARDWARE, adapters: { 5: { depth: 2 } }, serviceTime: 5 };
    const m = machine({ hardware });
    const results: (string | number)[] = [];
    const queue = m.kernel.bus.queue(0x0504)!;
    for (const text of ['a', 'b', 'c'])
      queue.enqueue({ text, done: (result) => results.push(result) });
    expect(queue.counts).toEqual({ requestq: 1, pendingq: 2 });
    m.clock.advance(20);
    expect(results).toEqual(['a', 'b', 'c']);
  });
});

describe('an adapter type', () => {
  it('[ap:32] before CEX4 gets no device', () => {
    const m = machine({ hardware: { ...HARDWARE, adapters: { 5: { type: 9 }, 6: {} } } });
    expect(m.kernel.bus.devices.get('card05')).toBeUndefined();
    expect(m.boundTo('cex4queue')).toHaveLength(3);
  });

  it('[ap:33] that is too new is taken for what it is compatible with', () => {
    const adapters = { 5: { type: 15, compatibleType: 14 }, 6: { type: 16 } };
    const m = machine({ hardware: { ...HARDWARE, adapters } });
    expect(m.shell.cat(m.device('card05', 'hwtype'))).toBe('14\n');
    expect(m.shell.cat(m.device('card05', 'raw_hwtype'))).toBe('15\n');
    expect(m.kernel.bus.devices.get('card06')).toBeUndefined();
  });
});
