import type { RegionOps } from '@vfiokit/core';
import { expect, it } from 'vitest';
import { regionOpsCases } from '../src/contracts/region-ops.js';
import { describeRegionOps, type RegionOpsSubject } from '../src/index.js';
import { describeBroken, fail } from './broken.js';

const SIZE = 256;
const EIO = 5;
const EINVAL = 22;

/** A region of plain bytes. */
function plain(override: Partial<RegionOps> = {}, writable = true): RegionOpsSubject {
  const view = new DataView(new ArrayBuffer(SIZE));
  for (let at = 0; at < SIZE; at += 1) view.setUint8(at, at);
  const ops: RegionOps = {
    read(offset, size) {
      if (size === 4) return view.getUint32(offset, true);
      return size === 2 ? view.getUint16(offset, true) : view.getUint8(offset);
    },
    write(offset, size, value) {
      if (!writable) return -EINVAL;
      for (let i = 0; i < size; i += 1) view.setUint8(offset + i, value >>> (8 * i));
      return 0;
    },
    ...override,
  };
  return { ops, size: SIZE, writable };
}

/** The same, which takes whole reads and writes. */
function whole(override: Partial<RegionOps> = {}): RegionOpsSubject {
  const { ops, ...rest } = plain();
  return {
    ...rest,
    ops: {
      ...ops,
      transfer(bytes, position, isWrite) {
        const offset = position % 2 ** 40;
        if (offset >= SIZE) return -EINVAL;
        const count = Math.min(bytes.length, SIZE - offset);
        for (let i = 0; i < count; i += 1)
          if (isWrite) ops.write(offset + i, 1, bytes[i]!);
          else bytes[i] = ops.read(offset + i, 1);
        return count;
      },
      ...override,
    },
  };
}

describeRegionOps('plain bytes', plain);
describeRegionOps('bytes that can not be written', () => plain({}, false));
describeRegionOps('bytes that take whole transfers', whole);

describeBroken('a region', regionOpsCases, {
  'answers every aligned access with an unsigned value or a negated errno': () =>
    plain({ read: () => -5000 }),
  'reads the same bytes at every width': () => plain({ read: (_offset, size) => size }),
  'keeps what was written, or refuses and keeps what was there': () => plain({ write: () => 0 }),
  'does not throw for whole transfers at and beyond its end': () =>
    whole({ transfer: (bytes) => bytes.length }),
  'transfers the bytes that single reads see': () =>
    whole({
      transfer(bytes) {
        bytes.fill(0xee);
        return bytes.length;
      },
    }),
  'can be released': () => plain({ release: fail }),
});

describeBroken('a region, once more,', regionOpsCases, {
  'answers every aligned access with an unsigned value or a negated errno': () =>
    plain({ read: () => 2 ** 33 }),
  'reads the same bytes at every width': () => plain({ read: (offset) => offset }),
  'keeps what was written, or refuses and keeps what was there'() {
    const { ops, ...rest } = plain();
    return { ...rest, writable: false, ops };
  },
  'does not throw for whole transfers at and beyond its end': () => whole({ transfer: fail }),
  'transfers the bytes that single reads see': () => whole({ transfer: () => 1 }),
  'can be released': () => plain({ release: fail }),
});

/** Fails at one place that is neither at an end nor near one. */
const at0x20 =
  <T>(good: (...call: [offset: number, size: 1 | 2 | 4]) => T, bad: () => T) =>
  (offset: number, size: 1 | 2 | 4) =>
    offset === 0x20 ? bad() : good(offset, size);
const { ops: good } = plain();
const ones = (_offset: number, size: number) => 2 ** (8 * size) - 1;

describeBroken('a region, at one place of it,', regionOpsCases, {
  'answers every aligned access with an unsigned value or a negated errno': () =>
    plain({ read: at0x20(good.read, fail) }),
  'reads the same bytes at every width': () =>
    plain({ read: (offset, size) => (offset === 0x20 && size === 2 ? 0 : ones(offset, size)) }),
  'keeps what was written, or refuses and keeps what was there'() {
    const { ops, ...rest } = plain();
    const write: RegionOps['write'] = (offset, size, value) =>
      offset === 0x20 ? 0 : ops.write(offset, size, value);
    return { ...rest, ops: { ...ops, write } };
  },
  'does not throw for whole transfers at and beyond its end': () =>
    whole({ transfer: (_bytes, position) => (position % 2 ** 40 === SIZE ? fail() : 1) }),
  'transfers the bytes that single reads see': () => whole({ read: () => 0 }),
  'can be released': () => plain({ release: fail }),
});

describeRegionOps('bytes that can not be read at one place', () => {
  const { ops, ...rest } = plain();
  return { ...rest, ops: { ...ops, read: at0x20(ops.read, () => -EIO) } };
});

it('the contract of a region says that a write answers with a positive errno', () => {
  const region = () => plain({ write: () => EINVAL });
  const title = 'keeps what was written, or refuses and keeps what was there';
  expect(() => regionOpsCases(region)[title]!(() => fail())).toThrow(
    /^a write answers neither 0 nor a negated errno: expected '0x0, 0x1, /,
  );
});
