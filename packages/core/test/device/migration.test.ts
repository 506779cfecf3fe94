import { type MigrationState, VfioError } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import {
  type DirtyLogOps,
  type IovaRange,
  MigrationBroken,
  type MigrationOps,
  type MigrationStream,
} from '../../src/extension.js';
import { DIRTY_LOG, MIGRATION } from '../../src/tokens.js';
import type { VfioPciDriver } from '../../src/vfio-pci-driver.js';
import { openAdapter } from './fixture.js';

const EINVAL = 22;
const ENOTTY = 25;
const FEATURE = 0x3b75;
const RESET = 0x3b6f;
const GET = 0x10000;
const SET = 0x20000;
const PROBE = 0x40000;
const MIGRATION_FLAGS = 1;
const DEVICE_STATE = 2;
const LOGGING_START = 6;
const LOGGING_STOP = 7;
const LOGGING_REPORT = 8;
const DATA_SIZE = 9;
const PRECOPY_INFO_V2 = 12;
const RUNNING = 2;
const STOP_COPY = 3;
const NONE = 0xffffffff;
/** All but ERROR, each on a way that there is. */
const ALL_STATES = [
  'RUNNING',
  'STOP',
  'STOP_COPY',
  'RESUMING',
  'RUNNING_P2P',
  'PRE_COPY_P2P',
  'PRE_COPY',
] as const;

/** A device whose state is one byte. */
class OneByte implements MigrationOps {
  failing: string | undefined;

  constructor(readonly support = { p2p: true, preCopy: true }) {}

  arc(from: MigrationState, to: MigrationState): MigrationStream | undefined {
    if (this.failing === `${from}>${to}`) throw new VfioError('EIO', 'one byte: not now');
    if (to === 'RESUMING') return { write: (bytes) => bytes.length };
    const begins =
      (from === 'STOP' && to === 'STOP_COPY') || (from === 'RUNNING' && to === 'PRE_COPY');
    if (!begins && !(from === 'RUNNING_P2P' && to === 'PRE_COPY_P2P')) return undefined;
    return { read: () => 0, precopyInfo: () => ({ initialBytes: 1n, dirtyBytes: 0n }) };
  }

  dataSize(): bigint {
    return 0x1_0000_0001n;
  }
}

const driver = (ops: MigrationOps): VfioPciDriver => ({
  name: 'one-byte-vfio-pci',
  ids: [{}],
  probe: (_pdev, container) => container.register(MIGRATION, { useValue: ops }),
});

describe('migration through DEVICE_FEATURE', () => {
  it('tells how much of the state machine there is', () => {
    using adapter = openAdapter({ driver: driver(new OneByte()) });
    expect(adapter.ioctl(FEATURE, 16, GET | MIGRATION_FLAGS, 0, 0)).toEqual([
      0,
      16,
      GET | MIGRATION_FLAGS,
      7,
      0,
    ]);
    using less = openAdapter({ driver: driver(new OneByte({ p2p: false, preCopy: false })) });
    expect(less.ioctl(FEATURE, 16, GET | MIGRATION_FLAGS, 0, 0)[3]).toBe(1);
  });

  it('[core:C8.1 core:C8.4] starts running, without a data file', () => {
    using adapter = openAdapter({ driver: driver(new OneByte()) });
    expect(adapter.ioctl(FEATURE, 16, GET | DEVICE_STATE, 9, 9).slice(3)).toEqual([RUNNING, NONE]);
    expect(adapter.ioctl(FEATURE, 16, SET | DEVICE_STATE, RUNNING, 9).slice(3)).toEqual([
      RUNNING,
      NONE,
    ]);
  });

  it('[core:C8.2] refuses what is no state', () => {
    using adapter = openAdapter({ driver: driver(new OneByte()) });
    for (const state of [0, 8, 0xffffffff])
      expect(adapter.ioctl(FEATURE, 16, SET | DEVICE_STATE, state, 0)[0]).toBe(-EINVAL);
  });

  it('gives out a data file with the state that begins a transfer', () => {
    using adapter = openAdapter({ driver: driver(new OneByte()) });
    const [result, , , state, fd] = adapter.ioctl(FEATURE, 16, SET | DEVICE_STATE, STOP_COPY, 0);
    expect([result, state]).toEqual([0, STOP_COPY]);
    expect(adapter.process.fds.get(fd!)?.kind).toBe('migration');
  });

  it('[core:C8.12] says -1 for the file of an arc that failed', () => {
    const ops = new OneByte();
    using adapter = openAdapter({ driver: driver(ops) });
    ops.failing = 'STOP>STOP_COPY';
    expect(adapter.ioctl(FEATURE, 16, SET | DEVICE_STATE, STOP_COPY, 5)).toEqual([
      -5,
      16,
      SET | DEVICE_STATE,
      STOP_COPY,
      NONE,
    ]);
    expect(adapter.client.migrationState()).toBe('STOP');
  });

  it('[core:C8.11] runs again after a reset, and only then if its state was lost', () => {
    const ops = new OneByte();
    using adapter = openAdapter({ driver: driver(ops) });
    const arc = ops.arc.bind(ops);
    ops.arc = () => {
      throw new MigrationBroken('EIO', 'one byte: lost');
    };
    expect(() => adapter.client.setMigrationState('STOP')).toThrow(/EIO/);
    ops.arc = arc;
    for (let state = 0; state < 8; state += 1)
      expect(adapter.ioctl(FEATURE, 16, SET | DEVICE_STATE, state, 0)[0]).toBe(-EINVAL);
    expect(adapter.client.migrationState()).toBe('ERROR');
    expect(adapter.device.ioctl(RESET, 0, adapter.process)).toBe(0);
    expect(adapter.client.migrationState()).toBe('RUNNING');
    adapter.client.setMigrationState('STOP_COPY');
    expect(adapter.device.ioctl(RESET, 0, adapter.process)).toBe(0);
    expect(adapter.client.migrationState()).toBe('RUNNING');
  });

  it('[core:C8.16] estimates its size in every state', () => {
    const ops = new OneByte();
    using adapter = openAdapter({ driver: driver(ops) });
    const size = () => adapter.ioctl(FEATURE, 16, GET | DATA_SIZE, 0, 0);
    for (const state of ALL_STATES) {
      adapter.client.setMigrationState(state);
      expect(adapter.client.migrationState()).toBe(state);
      expect(size()).toEqual([0, 16, GET | DATA_SIZE, 1, 1]);
    }
    ops.arc = () => {
      throw new MigrationBroken('EIO', 'one byte: lost');
    };
    expect(() => adapter.client.setMigrationState('STOP')).toThrow(/EIO/);
    expect(adapter.client.migrationState()).toBe('ERROR');
    expect(size()[0]).toBe(0);
  });

  it('[core:C2.60] is not there without a driver that brings it', () => {
    using plain = openAdapter();
    for (const feature of [MIGRATION_FLAGS, DEVICE_STATE, DATA_SIZE])
      expect(plain.ioctl(FEATURE, 16, PROBE | GET | feature, 0, 0)[0]).toBe(-ENOTTY);
    expect(plain.ioctl(FEATURE, 8, SET | PRECOPY_INFO_V2)[0]).toBe(-EINVAL);
    using sane = openAdapter({ quirks: { precopyInfoNotTty: true } });
    expect(sane.ioctl(FEATURE, 8, SET | PRECOPY_INFO_V2)[0]).toBe(-ENOTTY);
  });

  it('[core:C1.35] forgets at the last close that its user knew the second precopy information', () => {
    using adapter = openAdapter({ driver: driver(new OneByte()) });
    expect(adapter.ioctl(FEATURE, 8, SET | PRECOPY_INFO_V2)[0]).toBe(0);
    expect(adapter.core.migration?.precopyInfoV2).toBe(true);
    adapter.device.close();
    expect(adapter.core.migration?.precopyInfoV2).toBe(false);
  });
});

describe('dirty logging through DEVICE_FEATURE', () => {
  const USER = 0x10000;

  function logging() {
    const calls: unknown[] = [];
    const log: DirtyLogOps = {
      start: (ranges: readonly IovaRange[], pageSize) => {
        calls.push(['start', ranges, pageSize]);
        return 8192n;
      },
      stop: () => 0,
      readAndClear: ({ iova, length }, dirty) => {
        calls.push(['read', iova, length]);
        dirty(iova);
        dirty(iova + length - 4096n);
        return 0;
      },
    };
    const adapter = openAdapter({
      driver: {
        name: 'log-vfio-pci',
        ids: [{}],
        probe: (_pdev, container) => container.register(DIRTY_LOG, { useValue: log }),
      },
    });
    const memory = new Uint8Array(0x10000);
    adapter.process.memory.map({
      address: USER,
      size: memory.length,
      writable: true,
      bytes: memory,
    });
    const view = new DataView(memory.buffer);
    const range = (index: number, iova: bigint, length: bigint) => {
      view.setBigUint64(16 * index, iova, true);
      view.setBigUint64(16 * index + 8, length, true);
    };
    const start = (count: number, address = USER, page = 4096) =>
      adapter.ioctl(FEATURE, 32, SET | LOGGING_START, page, 0, count, 0, address, 0);
    return { adapter, calls, view, memory, range, start };
  }

  it('[core:C2.62] checks what it is to watch', () => {
    const { adapter, range, start } = logging();
    using _ = adapter;
    range(0, 0x1000n, 0x1000n);
    expect(start(0)[0]).toBe(-EINVAL);
    expect(start(257)[0]).toBe(-7);
    expect(start(1, 0xdead0000)[0]).toBe(-14);
    range(0, 0x1001n, 0x1000n);
    expect(start(1)[0]).toBe(-EINVAL);
    range(0, 0x1000n, 0x2000n);
    range(1, 0x2000n, 0x1000n);
    expect(start(2)[0]).toBe(-EINVAL);
    range(0, 0xfffffffffffff000n, 0x1000n);
    expect(start(1)[0]).toBe(-75);
  });

  it('tells the page size that the device chose', () => {
    const { adapter, calls, range, start } = logging();
    using _ = adapter;
    range(0, 0x1000n, 0x2000n);
    expect(start(1).slice(0, 4)).toEqual([0, 32, SET | LOGGING_START, 8192]);
    expect(calls).toEqual([['start', [{ iova: 0x1000n, length: 0x2000n }], 4096n]]);
    expect(adapter.ioctl(FEATURE, 8, SET | LOGGING_STOP)[0]).toBe(0);
  });

  it('[core:C2.63] reports in pages of any power of two from 4096', () => {
    const { adapter, memory } = logging();
    using _ = adapter;
    const report = (page: number, length = 0x8000) =>
      adapter.ioctl(FEATURE, 40, GET | LOGGING_REPORT, 0, 0, length, 0, page, 0, USER, 0)[0];
    expect(report(2048)).toBe(-EINVAL);
    expect(report(6144)).toBe(-EINVAL);
    memory[0] = 0x02;
    expect(report(4096)).toBe(0);
    expect(memory[0]).toBe(0x83);
    expect(
      adapter.ioctl(FEATURE, 40, GET | LOGGING_REPORT, 0, 0, 0x8000, 0, 4096, 0, 0xdead0000, 0)[0],
    ).toBe(-14);
  });

  it('is not there without a driver that brings it', () => {
    using plain = openAdapter();
    for (const feature of [SET | LOGGING_START, SET | LOGGING_STOP, GET | LOGGING_REPORT])
      expect(plain.ioctl(FEATURE, 40, feature, ...Array(8).fill(0))[0]).toBe(-ENOTTY);
  });
});
