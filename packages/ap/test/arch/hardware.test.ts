import { ApHardware, ApMask, type HardwareSpec, KernelClock } from '@vfiokit/ap';
import { describe, expect, it } from 'vitest';

const rc = (status: number) => (status >>> 16) & 0xff;
const Q = 0x0504;
const AQIC = { isc: 3, nib: 0x1000 };

function hardware(spec: Partial<HardwareSpec> = {}) {
  const clock = new KernelClock();
  return { clock, ap: new ApHardware({ adapters: [5], domains: [4], ...spec }, clock) };
}

describe('a queue', () => {
  it('answers 01 where there is none, 03 in standby, 04 after an error', () => {
    const { ap } = hardware();
    expect([ap.tapq(Q), ap.tapq(0x0505), ap.tapq(0x0604)].map(rc)).toEqual([0, 1, 1]);
    ap.setState(5, 'standby');
    expect(rc(ap.tapq(Q))).toBe(3);
    expect(ap.tapqInfo(Q)?.type).toBe(13);
    ap.setState(5, 'checkstopped');
    expect([ap.tapq(Q), ap.zapq(Q), ap.nqap(Q, { id: 1, text: '' })].map(rc)).toEqual([4, 4, 4]);
    expect(ap.tapqInfo(0x0604)).toBeUndefined();
  });

  it('exists in the domains that its adapter has', () => {
    const { ap } = hardware({ adapters: { 5: { domains: 4 } }, domains: [3, 4] });
    expect([ap.tapq(0x0503), ap.tapq(0x0504)].map(rc)).toEqual([0, 1]);
  });

  it('is busy while it is reset, and answers 02 to another reset', () => {
    const { ap, clock } = hardware({ resetTime: 30 });
    expect(rc(ap.rapq(Q))).toBe(0);
    expect([ap.tapq(Q), ap.zapq(Q), ap.nqap(Q, { id: 1, text: '' })].map(rc)).toEqual([2, 2, 2]);
    clock.advance(30);
    expect(rc(ap.tapq(Q))).toBe(0);
  });

  it('loses requests and interrupts by RAPQ, secrets by ZAPQ only', () => {
    const { ap } = hardware();
    ap.aqic(Q, { enable: true, ...AQIC });
    ap.nqap(Q, { id: 1, text: 'a' });
    ap.rapq(Q);
    expect(rc(ap.dqap(Q).status)).toBe(0x10);
    expect([ap.interruptsEnabled(Q), ap.holdsSecrets(Q)]).toEqual([false, true]);
    ap.zapq(Q);
    expect(ap.holdsSecrets(Q)).toBe(false);
  });

  it('takes as many requests as it is deep, and gives replies in their order', () => {
    const { ap, clock } = hardware({ adapters: { 5: { depth: 2 } }, serviceTime: 10 });
    const send = (id: number) => rc(ap.nqap(Q, { id, text: `${id}` }));
    expect([send(1), send(2), send(3)]).toEqual([0, 0, 0x10]);
    expect(rc(ap.dqap(Q).status)).toBe(0x10);
    expect(ap.tapq(Q)).toBe(0x2000_0000);
    clock.advance(10);
    expect(ap.tapq(Q)).toBe(0x6000_0000);
    expect([ap.dqap(Q).message, ap.dqap(Q).message]).toMatchObject([{ id: 1 }, { id: 2 }]);
    expect(ap.tapq(Q)).toBe(0x8000_0000);
  });
});

describe('interrupts of a queue', () => {
  it('are on a little after they were accepted', () => {
    const { ap, clock } = hardware({ aqicTime: 5 });
    expect(rc(ap.aqic(Q, { enable: true, ...AQIC }))).toBe(0);
    expect(ap.tapq(Q) & 0x0100_0000).toBe(0);
    clock.advance(5);
    expect(ap.tapq(Q) & 0x0100_0000).not.toBe(0);
    ap.aqic(Q, { enable: false, ...AQIC });
    expect(ap.tapq(Q) & 0x0100_0000).not.toBe(0);
    clock.advance(5);
    expect(ap.tapq(Q) & 0x0100_0000).toBe(0);
  });

  it('answer 07 if they are as asked, and 06 without an address', () => {
    const { ap } = hardware();
    expect(rc(ap.aqic(Q, { enable: false, ...AQIC }))).toBe(7);
    for (const nib of [0, Number(0xffff_ffff_ffff_ffffn)])
      expect(rc(ap.aqic(Q, { enable: true, isc: 3, nib }))).toBe(6);
    ap.aqic(Q, { enable: true, ...AQIC });
    expect(rc(ap.aqic(Q, { enable: true, ...AQIC }))).toBe(7);
    expect(rc(ap.aqic(0x0604, { enable: true, ...AQIC }))).toBe(1);
  });

  it('go to whoever enabled them', () => {
    const { ap } = hardware({ domains: [4, 5] });
    const guest: number[] = [];
    ap.aqic(0x0504, { enable: true, ...AQIC });
    const area = { setPending: (isc: number) => void guest.push(isc) };
    ap.aqic(0x0505, { enable: true, ...AQIC, guest: { isc: 6, area } });
    ap.nqap(0x0504, { id: 1, text: '' });
    ap.nqap(0x0505, { id: 1, text: '' });
    expect([ap.hostInterrupts, guest]).toEqual([1, [6]]);
  });
});

describe('the partition', () => {
  it('loses what its queues held with the queues', () => {
    const { ap } = hardware({ domains: [4, 5] });
    const use = () => {
      for (const q of [0x0504, 0x0505]) ap.nqap(q, { id: 1, text: '' });
    };
    const held = () => [0x0504, 0x0505].map((q) => ap.holdsSecrets(q));
    use();
    ap.configure({ aqm: ApMask.of(4) });
    ap.configure({ aqm: ApMask.of(4, 5) });
    expect(held()).toEqual([true, false]);
    ap.setState(5, 'standby');
    ap.setState(5, 'configured');
    expect(held()).toEqual([false, false]);
    use();
    ap.removeAdapter(5);
    ap.addAdapter(5);
    expect(held()).toEqual([false, false]);
    use();
    ap.ipl();
    expect(held()).toEqual([false, false]);
  });

  it('answers QCI unless that is not installed', () => {
    expect(hardware({ controlDomains: [7] }).ap.qci()).toMatchObject({ na: 255, nd: 255 });
    const { ap } = hardware({ qciInstalled: false });
    expect(ap.qci()).toBeUndefined();
    expect([...ap.configuration.apm]).toEqual([5]);
  });

  it('tells by QACT what a new type is compatible with', () => {
    const { ap } = hardware({ adapters: { 5: { type: 15, compatibleType: 14 } } });
    expect([ap.qact(Q, 15), ap.qact(Q, 16), ap.qact(0x0604, 15)]).toEqual([14, 0, 0]);
    expect(hardware({ flags: { qact: false } }).ap.qact(Q, 13)).toBe(0);
  });

  it('has a console that may refuse', () => {
    const { ap } = hardware();
    expect(ap.sclp.configure(5, false)).toBe(true);
    expect(ap.stateOf(5)).toBe('standby');
    expect(ap.sclp.configure(9, false)).toBe(false);
    ap.sclp.mode = 'rejects';
    expect(ap.sclp.configure(5, true)).toBe(false);
    expect(ap.stateOf(5)).toBe('standby');
  });

  it('answers with whatever fault is put on it', () => {
    const { ap } = hardware();
    ap.fault = (instruction) => (instruction === 'ZAPQ' ? 0x42 : undefined);
    expect([ap.zapq(Q), ap.rapq(Q)].map(rc)).toEqual([0x42, 0]);
    ap.fault = undefined;
    expect(rc(ap.zapq(Q))).toBe(0);
  });

  it('can be watched, for as long as one likes', () => {
    const { ap } = hardware();
    const seen: string[] = [];
    const end = ap.watch((instruction, apqn) => void seen.push(`${instruction} ${apqn}`));
    ap.tapq(Q);
    ap.zapq(0x0604);
    end();
    ap.rapq(Q);
    expect(seen).toEqual([`TAPQ ${Q}`, `ZAPQ ${0x0604}`]);
  });
});
