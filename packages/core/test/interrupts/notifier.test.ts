import { describe, expect, it } from 'vitest';
import { BOOL, EVENTFD, MASK, NONE, StubDevice, TRIGGER } from './stub-device.js';

const EBADF = 9;
const EINVAL = 22;
const ENOTTY = 25;
const ERR = 3;
const REQ = 4;

describe('errors and release requests', () => {
  it('[core:C5.42 core:C5.43 core:C5.44] can be cleared, asked for and left alone', () => {
    const device = new StubDevice();
    expect(device.set(ERR, NONE | TRIGGER, 0, 0)).toBe(-EINVAL);
    expect(device.set(ERR, NONE | TRIGGER, 0, 1)).toBe(-EINVAL);
    expect(device.set(ERR, EVENTFD | TRIGGER, 0, [-1])).toBe(0);
    expect(device.set(ERR, EVENTFD | TRIGGER, 0, [-2])).toBe(-EINVAL);
    expect(device.set(ERR, EVENTFD | TRIGGER, 0, [900])).toBe(-EBADF);
    expect(device.set(ERR, BOOL | TRIGGER, 0, [1])).toBe(0);
    expect(device.set(ERR, BOOL | TRIGGER, 0, [])).toBe(-EINVAL);
    expect(device.set(ERR, EVENTFD | TRIGGER, 0, [])).toBe(-EINVAL);
  });

  it('[core:C5.45] signal once by loopback', () => {
    const device = new StubDevice();
    const { fd, event } = device.eventfd();
    device.set(REQ, EVENTFD | TRIGGER, 0, [fd]);
    expect(device.set(REQ, NONE | TRIGGER, 0, 1)).toBe(0);
    expect(device.set(REQ, BOOL | TRIGGER, 0, [1])).toBe(0);
    expect(device.set(REQ, BOOL | TRIGGER, 0, [0])).toBe(0);
    expect(event.count).toBe(2);
    expect(device.set(REQ, NONE | TRIGGER, 0, 0)).toBe(0);
    expect(device.req.armed).toBe(false);
  });

  it('[core:C5.46] do not mind which kind of interrupt is active', () => {
    const device = new StubDevice();
    device.set(1, EVENTFD | TRIGGER, 0, [-1]);
    expect(device.set(ERR, EVENTFD | TRIGGER, 0, [device.eventfd().fd])).toBe(0);
    expect(device.set(REQ, EVENTFD | TRIGGER, 0, [device.eventfd().fd])).toBe(0);
  });

  it('[core:C5.47] can not be masked', () => {
    expect(new StubDevice().set(ERR, NONE | MASK, 0, 1)).toBe(-ENOTTY);
    expect(new StubDevice().set(REQ, NONE | MASK, 0, 1)).toBe(-ENOTTY);
  });
});
