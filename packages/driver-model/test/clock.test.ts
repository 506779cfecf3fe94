import { DeviceLock, VirtualClock } from '@vfiokit/driver-model';
import { describe, expect, test } from 'vitest';

describe('a clock that is moved by hand', () => {
  test('fires timers in the order they are due, those included that others start', () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    clock.after(20, () => fired.push(`late at ${clock.now}`));
    clock.after(10, () => {
      fired.push(`early at ${clock.now}`);
      clock.after(5, () => fired.push(`later at ${clock.now}`));
    });
    clock.advance(30);
    expect(fired).toEqual(['early at 10', 'later at 15', 'late at 20']);
    expect(clock.now).toBe(30);
  });

  test('does not fire what was taken back, nor what is not due', () => {
    const clock = new VirtualClock();
    let fired = 0;
    const cancel = clock.after(10, () => {
      fired += 1;
    });
    clock.after(100, () => {
      fired += 1;
    });
    cancel();
    clock.advance(50);
    expect(fired).toBe(0);
  });
});

describe('the lock of a device', () => {
  test('is free at once where nobody holds it, also after a section that failed', () => {
    const lock = new DeviceLock();
    expect(lock.run(() => 1)).toBe(1);
    expect(() =>
      lock.run(() => {
        throw new Error('no');
      }),
    ).toThrow('no');
    expect(lock.held).toBe(false);
    expect(lock.run(() => 2)).toBe(2);
  });

  test('serves those who wait in the order they came, one at a time', async () => {
    const lock = new DeviceLock();
    const order: number[] = [];
    let open = () => {};
    const first = lock.run(
      () =>
        new Promise<void>((done) => {
          open = done;
        }),
    );
    const others = [1, 2, 3].map((number) =>
      lock.run(async () => {
        order.push(number);
        await Promise.resolve();
        order.push(-number);
      }),
    );
    expect(lock.held).toBe(true);
    open();
    await Promise.all([first, ...others]);
    expect(order).toEqual([1, -1, 2, -2, 3, -3]);
    await Promise.resolve();
    expect(lock.held).toBe(false);
  });
});
