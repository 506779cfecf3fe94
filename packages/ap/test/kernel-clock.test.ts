import { KernelClock } from '@vfiokit/ap';
import { describe, expect, it } from 'vitest';

describe('the kernel’s clock', () => {
  it('runs what falls due, in order, and what that starts', () => {
    const clock = new KernelClock();
    const log: string[] = [];
    const say = (what: string) => () => void log.push(`${clock.now} ${what}`);
    clock.after(20, say('b'));
    clock.after(10, () => {
      say('a')();
      clock.after(5, say('started by a'));
    });
    clock.after(20, say('c'));
    clock.after(30, say('too late'))();
    clock.advance(25);
    expect(log).toEqual(['10 a', '15 started by a', '20 b', '20 c']);
    clock.advance(100);
    expect(log).toHaveLength(4);
    expect(clock.now).toBe(125);
  });

  it('stands still until somebody sleeps, and then passes just as much', () => {
    const clock = new KernelClock();
    let done = false;
    clock.after(30, () => {
      done = true;
    });
    expect(clock.waitFor(() => done, 1000)).toBe(true);
    expect(clock.now).toBe(30);
    expect(clock.waitFor(() => false, 50)).toBe(false);
    expect(clock.now).toBe(80);
    expect(clock.waitFor(() => true, 50)).toBe(true);
    expect(clock.now).toBe(80);
  });

  it('puts work off that needs the locks of whoever sleeps', () => {
    const clock = new KernelClock();
    const log: string[] = [];
    clock.workAfter(10, () => void log.push('work'));
    clock.after(20, () => void log.push('timer'));
    clock.sleep(100);
    expect(log).toEqual(['timer']);
    clock.advance(0);
    expect(log).toEqual(['timer', 'work']);
    expect(clock.now).toBe(100);
  });
});
