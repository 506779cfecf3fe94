import { describe, expect, it } from 'vitest';
import { BOOL, EVENTFD, MASK, NONE, StubDevice, TRIGGER } from './stub-device.js';

const EFAULT = 14;
const EINVAL = 22;
const ENOTTY = 25;

describe('SET_IRQS', () => {
  it('[core:C2.25 core:C2.26 core:C2.27] wants its header, known flags and one kind of data', () => {
    const device = new StubDevice();
    expect(device.raw([20, NONE | TRIGGER, 0, 0])).toBe(-EFAULT);
    expect(device.raw([19, NONE | TRIGGER, 1, 0, 1])).toBe(-EINVAL);
    expect(device.raw([20, NONE | TRIGGER | 0x40, 1, 0, 1])).toBe(-EINVAL);
    expect(device.raw([20, NONE | BOOL | TRIGGER, 1, 0, 1])).toBe(-EINVAL);
    expect(device.raw([20, TRIGGER, 1, 0, 1])).toBe(-EINVAL);
    expect(device.raw([20, NONE | TRIGGER, 5, 0, 1])).toBe(-EINVAL);
  });

  it('[core:C2.28 core:C2.29] wants exactly one action', () => {
    const device = new StubDevice();
    expect(device.raw([20, NONE, 1, 0, 1])).toBe(-ENOTTY);
    expect(device.raw([20, NONE | MASK | TRIGGER, 0, 0, 1])).toBe(-ENOTTY);
  });

  it('[core:C2.30 core:C2.31 core:C2.33 core:C2.34] stays inside the interrupts that there are', () => {
    const device = new StubDevice({ isPcie: false, pin: 0 });
    expect(device.raw([20, NONE | TRIGGER, 1, 8, 0])).toBe(-EINVAL);
    expect(device.raw([20, NONE | TRIGGER, 1, 6, 3])).toBe(-EINVAL);
    expect(device.raw([20, NONE | TRIGGER, 0, 0, 0])).toBe(-EINVAL);
    expect(device.raw([20, NONE | TRIGGER, 3, 0, 0])).toBe(-EINVAL);
    expect(device.raw([20, NONE | TRIGGER, 1, 0, 0xffffffff])).toBe(-EINVAL);
    expect(device.raw([20, NONE | TRIGGER, 1, 0xffffffff, 1])).toBe(-EINVAL);
  });

  it('[core:C2.32] measures its data', () => {
    const device = new StubDevice();
    expect(device.raw([24, EVENTFD | TRIGGER, 1, 0, 2, 0xffffffff])).toBe(-EINVAL);
    expect(device.raw([28, EVENTFD | TRIGGER, 1, 0, 2, 0xffffffff])).toBe(-EFAULT);
  });
});

describe('GET_IRQ_INFO', () => {
  it('[core:C2.18 core:C2.19 core:C2.20] tells of INTx', () => {
    expect(new StubDevice().interrupts.info(5)).toBe(-EINVAL);
    expect(new StubDevice().interrupts.info(0)).toEqual({ flags: 7, count: 1 });
    expect(new StubDevice({ pin: 0 }).interrupts.info(0)).toEqual({ flags: 7, count: 0 });
  });

  it('[core:C2.21 core:C2.22] reads the vectors from the hardware every time', () => {
    const device = new StubDevice();
    expect(device.interrupts.info(1)).toEqual({ flags: 9, count: 8 });
    expect(device.interrupts.info(2)).toEqual({ flags: 9, count: 16 });
    device.hw.set(0x72, 2, 0x8000 | 99);
    expect(device.interrupts.info(2)).toEqual({ flags: 9, count: 100 });
    expect(new StubDevice({ msixDynamic: true }).interrupts.info(2)).toEqual({
      flags: 1,
      count: 16,
    });
  });

  it('[core:C2.23 core:C2.24] tells of errors on PCI Express only, and of release requests everywhere', () => {
    expect(new StubDevice({ isPcie: false }).interrupts.info(3)).toBe(-EINVAL);
    expect(new StubDevice().interrupts.info(3)).toEqual({ flags: 9, count: 1 });
    expect(new StubDevice().interrupts.info(4)).toEqual({ flags: 9, count: 1 });
  });
});
