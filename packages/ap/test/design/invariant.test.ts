import {
  type ApWorld,
  MatrixBusDesign,
  VFIO_AP_GENERATIONS,
  VfioApDesign,
  type VfioApGeneration,
  violations,
} from '@vfiokit/ap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyEvents, type Event, happen, SMALL } from '../support/events.js';

const DESIGNS = [
  new VfioApDesign(),
  new MatrixBusDesign('strict'),
  new MatrixBusDesign('forced'),
] as const;

/** Lets events happen, and expects after every one that all is well. */
function check(world: ApWorld, events: readonly Event[]): void {
  const users = new Map<number, string>();
  for (const [at, event] of events.entries()) {
    const problems = happen(world, event, users);
    if (problems.length > 0) expect([at, event, problems]).toEqual([at, event, []]);
  }
}

describe('whatever happens to a machine,', () => {
  it.each(DESIGNS)(
    '$name keeps every queue to one guest or the host, and hands none on with secrets in it',
    (design) => {
      fc.assert(
        fc.property(anyEvents, fc.constantFrom(0, 30), (events, resetTime) => {
          check(design.boot({ hardware: { ...SMALL, resetTime } }), events);
        }),
        { numRuns: 400 },
      );
    },
  );

  it('the invariant notices when a design breaks it', () => {
    const world = new VfioApDesign().boot({ hardware: SMALL });
    const users = new Map<number, string>();
    for (const [name, a, b, c] of [
      ['free', 0, 0, 0],
      ['create', 0, 0, 0],
      ['assign', 0, 0, 0],
      ['assign', 0, 0, 1],
      ['start', 0, 0, 0],
    ] as const)
      expect(happen(world, [name, a, b, c], users)).toEqual([]);
    // Somebody writes to a second guest's control block behind everybody's back.
    const intruder = world.partition.startGuest({ name: 'g2' });
    intruder.kvm.setMasks(world.partition.guests.get('g1')!.kvm.masks);
    expect(happen(world, ['wait', 0, 0, 0], users)).toContain('00.0000: usable by two guests');
  });
});

describe('vfio_ap with the filter and without the veto', () => {
  it('keeps to it all the same: what the veto keeps is a guest’s crypto', () => {
    const generation: VfioApGeneration = { ...VFIO_AP_GENERATIONS[2], veto: false };
    const boot = () => new VfioApDesign().boot({ hardware: SMALL, generation });
    fc.assert(
      fc.property(anyEvents, (events) => check(boot(), events)),
      { numRuns: 200 },
    );
    const world = boot();
    world.free('adapter', 0);
    world.create('m1');
    world.assign('m1', 'adapter', 0);
    world.assign('m1', 'domain', 0);
    const guest = world.partition.startGuest({ name: 'g1' });
    guest.plug(world.matrices.get('m1')!.device);
    expect(guest.usableQueues).toEqual([0]);
    world.reclaim('adapter', 0);
    expect(guest.usableQueues).toEqual([]);
    expect(violations(world)).toEqual([]);
  });
});

describe('vfio_ap before the veto and the filter', () => {
  const [, generation] = VFIO_AP_GENERATIONS;
  const boot = () => new VfioApDesign().boot({ hardware: SMALL, generation });

  it('let root give a queue to the host that a guest was using', () => {
    const world = boot();
    world.free('adapter', 0);
    world.create('m1');
    world.assign('m1', 'adapter', 0);
    world.assign('m1', 'domain', 0);
    world.partition.startGuest({ name: 'g1' }).plug(world.matrices.get('m1')!.device);
    expect(violations(world)).toEqual([]);
    world.reclaim('adapter', 0);
    expect(violations(world)).toEqual(['00.0000: usable by guest "g1" and by the host']);
  });

  it('is found out by random events, and the example shrinks', () => {
    const result = fc.check(
      fc.property(anyEvents, (events) => check(boot(), events)),
      { numRuns: 2000, seed: 1 },
    );
    expect(result.failed).toBe(true);
    // To free a queue, to assign it (adapter and domain of a matrix), to start a guest, and one more thing.
    expect(result.counterexample![0].length).toBeLessThanOrEqual(8);
  });
});
