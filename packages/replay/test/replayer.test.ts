import { type Difference, Replayer, Tally, type Trace, type TraceOp } from '@vfiokit/replay';
import { describe, expect, test } from 'vitest';
import { META, OPEN, smallTrace } from './support/small-trace.js';

type Operation = Parameters<typeof smallTrace>[0][number];

function differencesOf(trace: Trace): readonly Difference[] {
  const tally = new Tally();
  new Replayer(trace, tally).run();
  return tally.differences;
}

/** Which aspects differ, by operation. */
function aspects(operations: readonly Operation[]): string[] {
  return differencesOf(smallTrace([...OPEN, ...operations])).map(
    ({ op, mismatches }) => `${op.op}: ${mismatches.map(({ aspect }) => aspect).join(' ')}`,
  );
}

const READ_IDS: Operation = { op: 'pread', dev: 0, r: 7, o: 0, n: 4, ret: 4, out: '34127856' };
const ENABLE: Operation = {
  op: 'pwrite',
  dev: 0,
  r: 7,
  o: 4,
  n: 2,
  in: '0200',
  ret: 2,
};

describe('a machine is rebuilt from a trace and answers as recorded', () => {
  test('the operations that open a device match', () => {
    expect(differencesOf(smallTrace(OPEN))).toEqual([]);
  });

  test('so does a read of its ids', () => {
    expect(aspects([READ_IDS])).toEqual([]);
  });

  test('a machine without an IOMMU group refuses the device', () => {
    const [device] = META.devices;
    const { iommu_group: _none, ...alone } = device!;
    const meta = { ...META, groups: [], iommu: [], devices: [alone], system: [{ ...alone }] };
    const bind: Operation = { op: 'bind', dev: 0, driver: 'vfio-pci', bound: false, ret: 0 };
    expect(differencesOf(smallTrace([bind], meta))).toEqual([]);
  });

  test('impossible BARs give an error that starts with the trace', () => {
    const [device] = META.devices;
    const resource = ['0x00000000fea00000 0x00000000fea00123 0x0000000000040200'];
    const meta = { ...META, devices: [{ ...device!, resource }] };
    expect(() => new Replayer(smallTrace([], meta), new Tally())).toThrow(
      /^small\.jsonl: its machine can't be rebuilt: /,
    );
  });
});

describe('a difference is noticed', () => {
  test('in a result', () => {
    expect(aspects([{ ...READ_IDS, ret: -22 }])).toEqual(['pread: ret']);
  });

  test('in the bytes that came back', () => {
    expect(aspects([{ ...READ_IDS, out: '34127857' }])).toEqual(['pread: out']);
  });

  test('but not in bytes that were not recorded', () => {
    expect(aspects([{ ...READ_IDS, out: '3412....' }])).toEqual([]);
  });

  test('in an eventfd', () => {
    const write: Operation = { op: 'efd_write', e: 3, v: 2, ret: 8 };
    expect(aspects([{ ...write, ev: { e3: 2 } }])).toEqual([]);
    expect(aspects([{ ...write, ev: { e3: 1 } }])).toEqual(['efd_write: ev']);
    expect(aspects([write])).toEqual(['efd_write: ev']);
  });

  test('in the hardware registers afterwards, once', () => {
    const enabled = { ...ENABLE, hw: { '4': '02' } };
    expect(aspects([enabled])).toEqual([]);
    expect(aspects([ENABLE])).toEqual(['pwrite: hw']);
    expect(aspects([ENABLE, READ_IDS, { ...enabled, in: '0200' }])).toEqual(['pwrite: hw']);
  });

  test('in the power state', () => {
    const asleep = { op: 'delay', ms: 1, ps: 'D3hot' } as Operation;
    expect(aspects([asleep])).toEqual(['delay: ps']);
  });

  test('in whether the device sleeps', () => {
    expect(aspects([{ op: 'wait_suspend', dev: 0, rpm: 'suspended' }])).toEqual([
      'wait_suspend: rpm',
    ]);
  });

  test('in what a mapping answers', () => {
    const mmap: Operation = {
      op: 'mmap',
      dev: 0,
      r: 0,
      o: 0,
      len: 4096,
      prot: 1,
      shared: true,
      ret: 0,
      touch: 'ok',
    };
    expect(aspects([mmap])).toEqual([]);
    expect(aspects([{ ...mmap, touch: 'SIGBUS' }])).toEqual(['mmap: touch']);
  });

  test('in an ioctl that changed its argument', () => {
    const info: Operation = {
      op: 'ioctl',
      obj: 'd0',
      cmd: 'GET_IRQ_INFO',
      in: '10000000000000000000000000000000',
      ret: 0,
      out: '10000000070000000000000001000000',
    };
    expect(aspects([info])).toEqual([]);
    expect(aspects([{ ...info, out: '10000000070000000000000002000000' }])).toEqual(['ioctl: out']);
    const { out: _none, ...unchanged } = info;
    expect(aspects([unchanged as Operation])).toEqual(['ioctl: out']);
  });
});

describe('what the device does by itself is taken from the record, what follows from it is not', () => {
  const intx = (fd: string): Operation => ({
    op: 'ioctl',
    obj: 'd0',
    cmd: 'SET_IRQS',
    argsz: 24,
    flags: 0x24,
    index: 0,
    start: 0,
    count: 1,
    in: `180000002400000000000000000000000100000${fd}`,
    ret: 0,
  });
  const touch = { op: 'pwrite', dev: 0, r: 0, o: 0x60, n: 4, in: '01000000', ret: 4 } as const;
  const awake: Operation = { ...ENABLE, hw: { '4': '02' } };

  test('an asserted pin shows in STATUS; the eventfd and DisINTx are predicted', () => {
    const raised = { ...touch, hw: { '5': '0408' }, ev: { e2: 1 } };
    const differing = differencesOf(
      smallTrace([...OPEN, ENABLE, intx('066000000'), raised as unknown as Operation]),
    ).filter(({ op }) => (op as TraceOp).op === 'pwrite' && op.seq === OPEN.length + 3);
    expect(differing).toEqual([]);
  });

  test('an interrupt that reached nobody is a difference', () => {
    const raised = { ...touch, hw: { '5': '0408' } };
    const found = aspects([awake, intx('066000000'), raised as unknown as Operation]);
    expect(found.at(-1)).toBe('pwrite: ev');
  });
});
