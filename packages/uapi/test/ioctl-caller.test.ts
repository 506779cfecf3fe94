import { describe, expect, test } from 'vitest';
import { IoctlCaller, Process, type VfioFile } from '../src/index.js';

const container = (result: number): VfioFile => ({
  kind: 'container',
  ioctl: (_command, argument) => (argument === undefined ? -14 : result),
  close: () => {},
});

describe('calling a file', () => {
  const caller = new IoctlCaller(new Process(), '/dev/vfio/vfio');

  test('returns what is no error', () => {
    expect(caller.call(container(1), 0x3b65, 1)).toBe(1);
  });

  test('names the call as the kind of file has it', () => {
    expect(() => caller.call(container(-17), 0x3b71, 0, 'iova 0x1000')).toThrow(
      '/dev/vfio/vfio: VFIO_IOMMU_MAP_DMA (iova 0x1000) failed with EEXIST',
    );
    expect(() => caller.call(container(0), 0x3b64, undefined)).toThrow('failed with EFAULT');
  });

  test('that answers no ioctl is ENOTTY', () => {
    const other: VfioFile = { kind: 'other', close: () => {} };
    expect(() => caller.call(other, 1, 0)).toThrow('ioctl 0x1 failed with ENOTTY');
  });

  test('with a descriptor that is not open is EBADF', () => {
    expect(() => caller.adopt(99)).toThrow('descriptor 99 failed with EBADF');
  });
});
