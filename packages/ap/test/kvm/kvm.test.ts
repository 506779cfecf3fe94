import { ApMask, GuestInstructions, Kvm, LimitedInstructions, maskedLevel } from '@vfiokit/ap';
import { describe, expect, it } from 'vitest';
import { machine } from '../support/fixture.js';

const rc = (status: number) => (status >>> 16) & 0xff;

describe('a machine’s masks', () => {
  it('are limited by what the host has', () => {
    const m = machine();
    const kvm = new Kvm({ name: 'g' }, m.hardware);
    kvm.setMasks({ apm: ApMask.of(5, 9), aqm: ApMask.of(4, 5), adm: ApMask.of(4, 5) });
    const { apm, aqm, adm } = kvm.effective;
    expect([[...apm], [...aqm], [...adm]]).toEqual([[5], [4], [4]]);
  });

  it('lie where the architecture puts them', () => {
    const m = machine();
    const masks = { apm: ApMask.of(1), aqm: ApMask.of(2), adm: ApMask.of(3) };
    const long = new Kvm({ name: 'long' }, m.hardware);
    long.setMasks(masks);
    expect([long.crycb[0x80], long.crycb[0xa0], long.crycb[0xc0]]).toEqual([0x40, 0x20, 0x10]);
    expect(long.crycb[0]).toBe(0);
    const short = new Kvm({ name: 'short', facilities: [12, 15, 65] }, m.hardware);
    short.setMasks(masks);
    expect([short.crycb[0x00], short.crycb[0x08], short.crycb[0x10]]).toEqual([0x40, 0x20, 0x10]);
    expect(short.crycb[0x80]).toBe(0);
  });
});

describe('AP interpretation', () => {
  it('is switched by a VM attribute, where the host has AP', () => {
    const kvm = new Kvm({ name: 'g', apie: false }, machine().hardware);
    expect(kvm.setCryptoAttribute(4)).toBe(0);
    expect(kvm.apie).toBe(true);
    expect(kvm.setCryptoAttribute(5)).toBe(0);
    expect(kvm.apie).toBe(false);
    expect(kvm.setCryptoAttribute(6)).toBe(-6);
    expect(kvm.setCryptoAttribute(4, false)).toBe(-95);
    expect([kvm.hasCryptoAttribute(4), kvm.hasCryptoAttribute(6)]).toEqual([0, -6]);
    expect(kvm.hasCryptoAttribute(4, false)).toBe(-6);
  });

  it('off leaves the guest nothing', () => {
    const kvm = new Kvm({ name: 'g', apie: false }, machine().hardware);
    kvm.setMasks({ apm: ApMask.of(5), aqm: ApMask.of(4), adm: ApMask.NONE });
    expect(rc(new GuestInstructions(kvm).tapq(0x0504))).toBe(1);
  });
});

describe('a level below another', () => {
  it('reaches its queues with every instruction, and gets RC 01 for the others', () => {
    const m = machine({ parameters: { useirq: false } });
    const level = new LimitedInstructions(
      m.hardware,
      maskedLevel(() => ({ apm: ApMask.of(5), aqm: ApMask.of(4), adm: ApMask.NONE })),
    );
    const message = { id: 1, text: 'rsa' };
    expect(rc(level.nqap(0x0504, message))).toBe(0);
    expect(level.dqap(0x0504).message).toEqual(message);
    expect([level.rapq(0x0504), level.zapq(0x0504)].map(rc)).toEqual([0, 0]);
    expect(rc(level.aqic(0x0504, { enable: true, isc: 0, nib: 8 }))).toBe(0);
    expect(level.tapqInfo(0x0504)?.type).toBe(13);
    const outside = [
      level.tapq(0x0604),
      level.rapq(0x0604),
      level.zapq(0x0604),
      level.nqap(0x0604, message),
      level.dqap(0x0604).status,
      level.aqic(0x0604, { enable: true, isc: 0, nib: 8 }),
    ];
    expect(outside.map(rc)).toEqual(Array(6).fill(1));
    expect(level.tapqInfo(0x0604)).toBeUndefined();
    const qci = level.qci();
    expect([[...qci!.apm], [...qci!.aqm], [...qci!.adm]]).toEqual([[5], [4], []]);
  });
});
