import { describe, expect, it } from 'vitest';
import type { MigrationOps } from '../../src/extension.js';
import { MigrationDevice } from '../../src/migration/migration-device.js';

const EINVAL = 22;
const PRECOPY_INFO = 0x3b79;

/** A device whose streams tell of 7 initial bytes. */
const OPS: MigrationOps = {
  support: { p2p: true, preCopy: true },
  arc: (from, to) =>
    to === 'PRE_COPY' || (from === 'RUNNING_P2P' && to === 'PRE_COPY_P2P')
      ? { precopyInfo: () => ({ initialBytes: 7n, dirtyBytes: 0n }) }
      : undefined,
  dataSize: () => 0n,
};

describe('VFIO_MIG_GET_PRECOPY_INFO', () => {
  it('is answered in both states of pre-copy, and in no other', () => {
    const device = new MigrationDevice(OPS);
    const file = device.set('PRE_COPY_P2P');
    if (typeof file !== 'object') throw new RangeError(`no file but ${file}`);
    const ask = () => {
      const bytes = new Uint8Array(24);
      new DataView(bytes.buffer).setUint32(0, 24, true);
      const result = file.ioctl!(PRECOPY_INFO, bytes, {} as never);
      return [result, new DataView(bytes.buffer).getBigUint64(8, true)];
    };
    expect(ask()).toEqual([0, 7n]);
    expect(device.set('STOP_COPY')).toBeUndefined();
    expect(ask()).toEqual([-EINVAL, 0n]);
  });
});
