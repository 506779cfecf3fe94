import { describeOperation, describeReturn, type TraceOp } from '@vfiokit/replay';
import { describe, expect, test } from 'vitest';

const text = (op: object) => describeOperation({ seq: 1, ...op } as TraceOp);

describe('operations in words', () => {
  test.each([
    [{ op: 'pread', dev: 0, r: 7, o: 4, n: 2, ret: 2 }, 'read d0 CONFIG+0x4 2 bytes'],
    [
      { op: 'pwrite', dev: 1, r: 0, o: 96, n: 4, in: '01000000', ret: 4 },
      'write d1 BAR0+0x60 4 bytes 01000000',
    ],
    [
      {
        op: 'ioctl',
        obj: 'd0',
        cmd: 'SET_IRQS',
        argsz: 28,
        flags: 0x24,
        index: 2,
        start: 0,
        count: 2,
        in: '1c0000002400000002000000000000000200000067000000ffffffff',
        ret: 0,
      },
      'd0 SET_IRQS argsz=28 MSI-X EVENTFD|TRIGGER start=0 count=2 [e3,-1]',
    ],
    [
      {
        op: 'ioctl',
        obj: 'd0',
        cmd: 'SET_IRQS',
        argsz: 20,
        flags: 0x80,
        index: 0,
        start: 0,
        count: 0,
        in: '',
        ret: -22,
      },
      'd0 SET_IRQS argsz=20 INTx 0x80 start=0 count=0',
    ],
    [
      { op: 'ioctl', obj: 'd0', cmd: 'FEATURE', argsz: 8, flags: 0x20003, in: '', ret: 0 },
      'd0 FEATURE argsz=8 LOW_POWER_ENTRY SET',
    ],
    [
      { op: 'ioctl', obj: 'd0', cmd: 'GET_REGION_INFO', argsz: 32, index: 6, in: '', ret: 0 },
      'd0 GET_REGION_INFO argsz=32 ROM',
    ],
    [{ op: 'ioctl', obj: 'c0', cmd: 'SET_IOMMU', arg: 3, ret: 0 }, 'c0 SET_IOMMU 3'],
    [
      { op: 'ioctl', obj: 'g0', cmd: 'GROUP_GET_STATUS', badptr: true, ret: -14 },
      'g0 GROUP_GET_STATUS (bad pointer)',
    ],
    [
      { op: 'get_device_fd', obj: 'g0', name: '0000:00:03.0 x', ret: -22 },
      'g0 GET_DEVICE_FD "0000:00:03.0 x"',
    ],
    [{ op: 'close', obj: 'd0', fd: 50, ret: 0 }, 'close d0 (descriptor 50)'],
    [{ op: 'open', obj: 'g0', group: 7, ret: 0 }, 'open g0 (/dev/vfio/7)'],
    [
      { op: 'mmap', dev: 0, r: 2, o: 0, len: 4096, prot: 1, shared: false, ret: -22 },
      'mmap d0 BAR2+0x0 4096 bytes private',
    ],
  ])('%o', (op, words) => {
    expect(text(op)).toBe(words);
  });

  test('a return value carries its errno', () => {
    expect(describeReturn(-16)).toBe('-16 (EBUSY)');
    expect(describeReturn(40)).toBe('40');
    expect(describeReturn('newfd')).toBe('newfd');
  });
});
