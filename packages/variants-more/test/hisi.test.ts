import { RESET_HOOKS } from '@vfiokit/core';
import { MemoryBlock } from '@vfiokit/pci';
import {
  describeDriver,
  describeMigration,
  describeOverride,
  describeResetHooks,
  StubOpening,
} from '@vfiokit/testing';
import { VFIO_DEVICE_FEATURE_MIGRATION } from '@vfiokit/uapi';
import { container as root } from 'tsyringe';
import { describe, expect, it } from 'vitest';
import { HALF_BAR2 } from '../src/hisi/half-bar2.js';
import { HisiMigration } from '../src/hisi/hisi-migration.js';
import { FakeHisiQm, hisiAccDriver } from '../src/index.js';
import { open, readAll, refusal, vfOf } from './pf-with-vf.js';

const EFAULT = 14;
const EINVAL = 22;
const ENOMEM = 12;
const IDS = { vendor: 0x19e5, device: 0xa251 };
const BAR2 = 64 * 1024;
const GET = 0x10000;

const block = new MemoryBlock(BAR2);
const bars = [undefined, undefined, { size: BAR2, kind: 'memory', block }] as const;
const driver = hisiAccDriver(() => {});
const accelerator = (qm: unknown = new FakeHisiQm()) => open(vfOf(IDS, qm, bars), driver);

describeMigration(
  'hisi_acc',
  () => {
    const vf = new FakeHisiQm().vf(0);
    return {
      ops: new HisiMigration('vf', vf),
      fill: () => vf.bytes.fill(0x42, 64, 92),
      snapshot: () => [...vf.bytes],
      failAfter: (count) => vf.fault.after(count),
    };
  },
  {
    'carries out every arc of what it supports': 'a transfer without a byte is refused at its end',
    'hands out a stream on exactly the arcs that begin a transfer':
      'a transfer without a byte is refused at its end',
    'notices every change of a stream':
      'the driver compares who the device is, in the first 40 bytes; what follows goes into its registers as it is',
  },
);

describeDriver('hisi_acc', () => ({ driver, pdev: vfOf(IDS, new FakeHisiQm(), bars) }));

describeOverride('hisi_acc', () => ({
  override: HALF_BAR2,
  device: new StubOpening(vfOf(IDS, new FakeHisiQm(), bars)),
  regions: [2],
}));

describeResetHooks('hisi_acc', () => {
  const qm = new FakeHisiQm();
  const container = root.createChildContainer();
  driver.probe?.(vfOf(IDS, qm, bars), container);
  return { hooks: container.resolve(RESET_HOOKS), held: () => qm.resetting };
});

describe("an accelerator's VF", () => {
  it('[derived:171] shows half of BAR 2 where it has the registers of migration itself', () => {
    using half = accelerator();
    expect(half.client.regionInfo(2).size).toBe(BAR2 / 2);
    using whole = accelerator(new FakeHisiQm({ version: 4, pfControlsMigration: true }));
    expect(whole.client.regionInfo(2).size).toBe(BAR2);
    using plain = accelerator({});
    expect(plain.client.regionInfo(2).size).toBe(BAR2);
  });

  it('[derived:172] keeps the hidden half from reads, writes and mappings', () => {
    using vf = accelerator();
    const at = 2 * 2 ** 40;
    expect(vf.device.read(2, BAR2 / 2, 4)).toBe(-EINVAL);
    expect(vf.device.write(2, BAR2 / 2, 4, 1)).toBe(-EINVAL);
    expect(vf.device.pread(new Uint8Array(4), at + BAR2 / 2)).toBe(-EINVAL);
    expect(vf.device.pwrite(new Uint8Array(8), at + BAR2 / 2 - 4)).toBe(4);
    expect(vf.device.mmap({ position: at + BAR2 / 2, length: 4096, shared: true })).toBe(-EINVAL);
    expect(vf.device.mmap({ position: at, length: 4096, shared: true })).toBeTypeOf('object');
  });

  it('[derived:173] stops in a single arc', () => {
    const qm = new FakeHisiQm();
    using vf = accelerator(qm);
    vf.client.setMigrationState('STOP');
    expect(qm.vf(0).log).toEqual(['stop']);
    expect(() => vf.client.setMigrationState('RUNNING_P2P')).toThrow();
  });

  it('[derived:174] shows 40 bytes while it runs and 176 once it stopped', () => {
    using vf = accelerator();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    expect(vf.client.precopyInfo(file)).toMatchObject({ initialBytes: 40n, dirtyBytes: 0n });
    expect(readAll(file)).toHaveLength(40);
    expect(file.read(new Uint8Array(1))).toBe(0);
    vf.client.setMigrationState('STOP_COPY');
    expect(readAll(file)).toHaveLength(136);
  });

  it('moves to an equal device', () => {
    const [from, to] = [new FakeHisiQm(), new FakeHisiQm()];
    from.vf(0).bytes.fill(0x42, 64, 92);
    using source = accelerator(from);
    using target = accelerator(to);
    const state = readAll(source.client.setMigrationState('STOP_COPY')!);
    target.client.setMigrationState('RESUMING')!.write(state);
    target.client.setMigrationState('RUNNING');
    expect(to.vf(0).bytes).toEqual(from.vf(0).bytes);
    expect(to.vf(0).log).toEqual(['stop', 'load', 'start']);
  });

  it('[derived:175] refuses the state of another kind of device', () => {
    using vf = accelerator(new FakeHisiQm({ devId: 0xa256 }));
    const file = vf.client.setMigrationState('RESUMING')!;
    const { bytes } = new FakeHisiQm().vf(0);
    expect(file.write(bytes.subarray(0, 39))).toBe(39);
    expect(file.write(bytes.subarray(39, 41))).toBe(-EFAULT);
  });

  it.each([
    ['magic', 0, 0],
    ['number of queues', 8, 15],
    ['device', 12, 0xa256],
    ['isolation of its queues', 16, 1],
    ['major version', 28, 2],
  ])('[derived:175] refuses a state with another %s', (_, at, value) => {
    using vf = accelerator();
    const bytes = new FakeHisiQm().vf(0).bytes.slice();
    new DataView(bytes.buffer).setUint16(at, value, true);
    expect(vf.client.setMigrationState('RESUMING')!.write(bytes)).toBe(-EFAULT);
  });

  it('takes a state of the old magic, whose version says nothing', () => {
    using vf = accelerator();
    const bytes = new FakeHisiQm().vf(0).bytes.slice();
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, 0xcdcdcdcdfeedaaccn, true);
    view.setUint16(28, 7, true);
    expect(vf.client.setMigrationState('RESUMING')!.write(bytes)).toBe(176);
  });

  it.each([144, 152, 160, 168])('is not started with a queue at address 0: state byte %i', (at) => {
    const qm = new FakeHisiQm();
    using vf = accelerator(qm);
    const bytes = qm.vf(0).bytes.slice();
    new DataView(bytes.buffer).setBigUint64(at, 0n, true);
    vf.client.setMigrationState('RESUMING')!.write(bytes);
    vf.client.setMigrationState('RUNNING');
    expect(qm.vf(0).log).toEqual(['stop']);
  });

  it('says only who it is, before its guest has set it up', () => {
    const qm = new FakeHisiQm();
    qm.vf(0).guestReady = false;
    using vf = accelerator(qm);
    expect(readAll(vf.client.setMigrationState('STOP_COPY')!)).toHaveLength(40);
  });

  it('takes 40 bytes or 176, nothing in between and no more', () => {
    using vf = accelerator();
    const { bytes } = new FakeHisiQm().vf(0);
    vf.client.setMigrationState('RESUMING')!.write(bytes.subarray(0, 40));
    vf.client.setMigrationState('STOP');
    const file = vf.client.setMigrationState('RESUMING')!;
    file.write(bytes.subarray(0, 100));
    expect(() => vf.client.setMigrationState('STOP')).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    expect(file.write(bytes)).toBe(-ENOMEM);
  });

  it('[derived:176] waits with a reset until its PF has done resetting, and says when it is done', () => {
    const qm = new FakeHisiQm();
    let waited = 0;
    const waiting = hisiAccDriver((ms) => {
      waited += ms;
      if (waited === 5) qm.resetting = false;
    });
    using vf = open(vfOf(IDS, qm, bars), waiting);
    qm.resetting = true;
    vf.client.reset();
    expect([waited, qm.resetting]).toEqual([5, false]);
  });

  it('does not migrate before version 3, and does not open without BAR 2', () => {
    using vf = accelerator(new FakeHisiQm({ version: 2 }));
    expect(vf.client.probeFeature(VFIO_DEVICE_FEATURE_MIGRATION, GET)).toBe(false);
    expect(refusal(vfOf(IDS, new FakeHisiQm()), driver)).toBe('EIO');
  });
});
