import {
  ApHardware,
  ApMask,
  type ApQueueDriver,
  ApSubsystem,
  finish,
  KernelClock,
} from '@vfiokit/ap';
import { DriverCore } from '@vfiokit/driver-model';
import { describe, expect, it } from 'vitest';
import { ALL_QUEUES, bystander, errnoOf, free, HARDWARE, machine } from '../support/fixture.js';

/** A driver that writes down what the bus tells it of its configuration. */
function listener(log: string[]): ApQueueDriver {
  return bystander({
    onConfigChanged: () => log.push('changed'),
    onScanComplete: () => log.push('complete'),
  });
}

/** A kernel that has not scanned yet. */
function booting(): ApSubsystem {
  const clock = new KernelClock();
  const ap = new ApHardware(HARDWARE, clock);
  return new ApSubsystem({ core: new DriverCore(clock), ap, clock });
}

describe('a scan', () => {
  it('[ap:56] takes the queues of an adapter that is gone away, then the card', () => {
    const m = machine();
    m.hardware.removeAdapter(6);
    m.writeBus('scans', '1');
    const removed = m.uevents().filter(({ action }) => action === 'remove');
    expect(removed.map(({ device }) => device)).toEqual([
      '06.0004',
      '06.0047',
      '06.00ab',
      'card06',
    ]);
    expect([...m.kernel.bus.queues()].map(({ name }) => name)).toEqual(ALL_QUEUES.slice(0, 3));
  });

  it('takes the queues of a domain that is gone away', () => {
    const m = machine();
    m.hardware.configure({ aqm: ApMask.of(4) });
    m.writeBus('scans', '1');
    expect([...m.kernel.bus.queues()].map(({ name }) => name)).toEqual(['05.0004', '06.0004']);
  });

  it('[ap:57] reports no change the first time', () => {
    const log: string[] = [];
    const kernel = booting();
    kernel.bus.register(listener(log));
    kernel.start();
    expect(kernel.bus.scans).toBe(1);
    expect(log).toEqual([]);
  });

  it('[ap:58] reports no change where there is none', () => {
    const log: string[] = [];
    const m = machine();
    m.kernel.bus.register(listener(log));
    m.writeBus('scans', '1');
    expect(log).toEqual([]);
  });

  it('[ap:59] reports a change before and after the devices follow', () => {
    const log: string[] = [];
    const m = machine();
    m.kernel.bus.register(listener(log));
    m.hardware.addAdapter(7);
    for (const step of m.kernel.scanner.scan()) log.push(step);
    expect(log).toEqual([
      'changed',
      'scan adapter 5',
      'scan adapter 6',
      'scan adapter 7',
      'complete',
    ]);
  });

  it('[ap:60] without QCI reports nothing and knows no masks', () => {
    const log: string[] = [];
    const hardware = { ...HARDWARE, domains: [4], qciInstalled: false };
    const m = machine({ hardware });
    m.kernel.bus.register(listener(log));
    m.hardware.addAdapter(7);
    m.writeBus('scans', '1');
    expect(log).toEqual([]);
    expect(m.readBus('features')).toBe('-\n');
    for (const mask of ['ap_adapter_mask', 'ap_usage_domain_mask', 'ap_control_domain_mask'])
      expect(m.readBus(mask)).toBe('not supported\n');
    expect(m.boundTo('cex4queue')).toEqual(['05.0004', '06.0004', '07.0004']);
  });

  it('[ap:61] leaves the devices of an adapter in standby, and says that it is', () => {
    const m = free();
    m.hardware.setState(5, 'standby');
    m.writeBus('scans', '1');
    expect(m.boundTo('vfio_ap')).toEqual(ALL_QUEUES);
    expect(m.shell.cat(m.device('card05', 'config'))).toBe('0\n');
    const told = m.uevents().filter(({ env }) => 'CONFIG' in env);
    expect(told).toContainEqual({
      action: 'change',
      device: 'card05',
      env: expect.objectContaining({ CONFIG: '0' }),
    });
  });

  it('[ap:62] makes a card whose functions changed anew', () => {
    const m = machine();
    const from = m.core.uevents.events.length;
    m.hardware.addAdapter(5, { functions: { ap4kc: false } });
    m.writeBus('scans', '1');
    const steps = m
      .uevents(from)
      .filter(({ action }) => action === 'add' || action === 'remove')
      .map(({ action, device }) => `${action} ${device}`);
    expect(steps).toEqual([
      ...['05.0004', '05.0047', '05.00ab', 'card05'].map((name) => `remove ${name}`),
      ...['card05', '05.0004', '05.0047', '05.00ab'].map((name) => `add ${name}`),
    ]);
  });

  it('[ap:63] waits config_time seconds for the next, 5 to 120', () => {
    const m = machine();
    for (const seconds of ['4', '121']) {
      expect(errnoOf(() => m.writeBus('config_time', seconds))).toBe('EINVAL');
      expect(m.readBus('config_time')).toBe('30\n');
    }
    m.writeBus('config_time', '120');
    m.writeBus('config_time', '5');
    m.clock.advance(4999);
    expect(m.readBus('scans')).toBe('1\n');
    m.clock.advance(10_001);
    expect(m.readBus('scans')).toBe('4\n');
  });

  it('[ap:64] happens at once when scans is written', () => {
    const m = machine();
    m.writeBus('scans', 'now');
    expect(m.readBus('scans')).toBe('2\n');
  });

  it('[ap:65] cannot be forced before the first', () => {
    const kernel = booting();
    kernel.scanner.force();
    expect(kernel.bus.scans).toBe(0);
    expect([...kernel.bus.queues()]).toEqual([]);
  });

  it('is announced when the first is done', () => {
    const initial = machine()
      .uevents()
      .filter(({ env }) => 'INITSCAN' in env);
    expect(initial).toEqual([{ action: 'change', device: 'ap', env: { INITSCAN: 'done' } }]);
  });

  it('does not start while another is under way', () => {
    const m = machine();
    const scan = m.kernel.scanner.scan();
    scan.next();
    m.writeBus('scans', '1');
    expect(m.readBus('scans')).toBe('1\n');
    finish(scan);
    expect(m.readBus('scans')).toBe('2\n');
  });
});

describe('the queues of the host', () => {
  it('fail and drop their requests when the adapter goes to standby, and come back with it', () => {
    const m = machine({ hardware: { ...HARDWARE, serviceTime: 50 } });
    const results: (string | number)[] = [];
    const queue = m.kernel.bus.queue(0x0504)!;
    queue.enqueue({ text: 'rsa', done: (result) => results.push(result) });
    m.hardware.setState(5, 'standby');
    m.writeBus('scans', '1');
    expect(results).toEqual([-11]);
    expect(queue.deviceState).toBe('ERROR');
    m.hardware.setState(5, 'configured');
    m.writeBus('scans', '1');
    expect([queue.deviceState, queue.machineState]).toEqual(['OPERATING', 'IDLE']);
  });

  it('are reset before they are used, and wait for it', () => {
    const m = machine({ hardware: { ...HARDWARE, resetTime: 30 } });
    const queue = m.kernel.bus.queue(0x0504)!;
    expect(queue.machineState).toBe('RESET_WAIT');
    expect(m.shell.cat(m.device('05.0004', 'reset'))).toBe('Reset in progress.\n');
    m.clock.advance(40);
    expect(queue.machineState).toBe('IDLE');
  });

  it('have interrupts once they are up', () => {
    const m = machine({ hardware: { ...HARDWARE, aqicTime: 5 } });
    expect(m.kernel.bus.queue(0x0504)!.machineState).toBe('SETIRQ_WAIT');
    m.clock.advance(10);
    expect(m.shell.cat(m.device('05.0004', 'interrupt'))).toBe('Interrupts enabled.\n');
  });
});

describe('ap_domain', () => {
  it.each([
    [{ aqmask: '-0-255,+0x47' }, '71'],
    [{ apmask: '+6' }, '4'],
    [{ apmask: '+7' }, '-1'],
    [{ aqmask: '+5' }, '-1'],
  ])(
    'is the first domain of a queue that the masks leave to the host: %j',
    (parameters, domain) => {
      expect(machine({ parameters }).readBus('ap_domain')).toBe(`${domain}\n`);
    },
  );

  it('is one of a queue that works', () => {
    const m = machine({ hardware: { ...HARDWARE, adapters: [] } });
    expect(m.readBus('ap_domain')).toBe('-1\n');
    m.hardware.addAdapter(5);
    m.hardware.fault = (instruction, apqn) =>
      instruction === 'TAPQ' && apqn === 0x0504 ? 3 : undefined;
    m.writeBus('scans', '1');
    expect(m.readBus('ap_domain')).toBe('71\n');
  });

  it('[ap:66] is a domain of the host', () => {
    const m = machine();
    expect(m.readBus('ap_domain')).toBe('4\n');
    m.writeBus('aqmask', '-0x47');
    for (const text of ['0x47', '256', '-1', 'x'])
      expect(errnoOf(() => m.writeBus('ap_domain', text))).toBe('EINVAL');
    m.writeBus('ap_domain', '0xab');
    expect(m.readBus('ap_domain')).toBe('171\n');
  });
});

describe('the files of the bus', () => {
  it('show the configuration', () => {
    const m = machine();
    expect(m.readBus('ap_adapter_mask')).toBe(`0x06${'0'.repeat(62)}\n`);
    expect(m.readBus('ap_control_domain_mask')).toBe(`0x08${'0'.repeat(62)}\n`);
    expect(m.readBus('ap_max_adapter_id')).toBe('255\n');
    expect(m.readBus('features')).toBe('APSC APXA QACT\n');
  });

  it('show the limits without extended addressing', () => {
    const hardware = { ...HARDWARE, domains: [4], flags: { apxa: false } };
    const m = machine({ hardware });
    expect([m.readBus('ap_max_adapter_id'), m.readBus('ap_max_domain_id')]).toEqual([
      '63\n',
      '15\n',
    ]);
  });

  it('take what the kernel takes', () => {
    const m = machine();
    m.writeBus('poll_thread', 'on');
    expect(m.readBus('poll_thread')).toBe('1\n');
    expect(errnoOf(() => m.writeBus('poll_thread', 'x'))).toBe('EINVAL');
    m.writeBus('poll_timeout', '120000000000');
    expect(errnoOf(() => m.writeBus('poll_timeout', '120000000001'))).toBe('EINVAL');
    expect(m.readBus('poll_timeout')).toBe('120000000000\n');
    expect(errnoOf(() => m.writeBus('bindings', '1'))).toBe('EACCES');
    expect(errnoOf(() => m.shell.cat('/sys/bus/ap/drivers_probe'))).toBe('EACCES');
    expect(errnoOf(() => m.readBus('nothing'))).toBe('ENOENT');
  });
});

describe('the files of a card', () => {
  it('tell what it is', () => {
    const m = machine();
    const read = (name: string) => m.shell.cat(`/sys/devices/ap/card05/${name}`);
    expect(read('modalias')).toBe('ap:t0D\n');
    expect(read('depth')).toBe('8\n');
    expect(read('max_msg_size')).toBe('12288\n');
    expect(m.shell.readlink('/sys/devices/ap/card05/driver')).toBe('/sys/bus/ap/drivers/cex4card');
    expect(m.shell.ls('/sys/devices/ap')).toEqual(['card05', 'card06', 'uevent']);
  });

  it('count requests, until something is written', () => {
    const m = machine();
    m.kernel.bus.queue(0x0504)!.enqueue({ text: 'a', done: () => {} });
    expect(m.shell.cat(m.device('card05', 'request_count'))).toBe('1\n');
    m.shell.echo('x', m.device('card05', 'request_count'));
    expect(m.shell.cat(m.device('05.0004', 'request_count'))).toBe('0\n');
  });

  it('configure it through the console', () => {
    const m = machine();
    const config = m.device('card05', 'config');
    const from = m.core.uevents.events.length;
    m.shell.echo('0\n', config);
    expect(m.hardware.stateOf(5)).toBe('standby');
    expect(m.uevents(from)).toEqual([
      { action: 'change', device: 'card05', env: expect.objectContaining({ CONFIG: '0' }) },
    ]);
    expect(errnoOf(() => m.shell.echo('2', config))).toBe('EINVAL');
    m.hardware.sclp.mode = 'rejects';
    expect(errnoOf(() => m.shell.echo('1', config))).toBe('EIO');
    m.hardware.sclp.mode = 'absent';
    expect(errnoOf(() => m.shell.echo('1', config))).toBe('EOPNOTSUPP');
    expect(errnoOf(() => m.shell.echo('0', config))).toBe('ok');
  });
});
