import { ApMask } from '@vfiokit/ap';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { filterMatrix } from '../../src/vfio-ap/matrix-filter.js';
import { free, HARDWARE, Holder, machine, record } from '../support/fixture.js';

const VFIO_AP = '/sys/bus/ap/drivers/vfio_ap';

describe('the filter', () => {
  it('[ap:112] passes what is all there', () => {
    const mdev = free().assigned([5, 6], [4, 0x47]);
    expect(mdev.passed).toEqual(mdev.assigned);
  });

  it('[ap:113 ap:114] leaves a whole adapter out for one queue, until it is bound again', () => {
    const m = free();
    const mdev = m.assigned([5, 6], [4, 0x47]);
    m.shell.echo('06.0047', `${VFIO_AP}/unbind`);
    expect(mdev.passed).toEqual(['05.0004', '05.0047']);
    expect(mdev.assigned).toHaveLength(4);
    m.shell.echo('06.0047', `${VFIO_AP}/bind`);
    expect(mdev.passed).toHaveLength(4);
  });

  it('[ap:115] leaves out an adapter that the host lacks', () => {
    const m = machine({ hardware: { ...HARDWARE, adapters: [5] } });
    m.writeBus('apmask', '-5,-6');
    expect(m.assigned([5, 6], [4]).passed).toEqual(['05.0004']);
  });

  it('[ap:116] leaves out a domain that the host lacks, and no adapter for it', () => {
    const mdev = free().assigned([5, 6], [4, 0x99]);
    expect([...mdev.matrix.shadow.aqm]).toEqual([4]);
    expect([...mdev.matrix.shadow.apm]).toEqual([5, 6]);
  });

  it.each([
    ['standby', 3],
    ['checkstopped', 4],
  ] as const)('[ap:117] passes a queue whose last reset found it %s', (_, code) => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    m.hardware.fault = (instruction) => (instruction === 'ZAPQ' ? code : undefined);
    mdev.matrix.attachment.reset();
    mdev.write('assign_adapter', '6');
    expect(mdev.passed).toEqual(['05.0004', '06.0004']);
  });

  it.each([1, 0x0b])('[ap:118] leaves out an adapter whose last reset ended with RC %i', (code) => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    m.hardware.fault = (instruction, apqn) =>
      instruction === 'ZAPQ' && apqn === 0x0504 ? code : undefined;
    mdev.matrix.attachment.reset();
    expect(mdev.passed).toEqual(['05.0004']);
    mdev.write('assign_adapter', '6');
    expect(mdev.passed).toEqual(['06.0004']);
  });

  it('[ap:119] resets what it takes away of an adapter that was passed', () => {
    const m = free();
    const mdev = m.assigned([5, 6], [4]);
    m.shell.echo('06.0047', `${VFIO_AP}/unbind`);
    const zapped = record(m, 'ZAPQ');
    mdev.write('assign_domain', '0x47');
    expect(mdev.passed).toEqual(['05.0004', '05.0047']);
    expect(zapped).toEqual(['06.0004']);
  });

  it('[ap:120] is seen without any guest', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    expect(m.guests.size).toBe(0);
    expect(mdev.passed).toEqual(['05.0004']);
  });

  it('[ap:121] does not run when a domain is unassigned', () => {
    const m = free();
    const mdev = m.assigned([5], [4, 0x47]);
    m.shell.echo('05.0047', `${VFIO_AP}/unbind`);
    mdev.write('unassign_domain', '0x47');
    expect(mdev.assigned).toEqual(['05.0004']);
    expect(mdev.passed).toEqual(['.0004']);
    mdev.write('ap_config', mdev.read('ap_config'));
    expect(mdev.passed).toEqual(['05.0004']);
  });

  it('[ap:122] passes nothing without QCI', () => {
    const m = free({ hardware: { ...HARDWARE, domains: [4], qciInstalled: false } });
    const mdev = m.assigned([5], [4]);
    expect(mdev.assigned).toEqual(['05.0004']);
    expect(mdev.read('guest_matrix')).toBe('');
  });

  it('passes an adapter exactly if it is assigned, in the host, and all its queues can be passed', () => {
    const ids = fc.uniqueArray(fc.nat(7), { maxLength: 8 });
    const queues = fc.uniqueArray(fc.tuple(fc.nat(7), fc.nat(7)), {
      maxLength: 64,
      selector: ([a, d]) => a * 8 + d,
    });
    fc.assert(
      fc.property(ids, ids, ids, ids, ids, queues, (apm, aqm, hostApm, hostAqm, before, good) => {
        const passable = new Set(good.map(([a, d]) => (a << 8) | d));
        const result = filterMatrix(
          { apm: ApMask.from(apm), aqm: ApMask.from(aqm) },
          { apm: ApMask.from(hostApm), aqm: ApMask.from(hostAqm) },
          { apm: ApMask.from(before), aqm: ApMask.NONE },
          (apqn) => passable.has(apqn),
        );
        const domains = aqm.filter((d) => hostAqm.includes(d));
        const adapters = apm.filter(
          (a) => hostApm.includes(a) && domains.every((d) => passable.has((a << 8) | d)),
        );
        const ascending = (list: number[]) => [...list].sort((a, b) => a - b);
        expect([...result.aqm]).toEqual(ascending(domains));
        expect([...result.apm]).toEqual(ascending(adapters));
        const lost = before.filter(
          (a) => apm.includes(a) && hostApm.includes(a) && !adapters.includes(a),
        );
        expect([...result.unplugged]).toEqual(ascending(lost));
      }),
    );
  });
});

describe('status', () => {
  it('[ap:176] tells a queue from one that is assigned, and from one that a guest uses', () => {
    const m = free();
    const status = (name: string) => m.shell.cat(m.device(name, 'status'));
    expect(status('05.0004')).toBe('unassigned\n');
    const mdev = m.assigned([5, 6], [4]);
    expect(status('05.0004')).toBe('assigned\n');
    m.shell.echo('06.0047', `${VFIO_AP}/unbind`);
    new Holder(m, mdev);
    expect(status('05.0004')).toBe('in use\n');
    mdev.write('assign_domain', '0x47');
    expect(status('06.0004')).toBe('assigned\n');
    expect(m.shell.exists(m.device('06.0047', 'status'))).toBe(false);
  });
});
