import { describeRegionOps } from '@vfiokit/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mapOpRegion, OpRegion } from '../src/index.js';
import { type Firmware, laptop, OPREGION_AT, opregion, VBT_AT, withVbt } from './igd-machine.js';

const EFAULT = 14;
const EINVAL = 22;
const POSITION = 9 * 2 ** 40;
const VBT_LENGTH = 0x2400;

function region(firmware: Firmware = {}, vbtAt?: number) {
  const machine = laptop(firmware);
  const vbt = vbtAt === undefined ? undefined : withVbt(machine, vbtAt, VBT_LENGTH);
  return { ops: mapOpRegion('0000:00:02.0', OPREGION_AT, machine), machine, vbt };
}

const EXTENDED_2_0 = { version: 0x0200, rvda: BigInt(VBT_AT), rvds: VBT_LENGTH };
const EXTENDED_2_1 = { version: 0x0201, rvda: BigInt(VBT_AT - OPREGION_AT), rvds: VBT_LENGTH };

function bytesOf(ops: OpRegion, offset: number, length: number): Uint8Array | number {
  const bytes = new Uint8Array(length);
  const count = ops.transfer(bytes, POSITION + offset, false);
  return count < 0 ? count : bytes.subarray(0, count);
}

describeRegionOps('OpRegion', () => {
  const { ops } = region();
  return { ops, size: ops.size, writable: false };
});
describeRegionOps('OpRegion with a VBT outside of it', () => {
  const { ops } = region(EXTENDED_2_0, VBT_AT);
  return { ops, size: ops.size, writable: false };
});

describe('an OpRegion as users see it', () => {
  it('[derived:55] is as large as its size field says, with RVDA 0, if its VBT is inside', () => {
    const { ops } = region({ rvda: 0x1234n });
    expect(ops.size).toBe(8192);
    expect(bytesOf(ops, 0x3ba, 8)).toEqual(new Uint8Array(8));
  });

  it.each([EXTENDED_2_0, EXTENDED_2_1])(
    '[derived:56 derived:58] has the VBT behind it and RVDA 0x2000 otherwise: %o',
    (firmware) => {
      const { ops, vbt } = region(firmware, VBT_AT);
      expect(ops.size).toBe(8192 + VBT_LENGTH);
      expect(bytesOf(ops, 0x3ba, 8)).toEqual(Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0));
      expect(bytesOf(ops, 0x2000, VBT_LENGTH)).toEqual(vbt);
    },
  );

  it('[derived:58] finds the VBT by an address in version 2.0, by a distance from 2.1 on', () => {
    expect(region(EXTENDED_2_0, VBT_AT).machine.log).toContain(`map ${VBT_AT.toString(16)}+2400`);
    const relative = region({ ...EXTENDED_2_1, version: 0x0202 }, VBT_AT);
    expect(relative.machine.log).toContain(`map ${VBT_AT.toString(16)}+2400`);
    expect(() => region({ ...EXTENDED_2_0, version: 0x0201 }, VBT_AT)).toThrow(
      expect.objectContaining({ code: 'ENOMEM' }),
    );
  });

  it('counts addresses in 32 bits', () => {
    const rvda = BigInt(2 ** 32 + VBT_AT - OPREGION_AT);
    expect(region({ version: 0x0201, rvda, rvds: VBT_LENGTH }, VBT_AT).ops.size).toBe(
      8192 + VBT_LENGTH,
    );
  });

  it.each([
    [0x0200, true, 0x0201],
    [0x0200, false, 0x0200],
    [0x0201, true, 0x0201],
    [0x0100, false, 0x0100],
  ])(
    '[derived:57] reads as version 2.1 instead of 2.0 with a VBT outside: %i, %s',
    (version, outside, shown) => {
      const firmware = version === 0x0200 ? EXTENDED_2_0 : EXTENDED_2_1;
      const { ops } = outside ? region({ ...firmware, version }, VBT_AT) : region({ version });
      expect(ops.read(0x16, 2)).toBe(shown);
    },
  );

  it('knows no VBT outside before version 2.0, nor one without an address or a length', () => {
    for (const firmware of [
      { ...EXTENDED_2_0, version: 0x0101 },
      { ...EXTENDED_2_0, rvda: 0n },
      { ...EXTENDED_2_0, rvds: 0 },
    ])
      expect(region(firmware, VBT_AT).ops.size).toBe(8192);
  });

  it('[derived:59] patches single bytes inside the version and RVDA', () => {
    const { ops } = region(EXTENDED_2_0, VBT_AT);
    expect(bytesOf(ops, 0x17, 1)).toEqual(Uint8Array.of(0x02));
    expect(bytesOf(ops, 0x16, 1)).toEqual(Uint8Array.of(0x01));
    expect(bytesOf(ops, 0x3bb, 1)).toEqual(Uint8Array.of(0x20));
  });

  it('[derived:60] joins its own bytes with those of the VBT', () => {
    const { ops, vbt } = region(EXTENDED_2_0, VBT_AT);
    const own = opregion(EXTENDED_2_0);
    expect(bytesOf(ops, 0x1ffe, 4)).toEqual(
      Uint8Array.of(own[0x1ffe]!, own[0x1fff]!, vbt![0]!, vbt![1]!),
    );
  });

  it('[derived:61] leaves RVDS as it is', () => {
    expect(region(EXTENDED_2_0, VBT_AT).ops.read(0x3c4, 2)).toBe(0);
    expect(bytesOf(region(EXTENDED_2_0, VBT_AT).ops, 0x3c2, 4)).toEqual(
      Uint8Array.of(0, 0x24, 0, 0),
    );
  });

  it('[derived:62] can not be written', () => {
    const { ops } = region();
    expect(ops.transfer(new Uint8Array(4), POSITION, true)).toBe(-EINVAL);
    expect(ops.write()).toBe(-EINVAL);
  });

  it('[derived:63] ends at its size', () => {
    const { ops } = region();
    expect(bytesOf(ops, 8192, 1)).toBe(-EINVAL);
    expect(bytesOf(ops, 2 ** 32, 1)).toBe(-EINVAL);
    expect(bytesOf(ops, 8190, 8)).toHaveLength(2);
  });

  it('has no memory behind bytes that the size field counts but nobody mapped', () => {
    const { ops } = region({ kib: 12 });
    expect(ops.size).toBe(12288);
    expect(bytesOf(ops, 0x1ffc, 8)).toBe(-EFAULT);
    expect(ops.read(0x2000, 1)).toBe(-EFAULT);
  });

  it('shows what firmware writes to it later', () => {
    const { ops, machine } = region();
    machine.memory.get(OPREGION_AT)![0x200] = 0x77;
    expect(ops.read(0x200, 1)).toBe(0x77);
  });

  it('reads the same in whatever pieces', () => {
    const { ops } = region(EXTENDED_2_0, VBT_AT);
    const whole = bytesOf(ops, 0, ops.size) as Uint8Array;
    fc.assert(
      fc.property(fc.nat(ops.size - 1), fc.nat(64), (offset, length) => {
        expect(bytesOf(ops, offset, length)).toEqual(whole.subarray(offset, offset + length));
      }),
    );
  });

  it('unmaps what it mapped', () => {
    const { ops, machine } = region(EXTENDED_2_0, VBT_AT);
    ops.release();
    expect(machine.log.filter((line) => line.startsWith('unmap')).sort()).toEqual([
      `unmap ${OPREGION_AT.toString(16)}`,
      `unmap ${VBT_AT.toString(16)}`,
    ]);
  });
});

describe('finding an OpRegion', () => {
  it.each<[string, Firmware, string]>([
    ['[derived:52] another signature', { signature: 'IntelGraphicsMe_' }, 'EINVAL'],
    ['[derived:53] a size of 0', { kib: 0 }, 'EINVAL'],
    ['a VBT that is not there', EXTENDED_2_0, 'ENOMEM'],
  ])('%s fails and gives the memory back', (_, firmware, code) => {
    const machine = laptop(firmware);
    expect(() => mapOpRegion('0000:00:02.0', OPREGION_AT, machine)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(/^0000:00:02\.0: /) }),
    );
    expect(machine.log.at(-1)).toBe(`unmap ${OPREGION_AT.toString(16)}`);
  });

  it('fails where there is no memory', () => {
    expect(() => mapOpRegion('0000:00:02.0', 0x1000, laptop())).toThrow(
      expect.objectContaining({ code: 'ENOMEM' }),
    );
  });
});
