import { DIRTY_LOG, MIGRATION, type MigrationOps, type MigrationStream } from '@vfiokit/core';
import { type DeviceClient, type MigrationState, VfioError } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { bringing, IDS } from './bringing.js';
import { open, pfOf } from './pf-with-vf.js';

const ENODEV = 19;
const EINVAL = 22;
const ENOTTY = 25;
const ESPIPE = 29;

const STATES = [
  'STOP',
  'RUNNING',
  'STOP_COPY',
  'RESUMING',
  'RUNNING_P2P',
  'PRE_COPY',
  'PRE_COPY_P2P',
] as const;

/** A device that notes its arcs. */
class Noted implements MigrationOps {
  readonly log: string[] = [];
  failing: string | undefined;
  /** Hands out a stream on this arc, where none is due. */
  rogue: string | undefined;

  constructor(readonly support = { p2p: true, preCopy: true }) {}

  arc(from: MigrationState, to: MigrationState): MigrationStream | undefined {
    const name = `${from}>${to}`;
    if (name === this.failing) throw new VfioError('EIO', name);
    this.log.push(name);
    const saves = ['STOP>STOP_COPY', 'RUNNING>PRE_COPY', 'RUNNING_P2P>PRE_COPY_P2P'].includes(name);
    if (saves || name === this.rogue)
      return { read: () => 0, precopyInfo: () => ({ initialBytes: 0n, dirtyBytes: 0n }) };
    return name === 'STOP>RESUMING' ? { write: (from) => from.length } : undefined;
  }

  dataSize(): bigint {
    return 1n;
  }
}

const migrating = (ops: MigrationOps) =>
  open(
    pfOf(IDS),
    bringing((container) => container.register(MIGRATION, { useValue: ops })),
  );

describe('the state machine under drivers', () => {
  it.each([
    [true, ['RUNNING>RUNNING_P2P', 'RUNNING_P2P>STOP']],
    [false, ['RUNNING>STOP']],
  ])('[derived:32] stops over RUNNING_P2P or in one arc: %s', (p2p, arcs) => {
    const ops = new Noted({ p2p, preCopy: true });
    using opened = migrating(ops);
    opened.client.setMigrationState('STOP');
    expect(ops.log).toEqual(arcs);
  });

  it.each([
    [true, ['PRE_COPY>PRE_COPY_P2P', 'PRE_COPY_P2P>STOP_COPY']],
    [false, ['PRE_COPY>STOP_COPY']],
  ])('[derived:33] goes from PRE_COPY to STOP_COPY over P2P or in one arc: %s', (p2p, arcs) => {
    const ops = new Noted({ p2p, preCopy: true });
    using opened = migrating(ops);
    opened.client.setMigrationState('PRE_COPY');
    ops.log.length = 0;
    opened.client.setMigrationState('STOP_COPY');
    expect(ops.log).toEqual(arcs);
  });

  it('[derived:34 derived:35] goes from PRE_COPY to STOP over RUNNING, and never back to PRE_COPY from STOP_COPY', () => {
    const ops = new Noted();
    using opened = migrating(ops);
    opened.client.setMigrationState('PRE_COPY');
    ops.log.length = 0;
    opened.client.setMigrationState('STOP');
    expect(ops.log[0]).toBe('PRE_COPY>RUNNING');
    opened.client.setMigrationState('STOP_COPY');
    expect(() => opened.client.setMigrationState('PRE_COPY')).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
  });

  it('[derived:38] stays where it got when an arc fails', () => {
    const ops = new Noted();
    ops.failing = 'RUNNING_P2P>STOP';
    using opened = migrating(ops);
    expect(() => opened.client.setMigrationState('STOP_COPY')).toThrow(
      expect.objectContaining({ code: 'EIO' }),
    );
    expect(opened.client.migrationState()).toBe('RUNNING_P2P');
  });

  it('[derived:39] refuses a file that comes before the last arc', () => {
    const ops = new Noted();
    ops.rogue = 'RUNNING>RUNNING_P2P';
    using opened = migrating(ops);
    expect(() => opened.client.setMigrationState('STOP')).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    expect(opened.client.migrationState()).toBe('RUNNING_P2P');
  });

  it('[derived:40 derived:41 derived:42 derived:43] hands out files that are streams, and dead after their transfer', () => {
    using opened = migrating(new Noted());
    // VFIO_DEVICE_FEATURE, SET of feature 2 to STOP (1): the state and the descriptor behind the header.
    const request = new DataView(new ArrayBuffer(16));
    for (const [at, value] of [16, 0x20002, 1, 77].entries())
      request.setUint32(4 * at, value, true);
    const { device, process } = opened;
    expect(device.ioctl(0x3b75, new Uint8Array(request.buffer), process)).toBe(0);
    expect(request.getInt32(12, true)).toBe(-1);
    const file = opened.client.setMigrationState('STOP_COPY')! as ReturnType<
      DeviceClient['setMigrationState']
    > & { pread(): number; pwrite(): number };
    expect([file.pread(), file.pwrite()]).toEqual([-ESPIPE, -ESPIPE]);
    const ask = (command: number, argsz: number) => {
      const bytes = new Uint8Array(24);
      new DataView(bytes.buffer).setUint32(0, argsz, true);
      return file.ioctl!(command, bytes, opened.process);
    };
    expect([ask(0x3b7a, 24), ask(0x3b79, 23)]).toEqual([-ENOTTY, -EINVAL]);
    opened.client.setMigrationState('STOP');
    expect(file.read(new Uint8Array(1))).toBe(-ENODEV);
  });

  it('[derived:36] leaves ERROR by no transition', () => {
    let control: { fail(): void } | undefined;
    const ops: MigrationOps = Object.assign(new Noted(), {
      attach: (given: { fail(): void }) => {
        control = given;
      },
    });
    using opened = migrating(ops);
    control!.fail();
    expect(opened.client.migrationState()).toBe('ERROR');
    for (const state of [...STATES, 'ERROR'] as const) {
      expect(() => opened.client.setMigrationState(state)).toThrow(
        expect.objectContaining({ code: 'EINVAL' }),
      );
      expect(opened.client.migrationState()).toBe('ERROR');
    }
  });

  it('[derived:45] forgets at the last close what its user understood', () => {
    const asked: boolean[] = [];
    const ops: MigrationOps = Object.assign(new Noted(), {
      arc: (): MigrationStream => ({
        read: () => 0,
        precopyInfo: (v2: boolean) => {
          asked.push(v2);
          return { initialBytes: 0n, dirtyBytes: 0n };
        },
      }),
    });
    const pdev = pfOf(IDS);
    const driver = bringing((container) => container.register(MIGRATION, { useValue: ops }));
    const ask = (optIn: boolean) => {
      using opened = open(pdev, driver);
      if (optIn) opened.client.setFeature(12);
      opened.client.precopyInfo(opened.client.setMigrationState('PRE_COPY')!);
    };
    ask(true);
    ask(false);
    expect(asked).toEqual([true, false]);
  });

  it('[derived:46] is not there without a driver for it', () => {
    using opened = open(
      pfOf(IDS),
      bringing(() => {}),
    );
    for (const feature of [1, 2, 9])
      expect(() => opened.client.setFeature(feature)).toThrow(
        expect.objectContaining({ code: 'ENOTTY' }),
      );
  });

  it('[derived:47 derived:48] checks ranges and pages before the driver is asked', () => {
    const asked: string[] = [];
    const log = {
      start: () => {
        asked.push('start');
        return 4096n;
      },
      stop: () => 0,
      readAndClear: () => 0,
    };
    using opened = open(
      pfOf(IDS),
      bringing((container) => container.register(DIRTY_LOG, { useValue: log })),
    );
    const address = 0x10000;
    const bytes = new Uint8Array(4096);
    const ranges = new DataView(bytes.buffer);
    for (const at of [0, 16]) ranges.setBigUint64(at + 8, 0x2000n, true);
    ranges.setBigUint64(16, 0x1000n, true);
    opened.process.memory.map({ address, size: 4096, writable: true, bytes });
    const start = (count: number) => {
      const data = new DataView(new ArrayBuffer(24));
      data.setBigUint64(0, 4096n, true);
      data.setUint32(8, count, true);
      data.setBigUint64(16, BigInt(address), true);
      return () => opened.client.setFeature(6, new Uint8Array(data.buffer));
    };
    expect(start(0)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(start(2)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(asked).toEqual([]);
    expect(start(1)).not.toThrow();
    const report = new DataView(new ArrayBuffer(40));
    report.setUint32(0, 40, true);
    report.setUint32(4, 0x10000 + 8, true);
    report.setBigUint64(8 + 8, 4096n, true);
    report.setBigUint64(8 + 16, 2048n, true);
    report.setBigUint64(8 + 24, BigInt(address), true);
    expect(opened.device.ioctl(0x3b75, new Uint8Array(report.buffer), opened.process)).toBe(
      -EINVAL,
    );
  });
});
