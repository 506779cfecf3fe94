import { describe, expect, it } from 'vitest';
import { BOOL, EVENTFD, MASK, NONE, StubDevice, TRIGGER, UNMASK } from './stub-device.js';

const EBADF = 9;
const EBUSY = 16;
const ENODEV = 19;
const EINVAL = 22;
const ENOTTY = 25;

/** A device whose INTx signals an eventfd. */
function enabled(options: ConstructorParameters<typeof StubDevice>[0] = {}) {
  const device = new StubDevice(options);
  const { fd, event } = device.eventfd();
  expect(device.set(0, EVENTFD | TRIGGER, 0, [fd])).toBe(0);
  return { device, event };
}

describe('enabling INTx', () => {
  it('[core:C5.1] unmasks the device and takes the line shared', () => {
    const device = new StubDevice();
    device.hw.set(4, 2, 0x0402);
    expect(device.set(0, EVENTFD | TRIGGER, 0, [device.eventfd().fd])).toBe(0);
    expect([device.intxDisabled, device.interrupts.intx.active]).toEqual([false, true]);
    expect(device.log).toEqual(['request shared']);
  });

  it('[core:C5.2] starts masked while the user has DisINTx set', () => {
    const device = new StubDevice();
    device.virqDisabled = true;
    const { fd, event } = device.eventfd();
    device.set(0, EVENTFD | TRIGGER, 0, [fd]);
    expect(device.intxDisabled).toBe(true);
    expect(device.assert(true)).toBe(false);
    expect(event.count).toBe(0);
  });

  it('[core:C5.3] works without anybody to signal', () => {
    const device = new StubDevice();
    expect(device.set(0, EVENTFD | TRIGGER, 0, [-1])).toBe(0);
    expect(device.interrupts.intx.active).toBe(true);
    expect(device.assert(true)).toBe(true);
  });

  it('[core:C5.4 core:C5.37] is refused while another kind is active', () => {
    const device = new StubDevice();
    device.set(1, EVENTFD | TRIGGER, 0, [-1]);
    expect(device.set(0, EVENTFD | TRIGGER, 0, [-1])).toBe(-EINVAL);
    expect(device.set(2, EVENTFD | TRIGGER, 0, [-1])).toBe(-EINVAL);
  });

  it('is refused without a line', () => {
    expect(new StubDevice({ irq: 0 }).set(0, EVENTFD | TRIGGER, 0, [-1])).toBe(-ENODEV);
    expect(new StubDevice({ irq: 0x80000000 }).set(0, EVENTFD | TRIGGER, 0, [-1])).toBe(-ENODEV);
  });

  it('[core:C5.21] takes the line exclusively where the device can not be masked', () => {
    const device = new StubDevice({ canMaskAtDevice: false });
    device.requestResult = -EBUSY;
    expect(device.set(0, EVENTFD | TRIGGER, 0, [-1])).toBe(-EBUSY);
    expect(device.log).toEqual(['request exclusive']);
    expect(device.interrupts.intx.active).toBe(false);
  });

  it('[core:C5.22] replaces the trigger and keeps the mask', () => {
    const { device, event } = enabled();
    device.set(0, NONE | MASK, 0, 1);
    const other = device.eventfd();
    device.set(0, EVENTFD | TRIGGER, 0, [other.fd]);
    expect(device.intxDisabled).toBe(true);
    device.set(0, NONE | TRIGGER, 0, 1);
    expect([event.count, other.event.count]).toEqual([0, 1]);
  });

  it('[core:C5.23] changes nothing for a descriptor that is none', () => {
    const { device, event } = enabled();
    expect(device.set(0, EVENTFD | TRIGGER, 0, [900])).toBe(-EBADF);
    device.process.fds.set(7, { kind: 'other', close() {} });
    expect(device.set(0, EVENTFD | TRIGGER, 0, [7])).toBe(-EINVAL);
    device.set(0, NONE | TRIGGER, 0, 1);
    expect(event.count).toBe(1);
  });
});

describe('disabling INTx', () => {
  it('frees the line and leaves DisINTx as it is', () => {
    const { device } = enabled();
    device.set(0, NONE | MASK, 0, 1);
    expect(device.set(0, NONE | TRIGGER, 0, 0)).toBe(0);
    expect(device.log).toEqual(['request shared', 'free']);
    expect(device.intxDisabled).toBe(true);
  });

  it('[core:C5.5] is refused when it is not enabled', () => {
    expect(new StubDevice().set(0, NONE | TRIGGER, 0, 0)).toBe(-EINVAL);
  });
});

describe('an interrupt', () => {
  it('[core:C5.6] masks the device, signals once, and waits for an unmask', () => {
    const { device, event } = enabled();
    expect(device.assert(true)).toBe(true);
    expect(device.intxDisabled).toBe(true);
    expect(device.assert(true)).toBe(false);
    expect(event.count).toBe(1);
  });

  it('[core:C5.7] signals again when it is unmasked while still asserted', () => {
    const { device, event } = enabled();
    device.assert(true);
    device.set(0, NONE | UNMASK, 0, 1);
    expect(event.count).toBe(2);
    expect(device.intxDisabled).toBe(true);
  });

  it('[core:C5.8] is let through again by an unmask once it is released', () => {
    const { device, event } = enabled();
    device.assert(true);
    device.assert(false);
    device.set(0, NONE | UNMASK, 0, 1);
    expect(device.intxDisabled).toBe(false);
    expect(event.count).toBe(1);
  });

  it('[core:C5.20] of a neighbour is not taken', () => {
    const { device, event } = enabled();
    expect(device.ring()).toBe(false);
    expect(event.count).toBe(0);
  });

  it('disables the line where the device can not be masked', () => {
    const { device, event } = enabled({ canMaskAtDevice: false });
    expect(device.ring()).toBe(true);
    expect(event.count).toBe(1);
    device.set(0, NONE | UNMASK, 0, 1);
    expect(device.log).toEqual(['request exclusive', 'disable line', 'enable line']);
  });
});

describe('masking', () => {
  it('[core:C5.9] is not to be had by eventfd', () => {
    const { device } = enabled();
    expect(device.set(0, EVENTFD | MASK, 0, [device.eventfd().fd])).toBe(-ENOTTY);
  });

  it('[core:C5.10 core:C5.11] wants INTx to be enabled and a count of one', () => {
    expect(new StubDevice().set(0, NONE | MASK, 0, 1)).toBe(-EINVAL);
    expect(new StubDevice().set(0, NONE | UNMASK, 0, 1)).toBe(-EINVAL);
    expect(enabled().device.set(0, NONE | MASK, 0, 0)).toBe(-EINVAL);
  });

  it('[core:C5.12] by a zero does nothing', () => {
    const { device } = enabled();
    expect(device.set(0, BOOL | MASK, 0, [0])).toBe(0);
    expect(device.intxDisabled).toBe(false);
    expect(device.set(0, BOOL | MASK, 0, [1])).toBe(0);
    expect(device.intxDisabled).toBe(true);
  });

  it('[core:C5.13 core:C5.14] ends by one eventfd at a time', () => {
    const { device } = enabled();
    const unmask = device.eventfd();
    expect(device.set(0, EVENTFD | UNMASK, 0, [unmask.fd])).toBe(0);
    expect(device.set(0, EVENTFD | UNMASK, 0, [unmask.fd])).toBe(-EBUSY);
    device.set(0, NONE | MASK, 0, 1);
    unmask.event.signal();
    expect(device.intxDisabled).toBe(false);
    expect(unmask.event.count).toBe(0);
    expect(device.set(0, EVENTFD | UNMASK, 0, [-1])).toBe(0);
    expect(device.set(0, EVENTFD | UNMASK, 0, [-1])).toBe(0);
    device.set(0, EVENTFD | UNMASK, 0, [unmask.fd]);
    device.process.fds.close(unmask.fd);
    expect(device.set(0, EVENTFD | UNMASK, 0, [device.eventfd().fd])).toBe(0);
  });

  it('acts at once on an eventfd that was signalled before', () => {
    const { device } = enabled();
    const unmask = device.eventfd();
    unmask.event.signal();
    device.set(0, NONE | MASK, 0, 1);
    device.set(0, EVENTFD | UNMASK, 0, [unmask.fd]);
    expect(device.intxDisabled).toBe(false);
    expect(unmask.event.count).toBe(1);
  });
});

describe('loopback', () => {
  it('[core:C5.15] signals without masking', () => {
    const { device, event } = enabled();
    device.set(0, NONE | TRIGGER, 0, 1);
    device.set(0, BOOL | TRIGGER, 0, [1]);
    device.set(0, BOOL | TRIGGER, 0, [0]);
    expect(event.count).toBe(2);
    expect(device.intxDisabled).toBe(false);
  });

  it('[core:C5.16] is silent while the user has DisINTx set', () => {
    const { device, event } = enabled();
    device.virqDisabled = true;
    expect(device.set(0, NONE | TRIGGER, 0, 1)).toBe(0);
    expect(event.count).toBe(0);
  });
});

describe('the virtual DisINTx bit', () => {
  const follow = (device: StubDevice, disabled: boolean) => {
    device.virqDisabled = disabled;
    if (disabled) device.interrupts.intx.mask();
    else device.interrupts.intx.unmask();
  };

  it('[core:C5.17] masks and unmasks', () => {
    const { device } = enabled();
    follow(device, true);
    expect(device.intxDisabled).toBe(true);
    follow(device, false);
    expect(device.intxDisabled).toBe(false);
  });

  it('[core:C5.18] takes a mask by ioctl away with its own', () => {
    const { device } = enabled();
    device.set(0, NONE | MASK, 0, 1);
    follow(device, true);
    follow(device, false);
    expect(device.intxDisabled).toBe(false);
  });

  it('[core:C5.19] is stronger than an unmask by ioctl', () => {
    const { device } = enabled();
    follow(device, true);
    device.set(0, NONE | UNMASK, 0, 1);
    expect(device.intxDisabled).toBe(true);
  });

  it('[core:C5.49] changes the device only, while MSI is active', () => {
    const device = new StubDevice();
    const { fd, event } = device.eventfd();
    device.set(1, EVENTFD | TRIGGER, 0, [fd]);
    follow(device, true);
    expect(device.intxDisabled).toBe(true);
    device.vectorHandlers.get(0)?.();
    expect(event.count).toBe(1);
  });
});
