import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bytesCapability,
  decodeCapabilities,
  encodeCapabilities,
  findCapability,
  type InfoCapability,
  layoutCapabilities,
  listCapability,
  struct,
  structCapability,
  u16,
  u32,
  vfioInfoCapHeader,
} from '../src/index.js';
import { describeLayout, hex } from './layout.js';

describeLayout(vfioInfoCapHeader, 8, { id: 0, version: 2, next: 4 });

const capability = fc.record({
  id: fc.nat(0xffff),
  version: fc.nat(0xffff),
  body: fc.uint8Array({ maxLength: 40 }),
});
const chains = fc.array(capability, { maxLength: 8 });
const fixedSizes = fc.constantFrom(24, 32);

/** Bytes and their padding. */
const padded = (body: Uint8Array) => {
  const size = Math.ceil((body.length + 8) / 8) * 8 - 8;
  return Uint8Array.from({ length: size }, (_, at) => body[at] ?? 0);
};

const withFixedPart = (fixedSize: number, chain: Uint8Array) =>
  Uint8Array.from([...new Uint8Array(fixedSize), ...chain]);

describe('encoding a chain', () => {
  test('gives offsets from the start of the structure and ends with 0', () => {
    const chain = encodeCapabilities(32, [
      { id: 2, version: 1, body: hex('86800080 01000000') },
      { id: 3, version: 1, body: hex('') },
    ]);
    expect(chain).toEqual(hex('0200 0100 30000000 86800080 01000000' + '0300 0100 00000000'));
  });

  test('[derived:23] pads every capability to 8 bytes with zeroes', () => {
    const chain = encodeCapabilities(24, [
      { id: 3, version: 1, body: hex('ffff0000') },
      { id: 4, version: 2, body: hex('01') },
    ]);
    expect(chain).toEqual(
      hex('0300 0100 28000000 ffff0000 00000000' + '0400 0200 00000000 01000000 00000000'),
    );
  });

  test('starts every capability at a multiple of 8', () => {
    fc.assert(
      fc.property(chains, fixedSizes, (capabilities, fixedSize) => {
        const chain = encodeCapabilities(fixedSize, capabilities);
        expect(chain.length % 8).toBe(0);
        for (let at = 0, left = capabilities.length; left > 1; left -= 1) {
          const { next } = vfioInfoCapHeader.decode(chain, at);
          expect(next % 8).toBe(0);
          at = next - fixedSize;
        }
      }),
    );
  });
});

describe('laying a chain out', () => {
  const type: InfoCapability = { id: 2, version: 1, body: new Uint8Array(8) };

  test.each([
    { argsz: 47, answer: { argsz: 48, capOffset: 0 }, delivered: 0 },
    { argsz: 48, answer: { argsz: 48, capOffset: 32 }, delivered: 16 },
    { argsz: 96, answer: { argsz: 96, capOffset: 32 }, delivered: 16 },
    { argsz: 0xffffffff, answer: { argsz: 0xffffffff, capOffset: 32 }, delivered: 16 },
    { argsz: 32, answer: { argsz: 48, capOffset: 0 }, delivered: 0 },
  ])('with $argsz bytes of room for 32 and 16', ({ argsz, answer, delivered }) => {
    const layout = layoutCapabilities(32, argsz, [type]);
    expect(layout).toMatchObject(answer);
    expect(layout.chain).toHaveLength(delivered);
  });

  test('without capabilities changes nothing', () => {
    expect(layoutCapabilities(32, 40, [])).toEqual({ argsz: 40, capOffset: 0, chain: hex('') });
  });

  test('either delivers everything at the end of the fixed part or says how much there is', () => {
    fc.assert(
      fc.property(chains, fixedSizes, fc.nat(500), (capabilities, fixedSize, argsz) => {
        const { length } = encodeCapabilities(fixedSize, capabilities);
        const layout = layoutCapabilities(fixedSize, argsz, capabilities);
        if (length === 0) expect(layout.argsz).toBe(argsz);
        else if (layout.capOffset === 0) {
          expect(argsz).toBeLessThan(fixedSize + length);
          expect(layout).toMatchObject({ argsz: fixedSize + length, chain: hex('') });
        } else {
          expect(argsz).toBeGreaterThanOrEqual(fixedSize + length);
          expect(layout).toMatchObject({ argsz, capOffset: fixedSize });
        }
      }),
    );
  });
});

describe('decoding a chain', () => {
  test('gives back what was encoded, with the padding', () => {
    fc.assert(
      fc.property(chains, fixedSizes, (capabilities, fixedSize) => {
        const info = withFixedPart(fixedSize, encodeCapabilities(fixedSize, capabilities));
        const start = capabilities.length > 0 ? fixedSize : 0;
        expect(decodeCapabilities(info, start, fixedSize)).toEqual({
          capabilities: capabilities.map((entry) => ({ ...entry, body: padded(entry.body) })),
        });
      }),
    );
  });

  test('never throws and always ends, whatever the bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.nat(320),
        fc.nat(40),
        (info, start, fixedSize) => {
          const { capabilities } = decodeCapabilities(info, start, fixedSize);
          expect(capabilities.length).toBeLessThanOrEqual(info.length);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('follows a chain through shuffled places', () => {
    const info = withFixedPart(
      24,
      hex('0200 0100 00000000 bbbbbbbb 00000000' + '0100 0100 18000000 aaaaaaaa 00000000'),
    );
    expect(
      decodeCapabilities(info, 40, 24).capabilities.map(({ id, body }) => [id, body[0]]),
    ).toEqual([
      [1, 0xaa],
      [2, 0xbb],
    ]);
  });

  test('stops where it would go round and says so', () => {
    const info = withFixedPart(24, hex('0100 0100 20000000' + '0200 0100 18000000'));
    const chain = decodeCapabilities(info, 24, 24);
    expect(chain.capabilities.map(({ id }) => id)).toEqual([1, 2]);
    expect(chain.fault).toEqual({ kind: 'loop', offset: 24 });
  });

  test.each([
    { next: '1c000000', fault: { kind: 'past the end', offset: 28 } },
    { next: 'ffffffff', fault: { kind: 'past the end', offset: 0xffffffff } },
    { next: '17000000', fault: { kind: 'inside the fixed part', offset: 23 } },
  ])('stops at the offset $next', ({ next, fault }) => {
    const info = withFixedPart(24, hex(`0100 0100 ${next}`));
    const chain = decodeCapabilities(info, 24, 24);
    expect(chain.capabilities.map(({ id }) => id)).toEqual([1]);
    expect(chain.fault).toEqual(fault);
  });

  test('reports a start that is out of place, with nothing decoded', () => {
    const chain = decodeCapabilities(new Uint8Array(24), 64, 24);
    expect(chain).toEqual({ capabilities: [], fault: { kind: 'past the end', offset: 64 } });
  });

  test('of thousands of overlapping capabilities ends soon', () => {
    const info = new Uint8Array(24 + 8 * 20_000);
    const view = new DataView(info.buffer);
    for (let at = 24; at + 16 <= info.length; at += 8) view.setUint32(at + 4, at + 8, true);
    expect(decodeCapabilities(info, 24, 24).capabilities).toHaveLength(20_000);
  });

  test('copies bodies, so that the bytes can be used again', () => {
    const info = withFixedPart(24, hex('0100 0100 00000000 0102030405060708'));
    const { capabilities } = decodeCapabilities(info, 24, 24);
    info.fill(0);
    expect(capabilities[0]!.body).toEqual(hex('0102030405060708'));
  });
});

describe('the contents of a capability', () => {
  const pair = struct('pair', { a: u32, b: u16 });

  test('are found by their id', () => {
    const codec = structCapability(7, 1, pair);
    const other = structCapability(8, 1, pair);
    const found = [codec.encode({ a: 1, b: 2 })];
    expect(findCapability(found, codec)).toEqual({ a: 1, b: 2 });
    expect(findCapability(found, other)).toBeUndefined();
  });

  test('of an older version end where it ended', () => {
    const codec = structCapability(7, 3, pair, [4, 6]);
    const body = hex('01000000 0200 0000');
    expect(codec.decode({ id: 7, version: 1, body })).toEqual({ a: 1, b: 0 });
    expect(codec.decode({ id: 7, version: 2, body })).toEqual({ a: 1, b: 2 });
    expect(codec.decode({ id: 7, version: 9, body })).toEqual({ a: 1, b: 2 });
  });

  test('that are a list are no more than are said, nor more than there are', () => {
    const codec = listCapability(7, 1, pair);
    fc.assert(
      fc.property(fc.nat(10), fc.nat(80), (count, length) => {
        const body = Uint8Array.from([count, ...new Uint8Array(length)]);
        const whole = Math.max(0, Math.floor((body.length - 8) / 8));
        expect(codec.decode({ id: 7, version: 1, body })).toHaveLength(Math.min(count, whole));
      }),
    );
  });

  test('that are a list or bytes come back as they went', () => {
    const list = listCapability(7, 1, pair);
    const string = bytesCapability(8, 1);
    const values = [
      { a: 1, b: 2 },
      { a: 3, b: 4 },
    ];
    expect(list.decode(list.encode(values))).toEqual(values);
    fc.assert(
      fc.property(fc.uint8Array(), (value) => {
        expect(string.decode(string.encode(value))).toEqual(value);
      }),
    );
  });

  test('that are bytes are no more than there are', () => {
    const body = hex('ffffffff 0102');
    expect(bytesCapability(8, 1).decode({ id: 8, version: 1, body })).toEqual(hex('0102'));
  });
});
