import { LIFE_CYCLE, lifeCycleMarkdown, playLifeCycle } from '@vfiokit/ap';
import { describe, expect, it } from 'vitest';
import { DESIGNS } from '../support/scenario.js';

const [today, strict, forced] = DESIGNS;

async function row(event: string, design = today!) {
  const found = LIFE_CYCLE.filter((one) => one.event === event);
  expect(found).toHaveLength(1);
  return (await playLifeCycle(design, found))[0]!;
}

describe('the life cycle', () => {
  it('names every event once', () => {
    const names = LIFE_CYCLE.map(({ event }) => event);
    expect(new Set(names).size).toBe(names.length);
  });

  it('leaves no queue with two users, in any event of any design', async () => {
    for (const design of DESIGNS)
      for (const { event, queue } of await playLifeCycle(design))
        expect([design.name, event, queue.split(' / ').length]).not.toContain(0);
  });

  // What reviewers asked in 2017, answered by playing it; the expectations are those of the reference's table.
  it.each([
    ['Clear mask bits', 'ok', 'vfio_ap / nobody / clean'],
    ['Set mask bits, queues not assigned', 'ok', 'cex4queue / host / clean, IRQ on'],
    ['Set mask bits, a queue assigned, no guest', 'EBUSY', 'vfio_ap / nobody / clean'],
    ['Guest start', 'ok', 'vfio_ap / g1 / clean'],
    ['Guest reboot', 'ok', 'vfio_ap / g1 / clean, IRQ on'],
    ['Guest halt, VMM alive', 'ok', 'vfio_ap / g1 / used, IRQ on'],
    ['VMM ends or is killed', 'ok', 'vfio_ap / nobody / clean'],
    ['Unassign while the guest runs', 'ok', 'vfio_ap / nobody / clean'],
    ['The scan after that', 'ok', 'gone'],
    ['Adapter into standby, then a scan', 'ok', 'vfio_ap / g1 / clean, standby'],
    ['Unbind one queue by hand', 'ok', 'no driver / nobody / clean'],
    ['Bind a reserved queue to vfio_ap', 'ENODEV', 'no driver / nobody / clean'],
    ['Remove a matrix in use, VMM does not let go', 'waits', 'vfio_ap / nobody / clean'],
    ['Unload vfio_ap while a matrix is open', 'EBUSY', 'vfio_ap / g1 / used, IRQ on'],
    ['Live migration', 'EPERM', 'vfio_ap / g1 / used, IRQ on'],
    ['Host reset or crash, then IPL', 'ok', 'cex4queue / host / clean, IRQ on'],
  ])('today: %s is %s, and leaves 05.0004 with %s', async (event, outcome, queue) => {
    expect(await row(event)).toMatchObject({ outcome, queue });
  });

  it('differs between designs where they were disputed', async () => {
    const wanted = 'Host wants an adapter back from a running guest';
    const outcomes = await Promise.all(
      [today, strict, forced].map(async (design) => (await row(wanted, design)).outcome),
    );
    expect(outcomes).toEqual(['EBUSY', 'EBUSY', 'ok']);
    expect((await row(wanted, forced)).guest).toContain('g1 loses 05.0004');
  });

  it('says where a design has no such event', async () => {
    const rows = await playLifeCycle(
      strict!,
      LIFE_CYCLE.filter(({ event }) => event === 'Load vfio_ap'),
    );
    expect(lifeCycleMarkdown(rows)).toContain('| no such event | no such event | – |');
  });

  it('refuses an event that does not come to its point', async () => {
    const event = { event: 'broken', given: '- boot: g9', when: '- create: m1' };
    await expect(playLifeCycle(today!, [event])).rejects.toThrow(
      'broken: boot Linux in g9: ENOENT',
    );
  });
});
