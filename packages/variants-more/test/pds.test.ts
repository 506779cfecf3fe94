import { describeDirtyLog, describeDriver, describeMigration } from '@vfiokit/testing';
import { VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, vfioDeviceFeatureMigDataSize } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { PDS_LM_CMD, type PdsCommand, PdsCore, pdsDriver } from '../src/index.js';
import { PdsDirtyLog } from '../src/pds/pds-dirty-log.js';
import { PdsMigration } from '../src/pds/pds-migration.js';
import { open, pfOf, readAll, refusal, vfOf } from './pf-with-vf.js';

const EAGAIN = 11;
const EEXIST = 17;
const EINVAL = 22;
const ENODEV = 19;
const IDS = { vendor: 0x1dd8, device: 0x1003 };
const PAGE = 4096n;

class TestCore extends PdsCore {
  state = Uint8Array.from({ length: 500 }, (_, i) => i & 0xff);
  readonly log: string[] = [];
  /** How often asking for the end of a suspension says that it is not there yet. */
  pending = 2;
  tracking = false;
  ranges: NonNullable<PdsCommand['ranges']> = [];
  seq = new Uint8Array(0);

  execute(command: PdsCommand): number {
    const name = Object.entries(PDS_LM_CMD).find(([, opcode]) => opcode === command.opcode)![0];
    this.log.push(`${name} ${command.type ?? ''}`.trim());
    switch (command.opcode) {
      case PDS_LM_CMD.SUSPEND_STATUS:
        this.pending -= 1;
        return this.pending >= 0 ? -EAGAIN : 0;
      case PDS_LM_CMD.STATE_SIZE:
        return this.state.length;
      case PDS_LM_CMD.SAVE:
        command.memory!.set(this.state);
        return 0;
      case PDS_LM_CMD.RESTORE:
        if (command.memory!.length === 0) return 0;
        if (command.memory!.length < this.state.length) return -EINVAL;
        this.state = command.memory!.slice();
        return 0;
      case PDS_LM_CMD.DIRTY_STATUS:
        return this.tracking ? 1 : 0;
      case PDS_LM_CMD.DIRTY_ENABLE:
        this.ranges = command.ranges!;
        this.tracking = true;
        this.seq = new Uint8Array(
          this.ranges.reduce((sum, { pages }) => sum + Math.ceil(pages / 8), 0),
        );
        return 0;
      case PDS_LM_CMD.DIRTY_DISABLE:
        this.tracking = false;
        return 0;
      case PDS_LM_CMD.DIRTY_READ_SEQ: {
        const { offset = 0, memory } = command;
        memory!.set(this.seq.subarray(offset, offset + memory!.length));
        return 0;
      }
      default:
        return 0;
    }
  }

  /** The device's DMA writes a page of its first range: it differs from what was acknowledged. */
  dirty(iova: bigint): void {
    const page = Number((iova - this.ranges[0]!.base) / PAGE);
    this.seq[page >>> 3]! ^= 1 << (page & 7);
  }
}

const driver = pdsDriver(() => {});

describeDriver('pds', () => ({ driver, pdev: vfOf(IDS, new TestCore()) }));
describeMigration('pds', () => {
  const core = new TestCore();
  return {
    ops: new PdsMigration('vf', core, 0, new PdsDirtyLog(core, 0, 8), () => {}),
    fill: () => {
      core.state = new Uint8Array(600).fill(3);
    },
    snapshot: () => [...core.state],
  };
});
describeDirtyLog('pds', () => {
  const core = new TestCore();
  return { log: new PdsDirtyLog(core, 0, 8), dirty: (iova) => core.dirty(iova) };
});

describe('a Pensando VF', () => {
  it('[derived:177] always says 64 KiB', () => {
    using vf = open(vfOf(IDS, new TestCore()), driver);
    expect(
      vf.client.getFeature(VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, vfioDeviceFeatureMigDataSize),
    ).toEqual({
      stopCopyLength: 65536n,
    });
    expect(readAll(vf.client.setMigrationState('STOP_COPY')!)).toHaveLength(500);
  });

  it('suspends towards peers first, then altogether', () => {
    const core = new TestCore();
    core.pending = 0;
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
    const core = new TestCore();
    core.pending = Number.POSITIVE_INFINITY;
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
    const core = new TestCore();
    core.tracking = true;
    expect(new PdsDirtyLog(core, 0, 8).start([{ iova: 0n, length: PAGE }], PAGE)).toBe(-EEXIST);
    const log = new PdsDirtyLog(new TestCore(), 0, 8);
    log.start([{ iova: 0n, length: PAGE }], PAGE);
    expect(log.start([{ iova: 0n, length: PAGE }], PAGE)).toBe(-EINVAL);
    expect(log.readAndClear({ iova: 0n, length: 2n * PAGE }, () => {})).toBe(-EINVAL);
    expect(new PdsDirtyLog(new TestCore(), 0, 0).start([{ iova: 0n, length: PAGE }], PAGE)).toBe(
      -95,
    );
  });

  it('[derived:180 derived:181] is lost when its PF recovers under a migration, until it is reset', () => {
    const core = new TestCore();
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
    const core = new TestCore();
    using vf = open(vfOf(IDS, core), driver);
    core.notifyReset(1);
    expect(vf.client.migrationState()).toBe('RUNNING');
  });

  it('is a VF with a PF of its kind', () => {
    expect(refusal(pfOf(IDS), driver)).toBe('EINVAL');
    expect(refusal(vfOf(IDS, {}), driver)).toBe('EINVAL');
  });
});
