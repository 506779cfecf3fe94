import { describe, expect, it } from 'vitest';
import { errnoOf, free, HARDWARE, Holder, M2, machine, record } from '../support/fixture.js';

const mask = (digits: string) => `0x${digits.padEnd(64, '0')}`;

describe('ap_config', () => {
  it('[ap:102] reads as three full masks', () => {
    const mdev = free().assigned([5, 6], [4, 0xab]);
    const text = mdev.read('ap_config');
    expect(text).toBe(
      `${mask('06')},0x0800000000000000000000000000000000000000001000000000000000000000,${mask('')}\n`,
    );
    expect(text).toHaveLength(201);
  });

  it('[ap:103] written as it is does nothing', () => {
    const m = free();
    const mdev = m.assigned([5, 6], [4, 0xab]);
    const holder = new Holder(m, mdev);
    const { updates } = holder.kvm;
    mdev.write('ap_config', mdev.read('ap_config'));
    expect(holder.kvm.updates).toBe(updates);
  });

  it('[ap:104] takes short masks', () => {
    const mdev = free().create();
    mdev.write('ap_config', '0x06,0x08,0x0\n');
    expect(mdev.assigned).toEqual(['05.0004', '06.0004']);
  });

  it('[ap:107] looks for ids that are too high last', () => {
    const mdev = machine({ hardware: { ...HARDWARE, na: 63 } }).create();
    expect(errnoOf(() => mdev.write('ap_config', `0x${'f'.repeat(64)},0x08,0x0`))).toBe(
      'EADDRNOTAVAIL',
    );
  });

  it.each([
    ['an adapter', `0x${'0'.repeat(16)}8,0x08,0x08`],
    ['a domain', `0x04,0x${'0'.repeat(63)}1,0x08`],
    ['a control domain', `0x04,0x08,0x${'0'.repeat(63)}1`],
  ])('[ap:108] says ENODEV for %s that is too high, and applies nothing', (_, text) => {
    const m = machine({ hardware: { ...HARDWARE, na: 63, nd: 0xab } });
    m.writeBus('apmask', '-0-255');
    const mdev = m.assigned([6], [4]);
    expect(errnoOf(() => mdev.write('ap_config', text))).toBe('ENODEV');
    expect(mdev.assigned).toEqual(['06.0004']);
    expect(mdev.read('control_domains')).toBe('');
  });

  it('[ap:109] says EADDRINUSE for a queue of another device, and applies nothing', () => {
    const m = free();
    m.assigned([5], [4], M2);
    const mdev = m.assigned([6], [4]);
    expect(errnoOf(() => mdev.write('ap_config', '0x06,0x08,0x0'))).toBe('EADDRINUSE');
    expect(mdev.assigned).toEqual(['06.0004']);
  });

  it('[ap:110] replaces one queue by another under a running guest', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const holder = new Holder(m, mdev);
    const zapped = record(m, 'ZAPQ');
    const aqm = `0x${'0'.repeat(17)}1`;
    mdev.write('ap_config', `0x02,${aqm},0x0`);
    expect(zapped).toEqual(['05.0004']);
    expect([[...holder.kvm.masks.apm], [...holder.kvm.masks.aqm]]).toEqual([[6], [0x47]]);
    expect(mdev.passed).toEqual(['06.0047']);
  });
});
