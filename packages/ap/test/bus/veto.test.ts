import { ApMask } from '@vfiokit/ap';
import { describe, expect, it } from 'vitest';
import { ALL_QUEUES, bystander, errnoOf, free, M1, machine } from '../support/fixture.js';

describe('the veto', () => {
  it('[ap:36] keeps a queue that is assigned from going to the host, and names it', () => {
    const m = free();
    m.assigned([5], [4]);
    const before = m.readBus('apmask');
    expect(errnoOf(() => m.writeBus('apmask', '+5'))).toBe('EBUSY');
    expect(m.readBus('apmask')).toBe(before);
    expect(m.boundTo('vfio_ap')).toEqual(ALL_QUEUES);
    expect(m.dmesg()).toContain(`05.0004: assigned to mediated device ${M1}`);
  });

  it('[ap:37] does not ask whether a guest runs', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    expect(errnoOf(() => m.writeBus('apmask', '+5'))).toBe('EBUSY');
    m.guestWith(mdev);
    expect(errnoOf(() => m.writeBus('apmask', '+5'))).toBe('EBUSY');
  });

  it.each([
    ['[ap:38] an adapter without a domain', [5], []],
    ['[ap:39] nothing', [], []],
  ])('lets queues go of a device that has %s assigned', (_, adapters, domains) => {
    const m = free();
    m.assigned(adapters, domains);
    m.writeBus('apmask', '+5');
    expect(m.boundTo('cex4queue')).toEqual(['05.0004', '05.0047', '05.00ab']);
  });

  it('[ap:40] lets the queues of another adapter go', () => {
    const m = free();
    m.assigned([5], [4]);
    m.writeBus('apmask', '+6');
    expect(m.boundTo('cex4queue')).toEqual(['06.0004', '06.0047', '06.00ab']);
  });

  it('[ap:41] is given even for a queue whose domain is not the host’s', () => {
    const m = free();
    m.writeBus('aqmask', '-4');
    m.assigned([5], [4]);
    expect(errnoOf(() => m.writeBus('apmask', '+5'))).toBe('EBUSY');
  });

  it('[ap:42 ap:46] is not asked for when bits are only cleared', () => {
    const m = free();
    m.assigned([5], [4]);
    const warnings = m.dmesg().length;
    m.writeBus('aqmask', '-0x47');
    expect(m.dmesg()).toHaveLength(warnings);
    expect(m.boundTo('vfio_ap')).toEqual(ALL_QUEUES);
  });

  it('[ap:43] ends with the assignment', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    mdev.write('unassign_adapter', '5');
    m.writeBus('apmask', '+5');
    expect(m.driverOf('05.0004')).toBe('cex4queue');
  });

  it('[ap:44] is EBUSY to the writer, whatever the driver says', () => {
    const m = machine();
    m.writeBus('apmask', '-5');
    m.kernel.bus.register(bystander({ inUse: () => -98 }));
    expect(errnoOf(() => m.writeBus('apmask', '+5'))).toBe('EBUSY');
  });

  it('[ap:45] holds for the whole of a write', () => {
    const m = free();
    m.assigned([5], [4]);
    expect(errnoOf(() => m.writeBus('apmask', `0x${'f'.repeat(64)}`))).toBe('EBUSY');
    expect(m.boundTo('vfio_ap')).toEqual(ALL_QUEUES);
  });

  it('is asked with all domains for apmask and all adapters for aqmask', () => {
    const m = machine();
    const asked: string[] = [];
    m.kernel.bus.register(
      bystander({
        inUse: ({ apm, aqm }) => {
          asked.push(`${apm.size}x${aqm.size}`);
          return 0;
        },
      }),
    );
    m.writeBus('apmask', '-5,-6');
    m.writeBus('aqmask', '-4');
    m.writeBus('apmask', '+5,+6');
    m.writeBus('aqmask', '+4');
    expect(asked).toEqual(['2x256', '256x1']);
  });
});

describe('the question whose a queue is', () => {
  it('[ap:47] has no answer for ids that there are not', () => {
    const { bus } = machine().kernel;
    expect(bus.ownedByDefaultDrivers(256, 0)).toBe(-22);
    expect(bus.ownedByDefaultDrivers(0, 256)).toBe(-22);
    expect(bus.ownedByDefaultDrivers(255, 255)).toBe(1);
  });

  it('[ap:48] is answered with no for a product of nothing', () => {
    const { bus } = machine().kernel;
    expect(bus.anyOwnedByDefaultDrivers({ apm: ApMask.ALL, aqm: ApMask.NONE })).toBe(false);
    expect(bus.anyOwnedByDefaultDrivers({ apm: ApMask.of(5), aqm: ApMask.of(4) })).toBe(true);
  });
});
