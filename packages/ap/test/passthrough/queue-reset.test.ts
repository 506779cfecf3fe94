import { describe, expect, it } from 'vitest';
import { afterTapq, afterZapq } from '../../src/passthrough/queue-reset.js';
import { free, HARDWARE, Holder, rcOf } from '../support/fixture.js';

const RESET = 0x3b6f;
const EIO = -5;

/** Answers an instruction on 05.0004 with these response codes in turn, then lets the hardware answer. */
function script(m: ReturnType<typeof free>, codes: { ZAPQ?: number[]; TAPQ?: number[] }) {
  const log: string[] = [];
  m.hardware.fault = (instruction, apqn) => {
    if (apqn !== 0x0504 || (instruction !== 'ZAPQ' && instruction !== 'TAPQ')) return undefined;
    const code = codes[instruction]?.shift();
    log.push(code === undefined ? instruction : `${instruction} ${code.toString(16)}`);
    return code;
  };
  return log;
}

describe('VFIO_DEVICE_RESET', () => {
  it('[ap:143] is done when every queue answers that it is', () => {
    const m = free({ hardware: { ...HARDWARE, resetTime: 30 } });
    const holder = new Holder(m, m.assigned([5], [4, 0x47]));
    m.clock.advance(100);
    const start = m.clock.now;
    expect(holder.ioctl(RESET)).toBe(0);
    expect(m.clock.now - start).toBe(40);
  });

  it.each([2, 5, 0x0a])('[ap:144] repeats ZAPQ that was answered with RC %i', (code) => {
    const m = free();
    const holder = new Holder(m, m.assigned([5], [4]));
    const log = script(m, { ZAPQ: [code], TAPQ: [2] });
    expect(holder.ioctl(RESET)).toBe(0);
    expect(log).toEqual([`ZAPQ ${code.toString(16)}`, 'TAPQ 2', 'TAPQ', 'ZAPQ', 'TAPQ']);
  });

  it.each([0x35, 0x36])(
    '[ap:145] repeats ZAPQ when TAPQ tells that an association failed',
    (code) => {
      const m = free();
      const holder = new Holder(m, m.assigned([5], [4]));
      const log = script(m, { TAPQ: [code] });
      expect(holder.ioctl(RESET)).toBe(0);
      expect(log).toEqual(['ZAPQ', `TAPQ ${code.toString(16)}`, 'ZAPQ', 'TAPQ']);
    },
  );

  it('[ap:146] fails for an adapter in standby, whose interrupts end; it stays the guest’s', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const holder = new Holder(m, mdev);
    holder.aqic(0x0504, true);
    m.hardware.setState(5, 'standby');
    expect(holder.ioctl(RESET)).toBe(EIO);
    expect(holder.pins.total).toBe(0);
    mdev.write('assign_adapter', '6');
    expect(mdev.passed).toEqual(['05.0004', '06.0004']);
  });

  it('[ap:147] fails for a queue that is gone, and the next filter leaves its adapter out', () => {
    const m = free();
    const mdev = m.assigned([5], [4]);
    const holder = new Holder(m, mdev);
    script(m, { ZAPQ: [1] });
    expect(holder.ioctl(RESET)).toBe(EIO);
    mdev.write('assign_adapter', '6');
    expect(mdev.passed).toEqual(['06.0004']);
  });

  it('[ap:148] resets the others when one fails', () => {
    const m = free();
    const mdev = m.assigned([5, 6], [4]);
    const holder = new Holder(m, mdev);
    m.hardware.nqap(0x0604, { id: 1, text: 'secret' });
    script(m, { ZAPQ: [1] });
    expect(holder.ioctl(RESET)).toBe(EIO);
    expect(m.hardware.holdsSecrets(0x0604)).toBe(false);
  });

  it('[ap:149] ends interrupts, with what they held', () => {
    const m = free();
    const holder = new Holder(m, m.assigned([5], [4]));
    expect(rcOf(holder.aqic(0x0504, true))).toBe(0);
    expect([holder.pins.total, holder.kvm.gisa!.references(3)]).toEqual([1, 1]);
    expect(holder.ioctl(RESET)).toBe(0);
    expect([holder.pins.total, holder.kvm.gisa!.references(3)]).toEqual([0, 0]);
    expect(m.hardware.interruptsEnabled(0x0504)).toBe(false);
  });

  it('[ap:150] without queues is fine', () => {
    const m = free();
    expect(new Holder(m, m.create()).ioctl(RESET)).toBe(0);
  });

  it('gives up waiting for a queue that never comes back, and says so', () => {
    const m = free();
    const holder = new Holder(m, m.assigned([5], [4]));
    m.hardware.fault = (instruction) => (instruction === 'TAPQ' ? 2 : undefined);
    expect(holder.ioctl(RESET)).toBe(0);
    expect(m.dmesg().at(-1)).toBe('05.0004: reset blocked for more than 120 seconds');
  });
});

describe('what follows a response code', () => {
  it('of ZAPQ', () => {
    const table = { check: [0, 2, 5, 0x0a], release: [1, 3, 4], 'give up': [6, 7, 8, 0x0b, 0x42] };
    for (const [next, codes] of Object.entries(table))
      for (const code of codes) expect([code, afterZapq(code)]).toEqual([code, next]);
  });

  it('of TAPQ, after a ZAPQ that was accepted', () => {
    const table = {
      wait: [2, 5],
      release: [0, 3, 4, 1],
      again: [0x35, 0x36],
      'give up': [6, 0x0b, 0x42],
    };
    for (const [next, codes] of Object.entries(table))
      for (const code of codes) expect([code, afterTapq(code, 0)]).toEqual([code, next]);
  });

  it('of TAPQ, after a ZAPQ that found the queue busy', () => {
    for (const zapq of [2, 5, 0x0a])
      for (const code of [0, 3, 4]) expect(afterTapq(code, zapq)).toBe('again');
    expect(afterTapq(1, 2)).toBe('release');
  });
});
