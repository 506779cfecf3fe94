import { describeDirtyLog, describeDriver, describeMigration } from '@vfiokit/testing';
import { VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, vfioDeviceFeatureMigDataSize } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { FakePdsCore, pdsDriver } from '../src/index.js';
import { PdsDirtyLog } from '../src/pds/pds-dirty-log.js';
import { PdsMigration } from '../src/pds/pds-migration.js';
import { open, pfOf, readAll, refusal, vfOf } from './pf-with-vf.js';

const EEXIST = 17;
const EINVAL = 22;
const ENODEV = 19;
const IDS = { vendor: 0x1dd8, device: 0x1003 };
const PAGE = 4096n;

const driver = pdsDriver(() => {});

describeDriver('pds', () => ({ driver, pdev: vfOf(IDS, new FakePdsCore()) }));
describeMigration('pds', () => {
  const core = new FakePdsCore();
  return {
    ops: new PdsMigration('vf', core, 0, new PdsDirtyLog(core, 0, 8), () => {}),
    fill: () => {
      core.vf(0).state = new Uint8Array(600).fill(3);
    },
    snapshot: () => [...core.vf(0).state],
    failAfter: (count) => core.fault.after(count),
  };
});
describeDirtyLog('pds', () => {
  const core = new FakePdsCore();
  return { log: new PdsDirtyLog(core, 0, 8), dirty: (iova) => core.vf(0).dirty(iova) };
});

describe('a Pensando VF', () => {
  it('[derived:177] always says 64 KiB', () => {
    const core = new FakePdsCore();
    core.vf(0).state = new Uint8Array(492);
    using vf = open(vfOf(IDS, core), driver);
    expect(
      vf.client.getFeature(VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, vfioDeviceFeatureMigDataSize),
    ).toEqual({
      stopCopyLength: 65536n,
    });
    expect(readAll(vf.client.setMigrationState('STOP_COPY')!)).toHaveLength(500);
  });

  it('suspends towards peers first, then altogether', () => {
    const core = new FakePdsCore();
    core.vf(0).pending = 0;
    using vf = open(vfOf(IDS, core), driver);
    vf.client.setMigrationState('STOP');
    expect(core.log).toEqual([
      'HOST_VF_STATUS 1',
      'SUSPEND 1',
      'SUSPEND_STATUS 1',
      'SUSPEND 0',
      'SUSPEND_STATUS 0',
    ]);
  });

  it('[derived:178] is -ETIMEDOUT if it is not suspended after 5 seconds', () => {
    const core = new FakePdsCore();
    core.vf(0).pending = Number.POSITIVE_INFINITY;
    let waited = 0;
    using vf = open(
      vfOf(IDS, core),
      pdsDriver((ms) => {
        waited += ms;
      }),
    );
    expect(() => vf.client.setMigrationState('STOP')).toThrow(
      expect.objectContaining({ code: 'ETIMEDOUT' }),
    );
    expect(waited).toBe(5000);
    expect(vf.client.migrationState()).toBe('RUNNING');
  });

  it('[derived:179] can not log for a device that tracks already', () => {
    const core = new FakePdsCore();
    core.vf(0).tracking = true;
    expect(new PdsDirtyLog(core, 0, 8).start([{ iova: 0n, length: PAGE }], PAGE)).toBe(-EEXIST);
    const log = new PdsDirtyLog(new FakePdsCore(), 0, 8);
    log.start([{ iova: 0n, length: PAGE }], PAGE);
    expect(log.start([{ iova: 0n, length: PAGE }], PAGE)).toBe(-EINVAL);
    expect(log.readAndClear({ iova: 0n, length: 2n * PAGE }, () => {})).toBe(-EINVAL);
    expect(new PdsDirtyLog(new FakePdsCore(), 0, 0).start([{ iova: 0n, length: PAGE }], PAGE)).toBe(
      -95,
    );
  });

  it('[derived:180 derived:181] is lost when its PF recovers under a migration, until it is reset', () => {
    const core = new FakePdsCore();
    using vf = open(vfOf(IDS, core), driver);
    const file = vf.client.setMigrationState('STOP_COPY')!;
    core.notifyReset(0);
    expect(vf.client.migrationState()).toBe('STOP_COPY');
    core.notifyReset(1);
    expect(vf.client.migrationState()).toBe('ERROR');
    expect(file.read(new Uint8Array(1))).toBe(-ENODEV);
    expect(() => vf.client.setMigrationState('RUNNING')).toThrow(
      expect.objectContaining({ code: 'EIO' }),
    );
    vf.client.reset();
    expect(vf.client.migrationState()).toBe('RUNNING');
  });

  it('does not mind a recovery while it just runs', () => {
    const core = new FakePdsCore();
    using vf = open(vfOf(IDS, core), driver);
    core.notifyReset(1);
    expect(vf.client.migrationState()).toBe('RUNNING');
  });

  it('is a VF with a PF of its kind', () => {
    expect(refusal(pfOf(IDS), driver)).toBe('EINVAL');
    expect(refusal(vfOf(IDS, {}), driver)).toBe('EINVAL');
  });
});
