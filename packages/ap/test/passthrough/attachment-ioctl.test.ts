import { EventFd, Process, type VfioFile } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { free, Holder } from '../support/fixture.js';

const GET_INFO = 0x3b6b;
const GET_REGION_INFO = 0x3b6c;
const GET_IRQ_INFO = 0x3b6d;
const SET_IRQS = 0x3b6e;
const EINVAL = -22;
const EFAULT = -14;
const EBADF = -9;
const EOPNOTSUPP = -95;

const DATA_NONE = 1;
const DATA_BOOL = 2;
const DATA_EVENTFD = 4;
const MASK = 8;
const TRIGGER = 32;

function opened() {
  const m = free();
  const mdev = m.assigned([5], [4]);
  return { m, mdev, holder: new Holder(m, mdev) };
}

function words(...values: number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(values).buffer);
}

function setIrqs(flags: number, index: number, start: number, count: number, ...data: number[]) {
  return words(20 + 4 * data.length, flags, index, start, count, ...data);
}

describe('VFIO_DEVICE_GET_INFO', () => {
  it('[ap:168] tells of an AP device that can be reset, with two interrupts and no region', () => {
    const info = words(16, 0, 0, 0);
    expect(opened().holder.ioctl(GET_INFO, info)).toBe(0);
    expect([...new Int32Array(info.buffer)]).toEqual([16, 0x21, 0, 2]);
  });

  it('[ap:168] wants room for that', () => {
    const { holder } = opened();
    expect(holder.ioctl(GET_INFO, words(15, 0, 0, 0))).toBe(EINVAL);
    expect(holder.ioctl(GET_INFO, undefined)).toBe(EFAULT);
    expect(holder.ioctl(GET_INFO, words(16))).toBe(EFAULT);
  });
});

describe('VFIO_DEVICE_GET_IRQ_INFO', () => {
  it('[ap:169] knows two eventfds', () => {
    const { holder } = opened();
    for (const index of [0, 1]) {
      const info = words(16, 0, index, 0);
      expect(holder.ioctl(GET_IRQ_INFO, info)).toBe(0);
      expect([...new Int32Array(info.buffer)]).toEqual([16, 1, index, 1]);
    }
    expect(holder.ioctl(GET_IRQ_INFO, words(16, 0, 2, 0))).toBe(EINVAL);
    expect(holder.ioctl(GET_IRQ_INFO, words(15, 0, 0, 0))).toBe(EINVAL);
  });
});

describe('VFIO_DEVICE_SET_IRQS', () => {
  it('[ap:170] registers whom to ask for the device', () => {
    const { mdev, holder } = opened();
    const request = new EventFd();
    const fd = holder.process.fds.install(request);
    expect(holder.ioctl(SET_IRQS, setIrqs(DATA_EVENTFD | TRIGGER, 0, 0, 1, fd))).toBe(0);
    mdev.write('remove', '1');
    expect(request.count).toBe(1);
  });

  it('[ap:171] takes a descriptor of an eventfd, or -1 for none', () => {
    const { mdev, holder } = opened();
    const set = (fd: number) =>
      holder.ioctl(SET_IRQS, setIrqs(DATA_EVENTFD | TRIGGER, 1, 0, 1, fd));
    const fd = holder.process.fds.install(new EventFd());
    expect(set(fd)).toBe(0);
    expect(mdev.matrix.attachment.triggers[1]).toBeInstanceOf(EventFd);
    expect(set(-1)).toBe(0);
    expect(mdev.matrix.attachment.triggers[1]).toBeUndefined();
    expect(set(-2)).toBe(EINVAL);
    expect(set(99)).toBe(EBADF);
    const file: VfioFile = { kind: 'other', close: () => {} };
    expect(set(holder.process.fds.install(file))).toBe(EINVAL);
  });

  it.each([
    ['no data', DATA_NONE | TRIGGER, []],
    ['truth values', DATA_BOOL | TRIGGER, [0]],
    ['masking', DATA_EVENTFD | MASK, [3]],
    ['two kinds of data', DATA_EVENTFD | DATA_BOOL | TRIGGER, [3]],
    ['no kind of data', TRIGGER, [3]],
    ['an unknown flag', DATA_EVENTFD | TRIGGER | 0x40, [3]],
  ])('[ap:172] refuses %s', (_, flags, data) => {
    const { holder } = opened();
    holder.process.fds.install(new EventFd());
    expect(holder.ioctl(SET_IRQS, setIrqs(flags, 0, 0, 1, ...data))).toBe(EINVAL);
  });

  it('[ap:173] knows one interrupt an index', () => {
    const { holder } = opened();
    const fd = holder.process.fds.install(new EventFd());
    const flags = DATA_EVENTFD | TRIGGER;
    expect(holder.ioctl(SET_IRQS, setIrqs(flags, 0, 1, 1, fd))).toBe(EINVAL);
    expect(holder.ioctl(SET_IRQS, setIrqs(flags, 0, 0, 2, fd, fd))).toBe(EINVAL);
    expect(holder.ioctl(SET_IRQS, setIrqs(flags, 2, 0, 1, fd))).toBe(EINVAL);
  });

  it('refuses data that is missing, or missing from memory', () => {
    const { holder } = opened();
    expect(holder.ioctl(SET_IRQS, words(20, DATA_EVENTFD | TRIGGER, 0, 0, 1))).toBe(EINVAL);
    expect(holder.ioctl(SET_IRQS, words(24, DATA_EVENTFD | TRIGGER, 0, 0, 1))).toBe(EFAULT);
    expect(holder.ioctl(SET_IRQS, words(19, DATA_EVENTFD | TRIGGER, 0, 0, 1))).toBe(EINVAL);
  });

  it('refuses no descriptor at all, and does not disable by "no data" either', () => {
    const { holder } = opened();
    expect(holder.ioctl(SET_IRQS, setIrqs(DATA_EVENTFD | TRIGGER, 0, 0, 0, 3))).toBe(EINVAL);
    expect(holder.ioctl(SET_IRQS, setIrqs(DATA_NONE | TRIGGER, 0, 0, 0))).toBe(EINVAL);
  });
});

describe('anything else', () => {
  it('[ap:174] is not supported; and there are no regions', () => {
    const { holder } = opened();
    expect(holder.ioctl(0x3b99)).toBe(EOPNOTSUPP);
    expect(holder.ioctl(GET_REGION_INFO, words(32, 0, 0, 0, 0, 0, 0, 0))).toBe(EINVAL);
    const { file } = holder;
    const bytes = new Uint8Array(4);
    expect([
      file.read(0, 0, 4),
      file.write(0, 0, 4, 0),
      file.pread(bytes, 0),
      file.pwrite(bytes, 0),
      file.mmap({ position: 0, length: 4096, shared: true }),
    ]).toEqual(Array(5).fill(EINVAL));
  });

  it('is refused on a character device that is not bound', () => {
    const m = free();
    const { vfio } = m.assigned([5], [4]).instance;
    const process = new Process();
    const file = m.dev.open(vfio.nodePath!, process);
    expect(file.ioctl?.(GET_INFO, words(16, 0, 0, 0), process)).toBe(EINVAL);
  });
});

describe('the event of a changed configuration', () => {
  it('[ap:175] comes with every change while the device is open, and not with the close', () => {
    const { mdev, holder } = opened();
    const changed = new EventFd();
    mdev.matrix.attachment.triggers[1] = changed;
    mdev.write('assign_domain', '0x47');
    mdev.write('unassign_domain', '0x47');
    expect(changed.take()).toBe(2);
    holder.close();
    expect(changed.count).toBe(0);
    mdev.write('assign_domain', '0xab');
    expect(changed.count).toBe(0);
  });
});
