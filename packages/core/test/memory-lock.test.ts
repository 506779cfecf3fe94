import { describe, expect, it } from 'vitest';
import { MemoryLock } from '../src/memory-lock.js';

describe('the memory lock', () => {
  it('is taken by one at a time', () => {
    const lock = new MemoryLock();
    expect(lock.tryTake()).toBe(true);
    expect(lock.tryTake()).toBe(false);
    lock.release();
    expect(lock.tryTake()).toBe(true);
  });

  it('is held while something runs under it, which returns what it returns', () => {
    const lock = new MemoryLock();
    expect(lock.run(() => [lock.held, lock.tryTake()])).toEqual([true, false]);
    expect(lock.held).toBe(false);
  });

  it('lets what runs under it come in again, and is released by the outermost', () => {
    const lock = new MemoryLock();
    lock.run(() => {
      lock.run(() => {});
      expect(lock.held).toBe(true);
    });
    expect(lock.held).toBe(false);
  });

  it('leaves the lock to whoever took it before', () => {
    const lock = new MemoryLock();
    lock.tryTake();
    lock.run(() => {});
    expect(lock.held).toBe(true);
  });

  it('is released by what throws', () => {
    const lock = new MemoryLock();
    const failing = () => {
      throw new Error('device');
    };
    expect(() => lock.run(failing)).toThrow('device');
    expect(lock.held).toBe(false);
  });
});
