import { describeDirtyLog, describeDriver, describeMigration } from '@vfiokit/testing';
import { VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, vfioDeviceFeatureMigDataSize } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { FakePdsCore, pdsDriver } from '../src/index.js';
import { PdsDirtyLog } from '../src/pds/pds-dirty-log.js';
import { PdsMigration } from '../src/pds/pds-migration.js';
import { PdsVf } from '../src/pds/pds-vf.js';
import { open, pfOf, readAll, refusal, vfOf } from './pf-with-vf.js';

const EEXIST = 17;
const EINVAL = 22;
const ENODEV = 19;
const IDS = { vendor: 0x1dd8, device: 0x1003 };
const EOPNOTSUPP = 95;
const PAGE = 4096n;
const FIRST = { iova: 0n, length: PAGE };

const driver = pdsDriver(() => {});

const logOf = (core: FakePdsCore) => new PdsDirtyLog(new PdsVf(core, 0));
const migrationOf = (core: FakePdsCore) =>
  new PdsMigration('vf', new PdsVf(core, 0), logOf(core), () => {});

describeDriver('pds', () => ({ driver, pdev: vfOf(IDS, new FakePdsCore()) }));
describeMigration('pds', () => {
  const core = new FakePdsCore();
  return {
    ops: migrationOf(core),
    fill: () => {
      core.vf(0).state = new Uint8Array(600).fill(3);
    },
    snapshot: () => [...core.vf(0).state],
    failAfter: (count) => core.fault.after(count),
  };
});
describeDirtyLog('pds', () => {
  const core = new FakePdsCore();
  return { log: logOf(core), dirty: (iova) => core.vf(0).dirty(iova) };
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
    expect(logOf(core).start([FIRST], PAGE)).toBe(-EEXIST);
    core.vf(0).tracking = false;
    expect(logOf(core).start([FIRST], PAGE)).toBe(PAGE);
  });

  it('logs once, for a device that can, and reports what it tracks', () => {
    const log = logOf(new FakePdsCore());
    expect(log.readAndClear(FIRST, () => {})).toBe(-EINVAL);
    log.start([FIRST], PAGE);
    expect(log.start([FIRST], PAGE)).toBe(-EINVAL);
    for (const range of [
      { iova: 0n, length: 2n * PAGE },
      { iova: 2n * PAGE, length: PAGE },
      { iova: 0n, length: 0n },
    ])
      expect(log.readAndClear(range, () => {})).toBe(-EINVAL);
    for (const options of [{ maxRegions: 0 }, { seqAck: false }])
      expect(logOf(new FakePdsCore(options)).start([FIRST], PAGE)).toBe(-EOPNOTSUPP);
    expect([log.stop(), log.stop()]).toEqual([0, 0]);
  });

  it('makes do with as many regions as the device has, in maps that it may enlarge', () => {
    const core = new FakePdsCore({ maxRegions: 2 });
    const log = logOf(core);
    const ranges = [0n, 4n, 100n].map((page) => ({ iova: page * PAGE, length: 3n * PAGE }));
    log.start(ranges, PAGE);
    const vf = core.vf(0);
    expect(vf.regions).toMatchObject([
      { dmaBase: 0n, pageCount: 32, pageSizeLog2: 12 },
      { dmaBase: 100n * PAGE, pageCount: 32, pageSizeLog2: 12 },
    ]);
    // The second region's bits lie behind all that the device tracks of the first.
    vf.seq[4] = 0b101;
    const pages: bigint[] = [];
    expect(log.readAndClear(ranges[2]!, (page) => pages.push(page / PAGE))).toBe(0);
    expect(pages).toEqual([100n, 102n]);
    expect(vf.ack).toEqual(vf.seq);
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
