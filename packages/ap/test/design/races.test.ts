import {
  GuestInstructions,
  Kvm,
  MatrixBusDesign,
  VfioApDesign,
  type VfioApWorld,
  violations,
} from '@vfiokit/ap';
import { describe, expect, it } from 'vitest';
import { errnoOf, Opener } from '../support/fixture.js';
import { type Actor, attempting, everyInterleaving } from '../support/interleave.js';

const HARDWARE = { adapters: [5, 6], domains: [4, 0x47], controlDomains: [4] };

function boot(): VfioApWorld {
  const world = new VfioApDesign().boot({ hardware: HARDWARE });
  world.free('adapter', 5);
  world.free('adapter', 6);
  world.create('m1');
  return world;
}

function sound(world: Parameters<typeof violations>[0]) {
  return () => {
    const problems = violations(world);
    if (problems.length > 0) throw new Error(problems.join('; '));
  };
}

/** A VMM in three steps: opens the way to a device, ties its machine to it and opens it, uses it and closes everything. */
function* vmm(world: VfioApWorld, name: string, id: string, results: string[]): Actor {
  const matrix = world.matrices.get(id);
  if (matrix === undefined) return;
  const kvm = new Kvm({ name }, world.partition.hardware);
  let opener: Opener | undefined;
  let opened = false;
  const attempt = (step: () => unknown): void => {
    const code = errnoOf(step);
    if (code !== 'ok') results.push(`${name} ${code}`);
  };
  attempt(() => {
    opener = new Opener(world.partition, matrix.device, { kvm });
  });
  if (opener === undefined) return;
  yield;
  attempt(() => opener?.tie());
  yield;
  attempt(() => {
    opener?.open();
    opened = true;
    results.push(`${name} open`);
  });
  yield;
  if (opened) new GuestInstructions(kvm).nqap(0x0504, { id: 1, text: name });
  opener.files.close();
}

describe('every order of steps of', () => {
  it('a mask that gives queues to the host, and an assignment of one of them', () => {
    const outcomes = new Set<string>();
    const count = everyInterleaving(() => {
      const world = boot();
      const results: string[] = [];
      const guest = world.partition.startGuest({ name: 'g1' });
      guest.plug(world.matrices.get('m1')!.device);
      return {
        actors: {
          mask: (function* (): Actor {
            try {
              yield* world.kernel.bus.storeMask('apmask', '+5');
              results.push('mask ok');
            } catch (error) {
              results.push(`mask ${(error as { code: string }).code}`);
            }
          })(),
          adapter: attempting(results, 'adapter', () => world.assign('m1', 'adapter', 5)),
          domain: attempting(results, 'domain', () => world.assign('m1', 'domain', 4)),
        },
        check: sound(world),
        finally: () => outcomes.add(results.sort().join(', ')),
      };
    });
    expect(count).toBeGreaterThan(10);
    // Whoever comes first wins; nobody ever wins both.
    expect([...outcomes].sort()).toEqual([
      'adapter EADDRNOTAVAIL, domain ok, mask ok',
      'adapter ok, domain EADDRNOTAVAIL, mask ok',
      'adapter ok, domain ok, mask EBUSY',
    ]);
  });

  it('the same, if the veto and the mask were not one step: a review feared that window, and it is real', () => {
    const racy = () => {
      const world = boot();
      const { bus } = world.kernel;
      const guest = world.partition.startGuest({ name: 'g1' });
      guest.plug(world.matrices.get('m1')!.device);
      world.assign('m1', 'domain', 4);
      let bothWon = false;
      let refused = false;
      return {
        actors: {
          mask: (function* (): Actor {
            const plan = bus.perms.plan('apmask', '+5')!;
            refused = bus.inUse(plan.reserved).errno !== 0;
            yield;
            if (!refused) bus.perms.commit('apmask', plan.mask);
          })(),
          assignment: (function* (): Actor {
            yield;
            const assigned = errnoOf(() => world.assign('m1', 'adapter', 5)) === 'ok';
            bothWon = assigned && !refused;
          })(),
        },
        check: () => {},
        finally: () => {
          const reserved = bus.perms.reserves(0x0504);
          if (bothWon && reserved) throw new Error('05.0004: reserved for the host, and assigned');
        },
      };
    };
    expect(() => everyInterleaving(racy)).toThrow(/reserved for the host, and assigned/);
  });

  it('an adapter that goes, and assignments and unassignments meanwhile', () => {
    const count = everyInterleaving(() => {
      const world = boot();
      world.assign('m1', 'adapter', 5);
      world.assign('m1', 'domain', 4);
      world.create('m2');
      world.assign('m2', 'domain', 4);
      for (const [name, id] of [
        ['g1', 'm1'],
        ['g2', 'm2'],
      ] as const)
        world.partition.startGuest({ name }).plug(world.matrices.get(id)!.device);
      const results: string[] = [];
      return {
        actors: {
          hardware: (function* (): Actor {
            world.partition.hardware.removeAdapter(5);
            yield;
            world.partition.hardware.addAdapter(5);
          })(),
          scan: world.kernel.scanner.scan(),
          unassign: attempting(results, 'unassign', () => world.unassign('m1', 'adapter', 5)),
          assign: attempting(results, 'assign', () => world.assign('m2', 'adapter', 5)),
        },
        check: sound(world),
        finally: () => {
          world.rescan();
          sound(world)();
        },
      };
    });
    expect(count).toBeGreaterThan(400);
  });

  it('two machines that open one device', () => {
    const outcomes = new Set<string>();
    everyInterleaving(() => {
      const world = boot();
      world.assign('m1', 'adapter', 5);
      world.assign('m1', 'domain', 4);
      const results: string[] = [];
      return {
        actors: {
          first: vmm(world, 'first', 'm1', results),
          second: vmm(world, 'second', 'm1', results),
        },
        check: sound(world),
        finally: () => {
          outcomes.add([...new Set(results)].sort().join(', '));
          expect(world.partition.hardware.holdsSecrets(0x0504)).toBe(false);
          expect(world.matrices.get('m1')!.device.openCount).toBe(0);
        },
      };
    });
    expect([...outcomes].sort()).toEqual([
      'first EBUSY, second open',
      'first open, second EBUSY',
      'first open, second open',
    ]);
  });

  it('the removal of a device, and a machine that uses it', () => {
    everyInterleaving(() => {
      const world = boot();
      world.assign('m1', 'adapter', 5);
      world.assign('m1', 'domain', 4);
      const results: string[] = [];
      const { instances, matrixDev } = world.partition.vfioAp!;
      return {
        actors: {
          vmm: vmm(world, 'vmm', 'm1', results),
          remove: attempting(results, 'remove', () => void world.remove('m1')),
          assign: attempting(results, 'assign', () => world.assign('m1', 'domain', 0x47)),
        },
        check: sound(world),
        finally: () => {
          expect(results).toContain('remove ok');
          expect(instances.size).toBe(0);
          expect(matrixDev.findQueue(0x0504)!.mdev).toBeUndefined();
          expect(world.partition.hardware.holdsSecrets(0x0504)).toBe(false);
        },
      };
    });
  });

  it('the module that is unloaded, and a machine that uses a device', () => {
    const outcomes = new Set<string>();
    everyInterleaving(() => {
      const world = boot();
      world.assign('m1', 'adapter', 5);
      world.assign('m1', 'domain', 4);
      const results: string[] = [];
      return {
        actors: {
          vmm: vmm(world, 'vmm', 'm1', results),
          unload: attempting(results, 'unload', () => world.vfioAp.unload()),
        },
        check: sound(world),
        finally: () => outcomes.add([...new Set(results)].sort().join(', ')),
      };
    });
    expect([...outcomes].sort()).toEqual([
      'unload EBUSY, vmm open',
      'unload ok',
      'unload ok, vmm ENODEV',
      'unload ok, vmm open',
    ]);
  });

  it('a matrix bus whose host takes a queue back, and an assignment to another matrix', () => {
    const count = everyInterleaving(() => {
      const world = new MatrixBusDesign('forced').boot({ hardware: HARDWARE });
      world.create('m1');
      world.create('m2');
      for (const id of ['m1', 'm2']) world.assign(id, 'domain', 4);
      world.assign('m1', 'adapter', 5);
      for (const [name, id] of [
        ['g1', 'm1'],
        ['g2', 'm2'],
      ] as const)
        world.partition.startGuest({ name }).plug(world.matrices.get(id)!.device);
      const results: string[] = [];
      return {
        actors: {
          reclaim: attempting(results, 'reclaim', () => world.reclaim('adapter', 5)),
          assign: attempting(results, 'assign', () => world.assign('m2', 'adapter', 5)),
          scan: world.kernel.scanner.scan(),
          exit: attempting(results, 'exit', () => world.partition.guests.get('g1')?.exit()),
        },
        check: sound(world),
      };
    });
    expect(count).toBeGreaterThan(100);
  });
});

describe('the explorer', () => {
  it('runs every order exactly once', () => {
    const orders: string[] = [];
    const actor = function* (name: string, steps: number, log: string[]): Actor {
      for (let step = 1; step < steps; step++) {
        log.push(name);
        yield;
      }
      log.push(name);
    };
    const count = everyInterleaving(() => {
      const log: string[] = [];
      return {
        actors: { a: actor('a', 2, log), b: actor('b', 2, log) },
        check: () => {},
        finally: () => orders.push(log.join('')),
      };
    });
    expect(count).toBe(6);
    expect(orders.sort()).toEqual(['aabb', 'abab', 'abba', 'baab', 'baba', 'bbaa']);
  });
});
