import {
  ApMask,
  GuestInstructions,
  MatrixBusDesign,
  type MatrixBusWorld,
  observe,
} from '@vfiokit/ap';
import { beforeEach, describe, expect, it } from 'vitest';
import { bystander, errnoOf, HARDWARE, Opener, usable } from '../support/fixture.js';

const rc = (status: number) => (status >>> 16) & 0xff;

let world: MatrixBusWorld;

function boot(policy: 'strict' | 'forced' = 'strict', hardware = {}) {
  return new MatrixBusDesign(policy).boot({ hardware: { ...HARDWARE, ...hardware } });
}

beforeEach(() => {
  world = boot();
});

function matrixOf(id: string, adapters: readonly number[], domains: readonly number[]) {
  world.create(id);
  for (const adapter of adapters) world.assign(id, 'adapter', adapter);
  for (const domain of domains) world.assign(id, 'domain', domain);
}

function start(name: string, id: string) {
  const guest = world.partition.startGuest({ name });
  guest.plug(world.matrices.get(id)!.device);
  return guest;
}

function hostQueues() {
  return [...world.kernel.bus.queues()].map(({ name }) => name);
}

describe('the matrix bus', () => {
  it('[ap:189] lets no queue belong to two matrices', () => {
    matrixOf('m1', [5], [4]);
    world.create('m2');
    world.assign('m2', 'adapter', 5);
    expect(errnoOf(() => world.assign('m2', 'domain', 4))).toBe('EADDRINUSE');
    world.assign('m2', 'domain', 0x47);
    expect(errnoOf(() => world.create('m1'))).toBe('EEXIST');
  });

  it('[ap:190] takes exactly one queue from the host, and leaves its neighbours', () => {
    matrixOf('m1', [5], [4]);
    expect(hostQueues()).toEqual(['05.0047', '05.00ab', '06.0004', '06.0047', '06.00ab']);
    const host = world.partition.matrixBus.hostInstructions;
    expect([host.tapq(0x0504), host.tapq(0x0547)].map(rc)).toEqual([1, 0]);
    expect(rc(host.zapq(0x0504))).toBe(1);
  });

  it('takes an adapter from the host’s configuration when every queue of it is gone', () => {
    matrixOf('m1', [5], [4, 0x47]);
    const host = world.partition.matrixBus.hostInstructions;
    expect([...host.qci()!.apm]).toEqual([5, 6]);
    world.assign('m1', 'domain', 0xab);
    expect([...host.qci()!.apm]).toEqual([6]);
    world.assign('m1', 'adapter', 6);
    expect([...host.qci()!.apm]).toEqual([]);
    expect([...host.qci()!.aqm]).toEqual([]);
    expect([...world.kernel.bus.cards.keys()]).toEqual([]);
  });

  it('[ap:191] has one mediated device on each matrix', () => {
    world.create('m1');
    const { parent } = world.partition.devices.devices.get('m1')!;
    const path = '/sys/devices/ap_matrix/m1/mdev_supported_types/matrix-passthrough';
    expect(world.partition.shell.cat(`${path}/available_instances`)).toBe('0\n');
    expect(errnoOf(() => parent.types[0]!.create('33333333-3333-3333-3333-333333333333'))).toBe(
      'EUSERS',
    );
  });

  it('[ap:192] does not thereby keep one machine from two matrices: that takes a guard', () => {
    matrixOf('m1', [5], [4]);
    matrixOf('m2', [6], [4]);
    const guest = start('g1', 'm1');
    const opener = new Opener(world.partition, world.matrices.get('m2')!.device, {
      kvm: guest.kvm,
    });
    expect(errnoOf(() => opener.tie(guest.kvmVfio).open())).toBe('EPERM');
  });

  it('[ap:193] strictly, keeps for a running guest what it has', () => {
    matrixOf('m1', [5], [4]);
    const guest = start('g1', 'm1');
    expect(errnoOf(() => world.unassign('m1', 'adapter', 5))).toBe('EBUSY');
    expect(usable(guest)).toEqual(['05.0004']);
    guest.exit();
    world.unassign('m1', 'adapter', 5);
    expect(hostQueues()).toContain('05.0004');
  });

  it('[ap:193] forcibly, unplugs in order: masks, reset, host', () => {
    world = boot('forced', { resetTime: 30 });
    matrixOf('m1', [5, 6], [4]);
    const guest = start('g1', 'm1');
    new GuestInstructions(guest.kvm).nqap(0x0504, { id: 1, text: 'secret' });
    const order: string[] = [];
    world.partition.hardware.watch((instruction, apqn) => {
      if (instruction === 'ZAPQ' && apqn === 0x0504)
        order.push(
          `reset; guest has ${usable(guest)}; host has ${hostQueues().includes('05.0004')}`,
        );
    });
    world.unassign('m1', 'adapter', 5);
    expect(order).toEqual(['reset; guest has 06.0004; host has false']);
    expect(observe(world).queues.get(0x0504)).toMatchObject({ driver: 'cex4queue', used: false });
    expect(guest.configEvents).toBe(1);
  });

  it('[ap:194] takes an assignment of what is not there, and shows it when it comes', () => {
    matrixOf('m1', [9], [4]);
    expect([...world.matrices.get('m1')!.passed.apm]).toEqual([]);
    const guest = start('g1', 'm1');
    world.partition.hardware.addAdapter(9);
    world.rescan();
    expect([...world.matrices.get('m1')!.passed.apm]).toEqual([9]);
    expect(usable(guest)).toEqual(['09.0004']);
    expect(hostQueues()).toContain('09.0047');
    expect(hostQueues()).not.toContain('09.0004');
  });

  it('[ap:195] asks nobody for a veto', () => {
    let asked = 0;
    world.kernel.bus.register(
      bystander({
        inUse: () => {
          asked += 1;
          return -16;
        },
      }),
    );
    matrixOf('m1', [5], [4]);
    start('g1', 'm1').exit();
    world.reclaim('adapter', 5);
    expect(asked).toBe(0);
    expect(hostQueues()).toContain('05.0004');
  });

  it('[ap:196] cannot unite two products without exposing what belongs to neither, and refuses', () => {
    matrixOf('m1', [5], [4]);
    matrixOf('m2', [6], [0x47]);
    const guest = start('g1', 'm1');
    const opener = new Opener(world.partition, world.matrices.get('m2')!.device, {
      kvm: guest.kvm,
    });
    expect(errnoOf(() => opener.tie(guest.kvmVfio).open())).toBe('EPERM');
    // What uniting the masks would have given it: the host's 05.0047 and 06.0004 beside the two that were assigned.
    guest.kvm.setMasks({ apm: ApMask.of(5, 6), aqm: ApMask.of(4, 0x47), adm: ApMask.NONE });
    expect(usable(guest)).toEqual(['05.0004', '05.0047', '06.0004', '06.0047']);
    expect(hostQueues()).toEqual(expect.arrayContaining(['05.0047', '06.0004']));
  });

  it('gives requests of host programs back when it takes a queue', () => {
    world = boot('strict', { serviceTime: 50 });
    const results: (string | number)[] = [];
    world.kernel.bus
      .queue(0x0504)!
      .enqueue({ text: 'rsa', done: (result) => results.push(result) });
    matrixOf('m1', [5], [4]);
    expect(results).toEqual([-11]);
    expect(observe(world).queues.get(0x0504)!.used).toBe(false);
  });

  it('keeps queues with their matrix when the guest ends', () => {
    matrixOf('m1', [5], [4]);
    start('g1', 'm1').exit();
    expect(hostQueues()).not.toContain('05.0004');
    expect(observe(world).queues.get(0x0504)).toMatchObject({ matrix: 'm1', guests: [] });
  });

  it('gives queues back to the host when their matrix is destroyed', () => {
    matrixOf('m1', [5], [4]);
    void world.remove('m1');
    expect(hostQueues()).toContain('05.0004');
    expect(observe(world).queues.get(0x0504)!.driver).toBe('cex4queue');
  });
});

describe('the files of the matrix bus', () => {
  const shell = () => world.partition.shell;

  it('make and destroy matrices, and assign to them', () => {
    shell().echo('m7\n', '/sys/bus/matrix/create_matrix');
    const path = '/sys/bus/matrix/devices/m7';
    shell().echo('5', `${path}/assign_adapter`);
    shell().echo('0x47', `${path}/assign_domain`);
    expect(shell().cat(`${path}/matrix`)).toBe('05.0047\n');
    for (const text of ['x', '5 6', '-1'])
      expect(errnoOf(() => shell().echo(text, `${path}/assign_adapter`))).toBe('EINVAL');
    expect(errnoOf(() => shell().echo('256', `${path}/assign_adapter`))).toBe('ENODEV');
    shell().echo('m7', '/sys/bus/matrix/destroy_matrix');
    expect(shell().exists(path)).toBe(false);
    expect(errnoOf(() => shell().echo('m7', '/sys/bus/matrix/destroy_matrix'))).toBe('ENODEV');
  });

  it('refuse to destroy a matrix with a mediated device', () => {
    world.create('m1');
    expect(errnoOf(() => shell().echo('m1', '/sys/bus/matrix/destroy_matrix'))).toBe('EBUSY');
  });
});

describe('the view of a guest', () => {
  it('may be narrower than its matrix, never wider', () => {
    matrixOf('m1', [5], [4, 0x47]);
    const guest = start('g1', 'm1');
    const { matrix } = world.partition.devices.devices.get('m1')!;
    matrix.narrow({ apm: ApMask.of(5), aqm: ApMask.of(4), adm: ApMask.NONE });
    expect(usable(guest)).toEqual(['05.0004']);
    expect(
      errnoOf(() => matrix.narrow({ apm: ApMask.of(6), aqm: ApMask.of(4), adm: ApMask.NONE })),
    ).toBe('EINVAL');
    matrix.narrow(undefined);
    expect(usable(guest)).toEqual(['05.0004', '05.0047']);
  });
});
