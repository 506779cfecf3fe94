import { describeDriver, describeMigration } from '@vfiokit/testing';
import { VFIO_DEVICE_FEATURE_MIGRATION } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { FakeXePf, XE_VFIO_PCI } from '../src/index.js';
import { XeMigration } from '../src/xe/xe-migration.js';
import { open, pfOf, refusal, vfOf } from './pf-with-vf.js';

const IDS = { vendor: 0x8086, device: 0xe20b };
const GET = 0x10000;

describeDriver('xe', () => ({ driver: XE_VFIO_PCI, pdev: vfOf(IDS, new FakeXePf()) }));
describeMigration('xe', () => {
  const pf = new FakeXePf();
  return {
    ops: new XeMigration('vf', pf, 1),
    fill: () => {
      pf.vf(1).state = Uint8Array.of(4, 5, 6, 7, 8, 9, 10);
    },
    snapshot: () => [...pf.vf(1).state],
    failAfter: (count) => pf.fault.after(count),
  };
});

describe('a graphics function', () => {
  it('[derived:187] is a plain device as PF, and nothing without an xe PF as VF', () => {
    using pf = open(pfOf(IDS), XE_VFIO_PCI);
    expect(pf.client.probeFeature(VFIO_DEVICE_FEATURE_MIGRATION, GET)).toBe(false);
    expect(refusal(vfOf(IDS, {}), XE_VFIO_PCI)).toBe('ENODEV');
  });

  it('[derived:188 derived:37] has no PRE_COPY', () => {
    using vf = open(vfOf(IDS, new FakeXePf()), XE_VFIO_PCI);
    expect(() => vf.client.setMigrationState('PRE_COPY')).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    vf.client.setMigrationState('STOP');
    expect(vf.client.migrationState()).toBe('STOP');
  });

  it('is stopped by its PF on an arc that there is not', () => {
    const xe = new FakeXePf();
    const migration = new XeMigration('vf', xe, 3);
    expect(() => migration.arc('RUNNING', 'STOP')).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    expect(xe.log).toEqual(['stop 3']);
  });

  it('[derived:44] can not be asked for more precopy information', () => {
    using vf = open(vfOf(IDS, new FakeXePf()), XE_VFIO_PCI);
    expect(() => vf.client.setFeature(12)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  it('[derived:189] tells its PF of resets, if it is a VF', () => {
    const xe = new FakeXePf();
    using vf = open(vfOf(IDS, xe), XE_VFIO_PCI);
    xe.log.length = 0;
    vf.client.reset();
    expect(xe.log).toEqual(['prepareFlr 1', 'waitFlrDone 1']);
    const pdev = pfOf(IDS);
    pdev.driverData = undefined;
    using pf = open(pdev, XE_VFIO_PCI);
    pf.client.reset();
    expect(xe.log).toHaveLength(2);
  });
});
