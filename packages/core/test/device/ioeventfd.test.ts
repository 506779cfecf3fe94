import type { RegisterBlock } from '@vfiokit/pci';
import { EventFd } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { type AdapterOptions, BAD_POINTER, openAdapter } from './fixture.js';

const EBADF = 9;
const EBUSY = 16;
const EEXIST = 17;
const EFAULT = 14;
const EINVAL = 22;
const ENODEV = 19;
const ENOSPC = 28;
const IOEVENTFD = 0x3b74;
const BYTE = 1;
const WORD = 2;
const DWORD = 4;
const QWORD = 8;
const REMOVE = -1;

interface Request {
  flags?: number;
  region?: number;
  offset?: number;
  data?: bigint;
  fd: number;
}

/** An adapter with a doorbell BAR of 64 KiB, its MSI-X table at 0x2000, and ports. */
function doorbells(options: AdapterOptions = {}) {
  const writes: string[] = [];
  const block = (name: string): RegisterBlock => ({
    read: () => 0,
    write: (offset, size, value) => {
      writes.push(`${name}+${offset.toString(16)}/${size}=${value.toString(16)}`);
    },
  });
  const adapter = openAdapter({
    ...options,
    description: {
      ...options.description,
      bars: [
        { kind: 'memory', size: 0x10000, block: block('memory') },
        { kind: 'io', size: 0x20, block: block('ports') },
      ],
    },
  });
  const { process, device } = adapter;
  const set = ({ flags = DWORD, region = 0, offset = 0, data = 0n, fd }: Request) => {
    const low = Number(BigInt.asUintN(32, data));
    const high = Number(data >> 32n);
    return adapter.ioctl(IOEVENTFD, 32, flags, offset, region << 8, low, high, fd, 0)[0];
  };
  const eventfd = (signalled = 0) => {
    const file = new EventFd();
    if (signalled > 0) file.signal(signalled);
    return { file, fd: process.fds.install(file) };
  };
  return { ...adapter, device, writes, set, eventfd };
}

describe('VFIO_DEVICE_IOEVENTFD', () => {
  it('turns signals into writes', () => {
    using bell = doorbells();
    const { file, fd } = bell.eventfd();
    expect(bell.set({ flags: BYTE, offset: 0x10, data: 0x1ffn, fd })).toBe(0);
    expect(bell.set({ flags: WORD, offset: 0x20, data: 0x12345n, fd })).toBe(0);
    expect(bell.set({ flags: DWORD, region: 1, offset: 4, data: 0x1_0000_0007n, fd })).toBe(0);
    expect(bell.writes).toEqual([]);
    file.signal();
    expect(bell.writes).toEqual(['memory+10/1=ff', 'memory+20/2=2345', 'ports+4/4=7']);
  });

  it('takes the counter of the eventfd, however high it is', () => {
    using bell = doorbells();
    const { file, fd } = bell.eventfd();
    bell.set({ data: 1n, fd });
    file.signal(5);
    expect(bell.writes).toEqual(['memory+0/4=1']);
    expect(file.count).toBe(0);
  });

  it('wants 28 bytes', () => {
    using bell = doorbells();
    const { fd } = bell.eventfd();
    const call = (argsz: number, words: number) =>
      bell.ioctl(IOEVENTFD, argsz, ...[DWORD, 0, 0, 0, 0, fd, 0].slice(0, words - 1))[0];
    expect(call(27, 8)).toBe(-EINVAL);
    expect(call(28, 7)).toBe(0);
    expect(call(28, 6)).toBe(-EFAULT);
    expect(bell.device.ioctl(IOEVENTFD, BAD_POINTER, bell.process)).toBe(-EFAULT);
  });

  it.each([0, 3, 5, 6, 7, 0xf, 0x10, 0x14, 0x80000004])(
    '[core:C2.44] wants one size and nothing else: flags %i is EINVAL',
    (flags) => {
      using bell = doorbells();
      expect(bell.set({ flags, fd: bell.eventfd().fd })).toBe(-EINVAL);
    },
  );

  it('[core:C2.45] does not write eight bytes (quirk W24)', () => {
    using bell = doorbells();
    expect(bell.set({ flags: QWORD, fd: bell.eventfd().fd })).toBe(-EINVAL);
  });

  it.each([6, 7, 8, 9])('[core:C2.46] writes to BARs only: region %i is EINVAL', (region) => {
    using bell = doorbells();
    expect(bell.set({ region, fd: bell.eventfd().fd })).toBe(-EINVAL);
  });

  it('writes inside of BARs only', () => {
    using bell = doorbells();
    const { fd } = bell.eventfd();
    expect(bell.set({ offset: 0xfffc, fd })).toBe(0);
    expect(bell.set({ offset: 0xfffd, fd })).toBe(-EINVAL);
    expect(bell.set({ offset: 0x10000, flags: BYTE, fd })).toBe(-EINVAL);
    expect(bell.set({ region: 2, flags: BYTE, fd })).toBe(-EINVAL);
  });

  it('does not ask for alignment', () => {
    using bell = doorbells();
    const { file, fd } = bell.eventfd();
    expect(bell.set({ offset: 0x11, data: 5n, fd })).toBe(0);
    file.signal();
    expect(bell.writes).toEqual(['memory+11/4=5']);
  });

  it('[core:C2.47] spares the MSI-X table', () => {
    using bell = doorbells();
    const { fd } = bell.eventfd();
    const table = { start: 0x2000, end: 0x2080 };
    expect(bell.set({ offset: table.start - 4, fd })).toBe(0);
    expect(bell.set({ offset: table.start - 3, fd })).toBe(-EINVAL);
    expect(bell.set({ offset: table.start, flags: BYTE, fd })).toBe(-EINVAL);
    expect(bell.set({ offset: table.end - 1, flags: BYTE, fd })).toBe(-EINVAL);
    expect(bell.set({ offset: table.end, fd })).toBe(0);
  });

  it('answers what the BAR answers if that can not be accessed', () => {
    using bell = doorbells({ platform: { reserveBar: () => -EBUSY } });
    expect(bell.set({ fd: bell.eventfd().fd })).toBe(-EBUSY);
  });

  it('[core:C2.48] has one entry for each write', () => {
    using bell = doorbells();
    const { fd } = bell.eventfd();
    const other = bell.eventfd().fd;
    expect(bell.set({ offset: 8, data: 1n, fd })).toBe(0);
    expect(bell.set({ offset: 8, data: 1n, fd })).toBe(-EEXIST);
    expect(bell.set({ offset: 8, data: 1n, fd: other })).toBe(-EEXIST);
    expect(bell.set({ offset: 8, data: 2n, fd })).toBe(0);
    expect(bell.set({ offset: 8, data: 1n, flags: WORD, fd })).toBe(0);
    expect(bell.set({ offset: 8, data: 1n, region: 1, fd })).toBe(0);
  });

  it('[core:C2.49] removes entries, that there are', () => {
    using bell = doorbells();
    const { file, fd } = bell.eventfd();
    expect(bell.set({ fd: REMOVE })).toBe(-ENODEV);
    expect(bell.set({ fd })).toBe(0);
    expect(bell.set({ data: 1n, fd: REMOVE })).toBe(-ENODEV);
    expect(bell.set({ fd: REMOVE })).toBe(0);
    file.signal();
    expect(bell.writes).toEqual([]);
    expect(bell.set({ fd: REMOVE })).toBe(-ENODEV);
  });

  it('[core:C2.50] knows one negative descriptor', () => {
    using bell = doorbells();
    expect(bell.set({ fd: -2 })).toBe(-EINVAL);
  });

  it('wants an eventfd', () => {
    using bell = doorbells();
    const notOne = bell.process.fds.install(bell.group);
    expect(bell.set({ fd: 99 })).toBe(-EBADF);
    expect(bell.set({ fd: notOne })).toBe(-EINVAL);
  });

  it('[core:C2.51] has room for 1000', () => {
    using bell = doorbells();
    const { fd } = bell.eventfd();
    for (let data = 0n; data < 1000n; data += 1n) expect(bell.set({ data, fd })).toBe(0);
    expect(bell.set({ data: 1000n, fd })).toBe(-ENOSPC);
    expect(bell.set({ data: 0n, fd: REMOVE })).toBe(0);
    expect(bell.set({ data: 1000n, fd })).toBe(0);
  });

  it('[core:C2.52] keeps the entry of an eventfd that was closed (quirk W24)', () => {
    using bell = doorbells();
    const { file, fd } = bell.eventfd();
    bell.set({ fd });
    bell.process.fds.close(fd);
    file.signal();
    expect(bell.writes).toEqual([]);
    const again = bell.eventfd();
    expect(bell.set({ fd: again.fd })).toBe(-EEXIST);
    expect(bell.set({ fd: REMOVE })).toBe(0);
    expect(bell.set({ fd: again.fd })).toBe(0);
  });

  it('[core:C3.41] loses signals while memory is off', () => {
    // The device itself would go on decoding, so that what counts is what its user wrote.
    using bell = doorbells({ description: { hardwired: Uint8Array.of(0, 0, 0, 0, 2) } });
    const memory = bell.eventfd();
    const ports = bell.eventfd();
    bell.set({ fd: memory.fd });
    bell.set({ region: 1, fd: ports.fd });
    bell.device.write(7, 0x04, 2, 0x0001);
    memory.file.signal();
    ports.file.signal();
    expect(bell.writes).toEqual(['ports+0/4=0']);
    expect(memory.file.count).toBe(0);
    bell.device.write(7, 0x04, 2, 0x0003);
    expect(bell.writes).toEqual(['ports+0/4=0']);
    memory.file.signal();
    expect(bell.writes).toEqual(['ports+0/4=0', 'memory+0/4=0']);
  });

  it('[core:C3.42] writes at once if the eventfd was signalled before, and leaves its counter', () => {
    using bell = doorbells();
    const { file, fd } = bell.eventfd(3);
    bell.set({ data: 9n, fd });
    expect(bell.writes).toEqual(['memory+0/4=9']);
    expect(file.count).toBe(3);
  });

  it('ends with the last close', () => {
    using bell = doorbells();
    const { file, fd } = bell.eventfd();
    bell.set({ fd });
    bell.device.close();
    file.signal();
    expect(bell.writes).toEqual([]);
    expect(file.count).toBe(1);
  });
});
