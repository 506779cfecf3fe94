import { handlePqap, Kvm } from '@vfiokit/ap';
import { describe, expect, it } from 'vitest';
import { free, HARDWARE, Holder, M2, rcOf } from '../support/fixture.js';

const Q = 0x0504;

function running(spec: ConstructorParameters<typeof Holder>[2] = {}) {
  const m = free();
  const mdev = m.assigned([5], [4]);
  const holder = new Holder(m, mdev, spec);
  return { m, mdev, holder, kvm: holder.kvm };
}

/** Answers AQIC with these response codes in turn. */
function aqicAnswers(m: ReturnType<typeof free>, ...codes: number[]) {
  let asked = 0;
  m.hardware.fault = (instruction) => {
    if (instruction !== 'AQIC') return undefined;
    asked += 1;
    return codes.shift();
  };
  return () => asked;
}

describe('a guest that enables interrupts', () => {
  it('[ap:151] gets them, with its page pinned and its subclass alerted', () => {
    const { m, holder, kvm } = running();
    expect(holder.aqic(Q, true, 0x5000, 3)).toMatchObject({ kind: 'done', cc: 0 });
    expect(m.hardware.interruptsEnabled(Q)).toBe(true);
    expect([holder.pins.count(0x5000), kvm.gisa!.references(3)]).toEqual([1, 1]);
    m.hardware.nqap(Q, { id: 1, text: 'rsa' });
    expect([kvm.gisa!.take(), kvm.gisa!.alerts]).toEqual([0x10, 1]);
  });

  it.each([
    ['0', 0],
    ['outside of its storage', 2 ** 40],
  ])('[ap:152] gets RC 06 for an indicator at %s', (_, nib) => {
    const { holder } = running();
    const outcome = holder.aqic(Q, true, nib);
    expect([rcOf(outcome), outcome]).toMatchObject([6, { cc: 3 }]);
    expect(holder.pins.total).toBe(0);
  });

  it('[ap:153] gets RC 06 where the page cannot be pinned', () => {
    const { holder, kvm } = running();
    holder.unmap(0x5000);
    expect(rcOf(holder.aqic(Q, true))).toBe(6);
    expect(kvm.gisa!.references(3)).toBe(0);
  });

  it('[ap:154] gets RC 06 without an interruption state area', () => {
    const { holder } = running({ gisa: false });
    expect(rcOf(holder.aqic(Q, true))).toBe(6);
    expect(holder.pins.total).toBe(0);
  });

  it('[ap:155] sees that they are enabled already, and keeps what it had', () => {
    const { holder, kvm } = running();
    holder.aqic(Q, true, 0x5000, 3);
    expect(rcOf(holder.aqic(Q, true, 0x7000, 4))).toBe(7);
    expect([holder.pins.count(0x5000), holder.pins.count(0x7000)]).toEqual([1, 0]);
    expect([kvm.gisa!.references(3), kvm.gisa!.references(4)]).toEqual([1, 0]);
  });

  it('[ap:156] may move the indicator, and the old page is let go of', () => {
    const { m, holder, kvm } = running();
    holder.aqic(Q, true, 0x5000, 3);
    // The guest's own reset ends interrupts without its host noticing.
    m.hardware.rapq(Q);
    expect(rcOf(holder.aqic(Q, true, 0x7000, 4))).toBe(0);
    expect([holder.pins.count(0x5000), holder.pins.count(0x7000)]).toEqual([0, 1]);
    expect([kvm.gisa!.references(3), kvm.gisa!.references(4)]).toEqual([0, 1]);
  });

  it('leaves nothing behind when the hardware answers something else', () => {
    const { m, holder, kvm } = running();
    aqicAnswers(m, 3);
    expect(rcOf(holder.aqic(Q, true))).toBe(3);
    expect([holder.pins.total, kvm.gisa!.references(3)]).toEqual([0, 0]);
  });

  it('[ap:167] must share the page if it is protected', () => {
    const { holder, kvm } = running({ protected: true });
    expect(rcOf(holder.aqic(Q, true))).toBe(6);
    expect(holder.pins.total).toBe(0);
    kvm.share(0x5000);
    expect(rcOf(holder.aqic(Q, true))).toBe(0);
  });
});

describe('a guest that disables interrupts', () => {
  it('[ap:157] gives back what they held', () => {
    const { m, holder, kvm } = running();
    holder.aqic(Q, true);
    expect(holder.aqic(Q, false)).toMatchObject({ kind: 'done', cc: 0 });
    expect([holder.pins.total, kvm.gisa!.references(3)]).toEqual([0, 0]);
    expect(m.hardware.interruptsEnabled(Q)).toBe(false);
  });

  it('[ap:158] that were never enabled gets RC 07', () => {
    const outcome = running().holder.aqic(Q, false);
    expect([rcOf(outcome), outcome]).toMatchObject([7, { cc: 3 }]);
  });

  it('[ap:159] is patient with a queue that is busy: six attempts', () => {
    const { m, holder } = running();
    holder.aqic(Q, true);
    const asked = aqicAnswers(m, 2, 2, 2, 2, 2, 0);
    expect(rcOf(holder.aqic(Q, false))).toBe(0);
    expect(asked()).toBe(6);
    expect(holder.pins.total).toBe(0);
  });

  it('[ap:159] gives up after six, and gives back what they held all the same', () => {
    const { m, holder, kvm } = running();
    holder.aqic(Q, true);
    const asked = aqicAnswers(m, 2, 2, 2, 2, 2, 2, 0);
    expect(rcOf(holder.aqic(Q, false))).toBe(2);
    expect(asked()).toBe(6);
    expect([holder.pins.total, kvm.gisa!.references(3)]).toEqual([0, 0]);
  });

  it('keeps the page until the adapter is done with it', () => {
    const m = free({ hardware: { ...HARDWARE, aqicTime: 30 } });
    const holder = new Holder(m, m.assigned([5], [4]));
    holder.aqic(Q, true);
    m.clock.advance(100);
    const start = m.clock.now;
    expect(rcOf(holder.aqic(Q, false))).toBe(0);
    expect(m.clock.now - start).toBe(40);
  });
});

describe('an intercepted PQAP', () => {
  const AQIC = 0x0300_0504n;
  const pqap = (kvm: Kvm, gr0: bigint, context = {}) =>
    handlePqap(kvm, { gr0, gr1: 0x8000_0000_0003n, gr2: 0x5000n }, context);

  it('[ap:160] for a queue that the guest does not have is answered with RC 01', () => {
    expect(rcOf(running().holder.aqic(0x0604, true))).toBe(1);
  });

  it('[ap:161] of a CPU without interrupt virtualization is left to user space', () => {
    expect(running({ aiv: false }).holder.aqic(Q, true)).toEqual({ kind: 'unhandled' });
  });

  it('[ap:162] with another function is left to user space', () => {
    const { kvm } = running();
    for (const code of [0n, 1n, 2n, 4n, 5n])
      expect(pqap(kvm, (code << 24n) | 0x0504n)).toEqual({ kind: 'unhandled' });
  });

  it('[ap:162] in problem state is a privileged operation', () => {
    expect(pqap(running().kvm, AQIC, { problemState: true })).toEqual({
      kind: 'exception',
      exception: 'privileged operation',
    });
  });

  const specification = { kind: 'exception', exception: 'specification' };

  it('[ap:163] with reserved bits is a specification exception', () => {
    expect(pqap(running().kvm, AQIC | (1n << 18n))).toEqual(specification);
  });

  it('[ap:163] without the facility is a specification exception', () => {
    expect(pqap(running({ facilities: [12, 15, 76] }).kvm, AQIC)).toEqual(specification);
    const { kvm } = running({ facilities: [12, 65, 76] });
    expect(pqap(kvm, AQIC | (1n << 23n))).toEqual(specification);
    expect(rcOf(pqap(kvm, AQIC))).toBe(0);
  });

  it('[ap:164] for an id that a short format cannot name is a specification exception', () => {
    const { kvm } = running({ facilities: [12, 15, 65] });
    expect(pqap(kvm, 0x0300_4004n)).toEqual(specification);
    expect(pqap(kvm, 0x0300_0510n)).toEqual(specification);
  });

  it('[ap:165] of a machine without a device is answered with RC 01', () => {
    const { m } = running();
    const outcome = pqap(new Kvm({ name: 'bare' }, m.hardware), AQIC);
    expect([rcOf(outcome), outcome]).toMatchObject([1, { cc: 3 }]);
  });

  it('without AP interpretation, or without AP in the host, is left to user space', () => {
    const { kvm } = running({ apie: false });
    expect(pqap(kvm, AQIC)).toEqual({ kind: 'unhandled' });
    expect(pqap(running().kvm, AQIC, { hostHasAp: false })).toEqual({ kind: 'unhandled' });
  });
});

describe('unmapping the guest’s storage', () => {
  it('[ap:166] ends interrupts whose indicator lies in the range, and no others', () => {
    const { m, mdev, holder } = running();
    mdev.write('assign_domain', '0x47');
    holder.aqic(0x0504, true, 0x5000);
    holder.aqic(0x0547, true, 0x10_5000);
    holder.unmap(0x5000);
    expect([holder.pins.count(0x5000), holder.pins.count(0x10_5000)]).toEqual([0, 1]);
    expect([0x0504, 0x0547].map((q) => m.hardware.interruptsEnabled(q))).toEqual([false, true]);
  });

  it('[ap:166] goes by the address, not by the page', () => {
    const { mdev, holder } = running();
    mdev.write('assign_domain', '0x47');
    holder.aqic(0x0504, true, 0x5000);
    holder.aqic(0x0547, true, 0x5800);
    mdev.instance.vfio.dmaUnmap(0x5000n, 0x800n);
    expect(holder.pins.count(0x5000)).toBe(1);
  });

  it('leaves queues without interrupts alone, even at address 0', () => {
    const { m, mdev } = running();
    const asked = aqicAnswers(m);
    mdev.instance.vfio.dmaUnmap(0n, 0x1000n);
    expect(asked()).toBe(0);
  });

  it('of another device is none of this one’s business', () => {
    const { m, holder } = running();
    holder.aqic(Q, true);
    m.assigned([6], [4], M2).instance.vfio.dmaUnmap(0n, 2n ** 30n);
    expect(holder.pins.total).toBe(1);
  });
});
