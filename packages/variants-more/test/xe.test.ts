import { describeDriver, describeMigration } from '@vfiokit/testing';
import { VFIO_DEVICE_FEATURE_MIGRATION } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { XE_VFIO_PCI, XePf } from '../src/index.js';
import { XeMigration } from '../src/xe/xe-migration.js';
import { open, pfOf, refusal, vfOf } from './pf-with-vf.js';

const IDS = { vendor: 0x8086, device: 0xe20b };
const GET = 0x10000;

class TestXe extends XePf {
  supportsMigration = true;
  readonly log: string[] = [];
  state = Uint8Array.of(1, 2, 3, 4, 5);
  #at = 0;
  #arriving: number[] = [];

  #note(what: string, vf: number): number {
    this.log.push(`${what} ${vf}`);
    return 0;
  }

  prepareFlr = (vf: number) => void this.#note('prepare', vf);
  waitFlrDone = (vf: number) => this.#note('done', vf);
  pause = (vf: number) => this.#note('pause', vf);
  resume = (vf: number) => this.#note('resume', vf);
  saveStart = () => {
    this.#at = 0;
    return 0;
  };
  saveFinish = () => 0;
  restoreStart = () => {
    this.#arriving = [];
    return 0;
  };
  restoreFinish = () => {
    if (this.#arriving.length === 0) return 0;
    if (this.#arriving.length < this.state.length) return -22;
    this.state = Uint8Array.from(this.#arriving);
    return 0;
  };
  stop = () => {};
  read = (_: number, into: Uint8Array) => {
    const piece = this.state.subarray(this.#at, this.#at + into.length);
    into.set(piece);
    this.#at += piece.length;
    return piece.length;
  };
  write = (_: number, from: Uint8Array) => {
    this.#arriving.push(...from);
    return from.length;
  };
  size = () => BigInt(this.state.length);
}

describeDriver('xe', () => ({ driver: XE_VFIO_PCI, pdev: vfOf(IDS, new TestXe()) }));
describeMigration('xe', () => {
  const pf = new TestXe();
  return {
    ops: new XeMigration('vf', pf, 1),
    fill: () => {
      pf.state = Uint8Array.of(4, 5, 6, 7, 8, 9, 10);
    },
    snapshot: () => [...pf.state],
  };
});

describe('a graphics function', () => {
  it('[derived:187] is a plain device as PF, and nothing without an xe PF as VF', () => {
    using pf = open(pfOf(IDS), XE_VFIO_PCI);
    expect(pf.client.probeFeature(VFIO_DEVICE_FEATURE_MIGRATION, GET)).toBe(false);
    expect(refusal(vfOf(IDS, {}), XE_VFIO_PCI)).toBe('ENODEV');
  });

  it('[derived:188 derived:37] has no PRE_COPY', () => {
    using vf = open(vfOf(IDS, new TestXe()), XE_VFIO_PCI);
    expect(() => vf.client.setMigrationState('PRE_COPY')).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    vf.client.setMigrationState('STOP');
    expect(vf.client.migrationState()).toBe('STOP');
  });

  it('[derived:44] can not be asked for more precopy information', () => {
    using vf = open(vfOf(IDS, new TestXe()), XE_VFIO_PCI);
    expect(() => vf.client.setFeature(12)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });

  it('[derived:189] tells its PF of resets, if it is a VF', () => {
    const xe = new TestXe();
    using vf = open(vfOf(IDS, xe), XE_VFIO_PCI);
    xe.log.length = 0;
    vf.client.reset();
    expect(xe.log).toEqual(['prepare 1', 'done 1']);
    const pdev = pfOf(IDS);
    pdev.driverData = undefined;
    using pf = open(pdev, XE_VFIO_PCI);
    pf.client.reset();
    expect(xe.log).toHaveLength(2);
  });
});
