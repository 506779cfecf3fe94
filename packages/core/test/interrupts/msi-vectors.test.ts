import { describe, expect, it } from 'vitest';
import { BOOL, EVENTFD, MASK, NONE, StubDevice, TRIGGER, UNMASK } from './stub-device.js';

const EBADF = 9;
const EINVAL = 22;
const ENOTTY = 25;
const ENOSPC = 28;
const ERANGE = 34;
const MSI = 1;
const MSIX = 2;

describe('enabling vectors', () => {
  it('[core:C5.24] tells the configuration space how many MSI vectors there are', () => {
    const device = new StubDevice();
    expect(device.set(MSI, EVENTFD | TRIGGER, 0, [-1, -1, -1])).toBe(0);
    expect(device.msiQmax).toBe(2);
  });

  it('[core:C5.25] answers with how many there would be, or fails', () => {
    const device = new StubDevice({ vectors: 2 });
    expect(device.set(MSI, EVENTFD | TRIGGER, 0, [-1, -1, -1, -1])).toBe(2);
    expect(device.interrupts.msi.active).toBe(false);
    expect(device.log).toEqual(['alloc msi 4', 'free vectors']);
    const sane = new StubDevice({ vectors: 2, fewVectorsFail: true });
    expect(sane.set(MSI, EVENTFD | TRIGGER, 0, [-1, -1, -1, -1])).toBe(-ENOSPC);
  });

  it('[core:C5.26] of no vectors is out of range', () => {
    expect(new StubDevice().set(MSI, EVENTFD | TRIGGER, 0, [])).toBe(-ERANGE);
  });

  it('[core:C5.27] leaves vectors below the start unconnected', () => {
    const device = new StubDevice();
    expect(device.set(MSI, EVENTFD | TRIGGER, 2, [])).toBe(0);
    expect(device.interrupts.msi.active).toBe(true);
    expect(device.log).toEqual(['alloc msi 2']);
    expect(device.vectorHandlers.size).toBe(0);
  });

  it('passes on what the host refuses with', () => {
    const device = new StubDevice();
    device.allocResult = -524;
    expect(device.set(MSI, EVENTFD | TRIGGER, 0, [-1])).toBe(-524);
  });

  it('[core:C5.29] is taken back if a descriptor is bad', () => {
    const device = new StubDevice();
    expect(device.set(MSI, EVENTFD | TRIGGER, 0, [-1, 900])).toBe(-EBADF);
    expect(device.interrupts.msi.active).toBe(false);
  });

  it('[core:C5.50] works with memory off, and leaves it off', () => {
    const device = new StubDevice();
    device.hw.set(4, 2, 0);
    expect(device.set(MSIX, EVENTFD | TRIGGER, 0, [device.eventfd().fd])).toBe(0);
    expect(device.hw.read(4, 2) & 2).toBe(0);
  });

  it('[core:C5.41] turns INTx off at the device for as long as the vectors are being set up', () => {
    // What the host sets is written over when COMMAND is put back, see test/conformance/differences.md.
    const device = new StubDevice();
    device.set(MSI, EVENTFD | TRIGGER, 0, [-1]);
    expect(device.intxDisabled).toBe(false);
    const hidden = new StubDevice({ nointx: true });
    hidden.set(MSI, EVENTFD | TRIGGER, 0, [-1]);
    hidden.set(MSI, NONE | TRIGGER, 0, 0);
    expect(hidden.intxDisabled).toBe(true);
  });
});

describe('assigning vectors', () => {
  it('connects each to its eventfd', () => {
    const device = new StubDevice();
    const [a, b] = [device.eventfd(), device.eventfd()];
    device.set(MSI, EVENTFD | TRIGGER, 0, [a.fd, b.fd]);
    device.vectorHandlers.get(1)?.();
    expect([a.event.count, b.event.count]).toEqual([0, 1]);
  });

  it('[core:C5.30] is refused beyond the enabled ones', () => {
    const device = new StubDevice();
    device.set(MSI, EVENTFD | TRIGGER, 0, [-1]);
    expect(device.set(MSI, EVENTFD | TRIGGER, 1, [device.eventfd().fd])).toBe(-EINVAL);
    expect(device.set(MSI, EVENTFD | TRIGGER, 1, [-1])).toBe(0);
  });

  it('[core:C5.31] allocates MSI-X vectors where the host can', () => {
    const device = new StubDevice({ msixDynamic: true });
    device.set(MSIX, EVENTFD | TRIGGER, 0, [-1]);
    const { fd, event } = device.eventfd();
    expect(device.set(MSIX, EVENTFD | TRIGGER, 3, [fd])).toBe(0);
    expect(device.log).toContain('alloc at 3');
    device.vectorHandlers.get(3)!();
    expect(event.count).toBe(1);
  });

  it('[core:C5.32 core:C5.33] takes the block down up to the one that failed', () => {
    const device = new StubDevice();
    const fds = [0, 1, 2, 3].map(() => device.eventfd().fd);
    device.set(MSI, EVENTFD | TRIGGER, 0, fds);
    expect(device.set(MSI, EVENTFD | TRIGGER, 0, [fds[0]!, fds[1]!, 900])).toBe(-EBADF);
    expect([...device.vectorHandlers.keys()]).toEqual([3]);
    expect(device.interrupts.msi.active).toBe(true);
  });

  it('keeps the block as it was, where the wart is mended', () => {
    const device = new StubDevice({ vectorBlockAtomic: true });
    const fds = [0, 1, 2].map(() => device.eventfd().fd);
    device.set(MSI, EVENTFD | TRIGGER, 0, fds);
    expect(device.set(MSI, EVENTFD | TRIGGER, 0, [fds[1]!, 900])).toBe(-EBADF);
    expect([...device.vectorHandlers.keys()]).toEqual([0, 1, 2]);
  });

  it('[core:C5.34] disconnects by any negative descriptor', () => {
    const device = new StubDevice();
    const fds = [device.eventfd().fd, device.eventfd().fd];
    device.set(MSI, EVENTFD | TRIGGER, 0, fds);
    expect(device.set(MSI, EVENTFD | TRIGGER, 0, [-7])).toBe(0);
    expect([...device.vectorHandlers.keys()]).toEqual([1]);
  });

  it('[core:C5.40] writes the message of an MSI-X vector again', () => {
    const device = new StubDevice();
    const { fd } = device.eventfd();
    device.set(MSIX, EVENTFD | TRIGGER, 0, [fd]);
    device.set(MSIX, EVENTFD | TRIGGER, 0, [fd]);
    expect(device.log.filter((line) => line === 'message 0')).toHaveLength(2);
  });

  it('of none changes nothing', () => {
    const device = new StubDevice();
    device.set(MSI, EVENTFD | TRIGGER, 0, [device.eventfd().fd]);
    expect(device.set(MSI, EVENTFD | TRIGGER, 0, [])).toBe(0);
    expect(device.vectorHandlers.size).toBe(1);
  });
});

describe('the rest', () => {
  it('[core:C5.35] can not mask a message', () => {
    const device = new StubDevice();
    device.set(MSI, EVENTFD | TRIGGER, 0, [-1]);
    expect(device.set(MSI, NONE | MASK, 0, 1)).toBe(-ENOTTY);
    expect(device.set(MSI, NONE | UNMASK, 0, 1)).toBe(-ENOTTY);
  });

  it('[core:C5.36] can not disable what is not enabled', () => {
    expect(new StubDevice().set(MSI, NONE | TRIGGER, 0, 0)).toBe(-EINVAL);
    const device = new StubDevice();
    device.set(MSIX, EVENTFD | TRIGGER, 0, [-1]);
    expect(device.set(MSI, NONE | TRIGGER, 0, 0)).toBe(-EINVAL);
  });

  it('[core:C5.38 core:C5.39] signals connected vectors by loopback', () => {
    const device = new StubDevice();
    expect(device.set(MSI, NONE | TRIGGER, 0, 1)).toBe(-EINVAL);
    const [a, b] = [device.eventfd(), device.eventfd()];
    device.set(MSI, EVENTFD | TRIGGER, 0, [a.fd, -1, b.fd]);
    expect(device.set(MSI, NONE | TRIGGER, 0, 3)).toBe(0);
    expect(device.set(MSI, BOOL | TRIGGER, 0, [0, 1, 1])).toBe(0);
    expect([a.event.count, b.event.count]).toEqual([1, 2]);
  });
});
