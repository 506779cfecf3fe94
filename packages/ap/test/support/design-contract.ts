import { type ApDesign, type ApWorld, GuestInstructions, observe, violations } from '@vfiokit/ap';
import { describe, expect, it } from 'vitest';
import { errnoOf, HARDWARE, Opener, usable } from './fixture.js';

/** Boots the checklist's machine and takes adapters 5 and 6 from the host, where that is a step of its own. */
function ready(design: ApDesign): ApWorld {
  const world = design.boot({ hardware: HARDWARE });
  world.free('adapter', 5);
  world.free('adapter', 6);
  return world;
}

function matrixOf(world: ApWorld, id: string, adapters: number[], domains: number[]) {
  world.create(id);
  for (const adapter of adapters) world.assign(id, 'adapter', adapter);
  for (const domain of domains) world.assign(id, 'domain', domain);
}

function start(world: ApWorld, name: string, id: string) {
  const guest = world.partition.startGuest({ name });
  guest.plug(world.matrices.get(id)!.device);
  return guest;
}

/** What every design promises, whatever it is made of. */
export function describeApDesign(design: ApDesign): void {
  describe(`the design ${design.name}`, () => {
    it('gives a guest the product that was assigned, and the host the rest', () => {
      const world = ready(design);
      matrixOf(world, 'm1', [5], [4, 0x47]);
      const guest = start(world, 'g1', 'm1');
      expect(usable(guest)).toEqual(['05.0004', '05.0047']);
      expect(world.matrices.get('m1')!.kvm).toBe(guest.kvm);
      expect(violations(world)).toEqual([]);
    });

    it('refuses to assign a queue twice, and changes nothing', () => {
      const world = ready(design);
      matrixOf(world, 'm1', [5], [4]);
      matrixOf(world, 'm2', [5], [0x47]);
      expect(errnoOf(() => world.assign('m2', 'domain', 4))).toBe('EADDRINUSE');
      expect([...world.matrices.get('m2')!.assigned.aqm]).toEqual([0x47]);
    });

    it('refuses ids above the highest, takes those that are not there', () => {
      const world = design.boot({ hardware: { ...HARDWARE, na: 63 } });
      world.free('adapter', 9);
      world.create('m1');
      world.assign('m1', 'domain', 4);
      expect(errnoOf(() => world.assign('m1', 'adapter', 64))).toBe('ENODEV');
      world.assign('m1', 'adapter', 9);
      const guest = start(world, 'g1', 'm1');
      expect(usable(guest)).toEqual([]);
      world.partition.hardware.addAdapter(9);
      world.rescan();
      expect(usable(guest)).toEqual(['09.0004']);
    });

    it('has two matrices share a control domain', () => {
      const world = ready(design);
      for (const id of ['m1', 'm2']) {
        world.create(id);
        world.assign(id, 'control_domain', 4);
        expect([...world.matrices.get(id)!.passed.adm]).toEqual([4]);
        world.unassign(id, 'control_domain', 4);
      }
    });

    it('gives one machine one matrix', () => {
      const world = ready(design);
      matrixOf(world, 'm1', [5], [4]);
      matrixOf(world, 'm2', [6], [0x47]);
      const guest = start(world, 'g1', 'm1');
      const opener = new Opener(world.partition, world.matrices.get('m2')!.device, {
        kvm: guest.kvm,
      });
      expect(errnoOf(() => opener.tie(guest.kvmVfio).open())).toBe('EPERM');
      expect(usable(guest)).toEqual(['05.0004']);
    });

    it('needs a machine to open a device for', () => {
      const world = ready(design);
      matrixOf(world, 'm1', [5], [4]);
      const opener = new Opener(world.partition, world.matrices.get('m1')!.device);
      expect(errnoOf(() => opener.open())).toBe('EINVAL');
    });

    it('adds to a running guest', () => {
      const world = ready(design);
      matrixOf(world, 'm1', [5], [4]);
      const guest = start(world, 'g1', 'm1');
      world.assign('m1', 'adapter', 6);
      expect(usable(guest)).toEqual(['05.0004', '06.0004']);
      expect(guest.configEvents).toBe(1);
    });

    it('cleans what a guest leaves before anybody else gets it', () => {
      const world = ready(design);
      matrixOf(world, 'm1', [5], [4]);
      const guest = start(world, 'g1', 'm1');
      new GuestInstructions(guest.kvm).nqap(0x0504, { id: 1, text: 'secret' });
      expect(observe(world).queues.get(0x0504)).toMatchObject({ used: true, guests: ['g1'] });
      guest.exit();
      expect(observe(world).queues.get(0x0504)).toMatchObject({ used: false, guests: [] });
    });

    it('forgets an assignment that goes with its hardware no sooner than it is told to', () => {
      const world = ready(design);
      matrixOf(world, 'm1', [5, 6], [4]);
      const guest = start(world, 'g1', 'm1');
      world.partition.hardware.removeAdapter(6);
      world.rescan();
      expect(usable(guest)).toEqual(['05.0004']);
      world.partition.hardware.addAdapter(6);
      world.rescan();
      expect(usable(guest)).toEqual(['05.0004', '06.0004']);
    });

    it('answers a guest that enables interrupts', () => {
      const world = ready(design);
      matrixOf(world, 'm1', [5], [4]);
      const guest = start(world, 'g1', 'm1');
      guest.boot();
      expect(observe(world).queues.get(0x0504)!.irq).toBe(true);
      const { pins } = world.matrices.get('m1')!.device;
      expect(pins.total).toBe(1);
      guest.exit();
      expect(pins.total).toBe(0);
    });

    it('takes a matrix away when its user lets go', async () => {
      const world = ready(design);
      matrixOf(world, 'm1', [5], [4]);
      const guest = start(world, 'g1', 'm1');
      await world.remove('m1');
      expect(usable(guest)).toEqual([]);
      expect(world.matrices.size).toBe(0);
      expect(errnoOf(() => world.assign('m1', 'adapter', 5))).toBe('ENOENT');
    });
  });
}
