import { describeDirtyLog } from '@vfiokit/testing';
import { describe, expect, it } from 'vitest';
import { CONNECTX_CAPABILITIES, MLX5_CMD_OP, PageTracker, Vhca } from '../src/index.js';
import { MlxMachine } from './mlx-machine.js';

const EIO = 5;
const EINVAL = 22;
const EOPNOTSUPP = 95;
const ENOTCONN = 107;
const VHCA_ID = 0x101;
const PAGE = 4096n;
const PAGE_TRACK = 0x46;
const TRACKING = 0;
const TRACKER_ERROR = 2;
const SPACE = { iova: 0n, length: 1n << 24n };

function setUp(caps: Partial<NonNullable<typeof CONNECTX_CAPABILITIES.pageTrack>> = {}) {
  const machine = new MlxMachine();
  const vhca = new Vhca(VHCA_ID, machine.firmware, false);
  const log = new PageTracker(vhca, machine.firmware, {
    ...CONNECTX_CAPABILITIES.pageTrack!,
    ...caps,
  });
  const report = (range = SPACE) => {
    const pages: bigint[] = [];
    const result = log.readAndClear(range, (page) => pages.push(page));
    return result < 0 ? result : pages;
  };
  const dma = (iova: bigint, length = 1) => machine.vhca.dma(iova, new Uint8Array(length));
  return { machine, vhca, log, report, dma };
}

describeDirtyLog('mlx5', () => {
  const { log, dma } = setUp();
  return { log, dirty: (iova) => void dma(iova) };
});

describe('the page tracker of a ConnectX VF', () => {
  it('[derived:140] can not be started twice', () => {
    const { log } = setUp();
    expect(log.start([SPACE], PAGE)).toBe(PAGE);
    expect(log.start([SPACE], PAGE)).toBe(-EINVAL);
  });

  it.each([
    [1n << 10n, 1n << 12n],
    [1n << 16n, 1n << 16n],
    [1n << 30n, 1n << 21n],
  ])('[derived:141] tracks pages of a size that the device can: asked for %i', (asked, chosen) => {
    expect(setUp().log.start([SPACE], asked)).toBe(chosen);
  });

  it('[derived:142] makes do with as many ranges as the device has', () => {
    const { log, dma, report } = setUp({ maxNumRange: 2 });
    const ranges = [0n, 4n, 100n].map((page) => ({ iova: page * PAGE, length: 2n * PAGE }));
    log.start(ranges, PAGE);
    // Between the first two, which became one, but not between the others.
    dma(3n * PAGE);
    dma(50n * PAGE);
    dma(101n * PAGE);
    expect(report()).toEqual([3n * PAGE, 101n * PAGE]);
  });

  it('[derived:143] is not supported for more or less than the device can track', () => {
    const small = [{ iova: 0n, length: 1n << 11n }];
    const large = [{ iova: 0n, length: (1n << 20n) + PAGE }];
    expect(setUp().log.start(small, PAGE)).toBe(-EOPNOTSUPP);
    expect(setUp({ logMaxAddrSpace: 20 }).log.start(large, PAGE)).toBe(-EOPNOTSUPP);
    expect(setUp({ logMaxAddrSpace: 21 }).log.start(large, PAGE)).toBe(PAGE);
  });

  it('[derived:144] reports every page that was written, over as many messages as it takes', () => {
    const { log, dma, report } = setUp({ logMaxMsgSize: 6 });
    log.start([SPACE], PAGE);
    for (let page = 0n; page < 100n; page += 1n) dma(page * PAGE + 7n);
    dma(200n * PAGE - 1n, 2);
    const pages = report() as bigint[];
    expect(pages).toHaveLength(102);
    expect(pages.slice(-2)).toEqual([199n * PAGE, 200n * PAGE]);
    expect(report()).toEqual([]);
  });

  it('goes round its rings as often as it takes', () => {
    const { log, dma, report } = setUp({ logMaxMsgSize: 12 });
    log.start([SPACE], PAGE);
    for (let turn = 0; turn < 3000; turn += 1) {
      dma(BigInt(turn % 7) * PAGE);
      expect(report()).toEqual([BigInt(turn % 7) * PAGE]);
    }
  });

  it('[derived:145] is -EIO once the tracker lost track, until it is started again', () => {
    const { machine, log, dma, report } = setUp();
    log.start([SPACE], PAGE);
    machine.firmware.failTrackers(TRACKER_ERROR);
    dma(0n);
    expect(report()).toBe(-EIO);
    expect(report()).toBe(-EIO);
    log.stop();
    log.start([SPACE], PAGE);
    dma(PAGE);
    expect(report()).toEqual([PAGE]);
  });

  it('[derived:145] is -EIO for good once the firmware said so, even if the tracker goes on', () => {
    const { machine, log, dma, report } = setUp();
    log.start([SPACE], PAGE);
    machine.firmware.failTrackers(TRACKER_ERROR);
    machine.firmware.failTrackers(TRACKING);
    dma(0n);
    expect(report()).toBe(-EIO);
  });

  it('is -EIO after an error of one of its queues, not of another', () => {
    for (const kind of ['cq-error', 'qp-error'] as const) {
      const { machine, log, report } = setUp();
      log.start([SPACE], PAGE);
      machine.firmware.emit({ kind, number: 0xffff });
      expect(report()).toEqual([]);
      for (let number = 0; number < 20; number += 1) machine.firmware.emit({ kind, number });
      expect(report()).toBe(-EIO);
    }
  });

  it('[derived:146] can be stopped without having been started, and leaves nothing behind', () => {
    const { machine, log, report } = setUp();
    expect(log.stop()).toBe(0);
    log.start([SPACE], PAGE);
    expect(machine.firmware.resources).toBeGreaterThan(0);
    expect(log.stop()).toBe(0);
    expect(machine.firmware.resources).toBe(0);
    expect(report()).toBe(-EINVAL);
  });

  it('is not there once the VF is disabled', () => {
    const { vhca, log, report } = setUp();
    log.start([SPACE], PAGE);
    vhca.detached = true;
    expect(report()).toBe(-ENOTCONN);
    expect(log.stop()).toBe(0);
    expect(log.start([SPACE], PAGE)).toBe(-ENOTCONN);
  });

  it('names the queue pair that reports and the ranges in its object', () => {
    const { machine, log } = setUp();
    const inputs: Uint8Array[] = [];
    const execute = machine.firmware.execute.bind(machine.firmware);
    machine.firmware.execute = (input, memory) => {
      inputs.push(input);
      return execute(input, memory);
    };
    log.start([{ iova: 0x10000n, length: 0x8000n }], PAGE);
    const create = inputs.find((input) => new DataView(input.buffer).getUint16(0) === 0xa00)!;
    const view = new DataView(create.buffer);
    expect(view.getUint16(6)).toBe(PAGE_TRACK);
    expect(view.getUint16(16 + 0x50 / 8)).toBe(VHCA_ID);
    expect(view.getUint32(16 + 0x80 / 8)).toBe(0x010f_0c0c);
    expect(view.getUint32(16 + 0xa0 / 8)).toBeGreaterThan(0);
    expect(view.getUint32(16 + 0xc0 / 8)).toBe(1);
    expect(view.getBigUint64(16 + 0x180 / 8)).toBe(0x10000n);
    expect(view.getBigUint64(16 + 0x1c0 / 8)).toBe(0x8000n);
  });

  it.each([
    'ALLOC_UAR',
    'ALLOC_PD',
    'CREATE_CQ',
    'CREATE_MKEY',
    'CREATE_QP',
    'RST2INIT_QP',
    'INIT2RTR_QP',
    'RTR2RTS_QP',
    'CREATE_GENERAL_OBJECT',
  ] as const)('leaves nothing behind if %s fails', (name) => {
    const { machine, log } = setUp();
    machine.firmware.failing.set(MLX5_CMD_OP[name], 1);
    expect(log.start([SPACE], PAGE)).toBe(-EIO);
    expect(machine.firmware.resources).toBe(0);
    machine.firmware.failing.clear();
    expect(log.start([SPACE], PAGE)).toBe(PAGE);
  });
});
