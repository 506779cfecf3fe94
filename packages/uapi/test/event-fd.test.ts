import { describe, expect, test, vi } from 'vitest';
import { EventFd } from '../src/index.js';

const EAGAIN = 11;

describe('an eventfd', () => {
  test('adds up what is signalled until it is read', () => {
    const eventfd = new EventFd();
    eventfd.signal();
    eventfd.signal(4);
    expect(eventfd.count).toBe(5);
    expect(eventfd.read()).toBe(5);
    expect(eventfd.count).toBe(0);
  });

  test('answers EAGAIN when there is nothing to read, while taking it is 0', () => {
    const eventfd = new EventFd();
    expect(eventfd.read()).toBe(-EAGAIN);
    expect(eventfd.take()).toBe(0);
  });

  test('calls the function it was made with on every signal', () => {
    const sink = vi.fn();
    const eventfd = new EventFd(sink);
    eventfd.signal();
    eventfd.signal(2);
    expect(sink.mock.calls).toEqual([[1], [2]]);
  });

  test('wakes who waits, after it has counted', () => {
    const eventfd = new EventFd();
    const seen: number[] = [];
    const detach = eventfd.attach({ wake: () => seen.push(eventfd.take()), hangUp: () => {} });
    eventfd.signal(3);
    detach();
    eventfd.signal(7);
    expect(seen).toEqual([3]);
    expect(eventfd.count).toBe(7);
  });

  test('survives a waiter that leaves while it is woken', () => {
    const eventfd = new EventFd();
    const woken: string[] = [];
    const leave = eventfd.attach({
      wake: () => {
        woken.push('first');
        leave();
      },
      hangUp: () => {},
    });
    eventfd.attach({ wake: () => woken.push('second'), hangUp: () => {} });
    eventfd.signal();
    eventfd.signal();
    expect(woken).toEqual(['first', 'second', 'second']);
  });

  test('tells its waiters once that it is closed, and is silent then', () => {
    const sink = vi.fn();
    const waiter = { wake: vi.fn(), hangUp: vi.fn() };
    const eventfd = new EventFd(sink);
    eventfd.attach(waiter);
    eventfd.close();
    eventfd.close();
    eventfd.signal();
    expect(waiter.hangUp).toHaveBeenCalledOnce();
    expect(waiter.wake).not.toHaveBeenCalled();
    expect(sink).not.toHaveBeenCalled();
    expect(eventfd.count).toBe(0);
  });
});
