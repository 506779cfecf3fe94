import { EXPLANATIONS, Replayer, Tally, type TraceMeta } from '@vfiokit/replay';
import { describe, expect, test } from 'vitest';
import { META, OPEN, smallTrace } from './support/small-trace.js';

type Operation = Parameters<typeof smallTrace>[0][number];

/** Which rules explained something, and how much was left. */
function verdict(
  operations: readonly Operation[],
  meta: TraceMeta = META,
): { rules: readonly string[]; left: number } {
  const tally = new Tally();
  new Replayer(smallTrace([...OPEN, ...operations], meta), tally).run();
  return { rules: [...tally.explanations.keys()], left: tally.total().differing };
}

const config = (o: number, out: string): Operation => ({
  op: 'pread',
  dev: 0,
  r: 7,
  o,
  n: out.length / 2,
  ret: out.length / 2,
  out,
});

describe('differences that a model can not avoid', () => {
  test('device-register: a byte that no capability owns answers as it likes', () => {
    expect(verdict([config(0x80, 'a5')])).toEqual({ rules: ['device-register'], left: 0 });
  });

  test('device-register: but not one of the header', () => {
    expect(verdict([config(0x02, 'a5')])).toEqual({ rules: [], left: 1 });
    expect(verdict([config(0x3f, 'a5a5')])).toEqual({ rules: [], left: 1 });
  });

  test('device-register: and not a wrong result', () => {
    expect(verdict([{ ...config(0x80, 'a5'), ret: -5 } as Operation])).toEqual({
      rules: [],
      left: 1,
    });
  });

  test('bar-register: a register that does not read back what was written', () => {
    const write: Operation = { op: 'pwrite', dev: 0, r: 0, o: 4, n: 4, in: '01020304', ret: 4 };
    const read: Operation = { op: 'pread', dev: 0, r: 0, o: 4, n: 4, ret: 4, out: 'fefdfcfb' };
    expect(verdict([write, read])).toEqual({ rules: ['bar-register'], left: 0 });
    expect(verdict([write, { ...read, ret: -5 } as Operation])).toEqual({ rules: [], left: 1 });
  });

  /** The function with a capability at 0x40 by which it can be reset, and that reset. */
  const resettable = (() => {
    const [device] = META.devices;
    const config = Uint8Array.from(Buffer.from(device!.config, 'hex').subarray(0, 0x40));
    config[0x06] = 0x10;
    config[0x34] = 0x40;
    const express = '1000020000800010'.padEnd(2 * 0x3c, '0');
    const hex = Buffer.from(config).toString('hex') + express;
    return { ...META, devices: [{ ...device!, config: hex, reset_method: 'flr' }] };
  })();
  const afterReset = (hw: Record<string, string>) =>
    ({ op: 'ioctl', obj: 'd0', cmd: 'RESET', ret: 0, hw }) as unknown as Operation;

  test('after-reset: what a reset leaves in registers that nobody else owns', () => {
    expect(verdict([afterReset({})], resettable)).toEqual({ rules: [], left: 0 });
    expect(verdict([afterReset({ '160': 'a5' })], resettable)).toEqual({
      rules: ['after-reset'],
      left: 0,
    });
  });

  test('after-reset: but not in the header or a capability that the kernel knows, nor without a reset', () => {
    for (const at of ['12', '72'])
      expect(verdict([afterReset({ [at]: '11' })], resettable)).toEqual({ rules: [], left: 1 });
    const later = { op: 'delay', ms: 1, hw: { '160': 'a5' } } as unknown as Operation;
    expect(verdict([later], resettable)).toEqual({ rules: [], left: 1 });
    const refused = { ...afterReset({ '160': 'a5' }), ret: -11 } as Operation;
    expect(verdict([refused], resettable)).toEqual({ rules: [], left: 1 });
  });

  test('older-kernel: a power state that Linux 6.12 forgets, and only there', () => {
    const forgotten = { op: 'delay', ms: 1, ps: 'unknown' } as Operation;
    expect(verdict([forgotten], { ...META, kernel: '6.12.107' })).toEqual({
      rules: ['older-kernel'],
      left: 0,
    });
    expect(verdict([forgotten])).toEqual({ rules: [], left: 1 });
    expect(verdict([forgotten], { ...META, kernel: '6.18.2' })).toEqual({ rules: [], left: 1 });
  });

  test('wide-ioeventfd: 8 bytes on an architecture that has them, and only there', () => {
    const wide: Operation = {
      op: 'ioctl',
      obj: 'd0',
      cmd: 'IOEVENTFD',
      flags: 8,
      in: '2000000008000000000000000000000000000000000000008000000000000000',
      ret: 0,
    };
    const s390 = { ...META, arch: 's390x' };
    expect(verdict([wide], s390)).toEqual({ rules: ['wide-ioeventfd'], left: 0 });
    expect(verdict([wide])).toEqual({ rules: [], left: 1 });
    // Two widths at once are wrong everywhere.
    const twofold = { ...wide, flags: 12, in: wide.in!.replace('08000000', '0c000000') };
    expect(verdict([twofold as Operation], s390)).toEqual({ rules: [], left: 1 });
  });

  test('each rule has an id of its own and a reason', () => {
    expect(new Set(EXPLANATIONS.map(({ id }) => id)).size).toBe(EXPLANATIONS.length);
    for (const { reason } of EXPLANATIONS) expect(reason.length).toBeGreaterThan(40);
  });
});
