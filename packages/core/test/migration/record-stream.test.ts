import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeRecordHeader,
  encodeRecordHeader,
  type RecordHandler,
  RecordReader,
} from '../../src/migration/record-stream.js';

const ENOMEM = 12;
const ENODEV = 19;
const EOPNOTSUPP = 95;
const OPTIONAL = 1;

/** Keeps what arrives under one tag, in buffers that are a little too long. */
function keeper(): RecordHandler & { readonly records: number[][] } {
  const records: number[][] = [];
  return {
    records,
    room: (size) => new Uint8Array(size + 3),
    complete: (record) => {
      records.push([...record]);
      return 0;
    },
  };
}

const record = (tag: number, payload: readonly number[], flags = 0) => [
  ...encodeRecordHeader({ size: payload.length, flags, tag }),
  ...payload,
];

describe('a stream of records', () => {
  it('has headers of size, flags and tag, little-endian', () => {
    const header = encodeRecordHeader({ size: 2 ** 33 + 5, flags: 1, tag: 7 });
    expect([...header]).toEqual([5, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0]);
    expect(decodeRecordHeader(header)).toEqual({ size: 2 ** 33 + 5, flags: 1, tag: 7 });
  });

  it('[derived:134] is read the same however the writes are cut, inside headers too', () => {
    const payload = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 });
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 6 }), fc.array(fc.nat(50)), (payloads, cuts) => {
        const stream = Uint8Array.from(payloads.flatMap((bytes) => record(3, bytes)));
        const handler = keeper();
        const reader = new RecordReader({ 3: handler });
        const ends = [...cuts.map((cut) => cut % (stream.length + 1)), stream.length].sort(
          (a, b) => a - b,
        );
        let at = 0;
        for (const end of ends) {
          expect(reader.write(stream.subarray(at, end))).toBe(end - at);
          at = end;
        }
        expect(handler.records).toEqual(payloads);
        expect(reader.between).toBe(true);
      }),
    );
  });

  it('[derived:135] skips optional records of an unknown tag and refuses mandatory ones', () => {
    const handler = keeper();
    const reader = new RecordReader({ 0: handler });
    const skipped = Uint8Array.from([...record(9, [1, 2, 3], OPTIONAL), ...record(0, [4])]);
    expect(reader.write(skipped)).toBe(skipped.length);
    expect(handler.records).toEqual([[4]]);
    expect(reader.write(Uint8Array.from(record(9, [1])))).toBe(-EOPNOTSUPP);
  });

  it('[derived:136] has no room for a record of 4 GiB', () => {
    const header = encodeRecordHeader({ size: 2 ** 32, flags: OPTIONAL, tag: 0 });
    expect(new RecordReader({ 0: keeper() }).write(header)).toBe(-ENOMEM);
  });

  it('[derived:138] is dead after an error of a handler', () => {
    const reader = new RecordReader({
      0: { room: (size) => new Uint8Array(size), complete: () => -5 },
    });
    expect(reader.write(Uint8Array.from(record(0, [1])))).toBe(-5);
    expect(reader.write(Uint8Array.from(record(0, [1])))).toBe(-ENODEV);
  });

  it('knows whether a record is under way', () => {
    const reader = new RecordReader({ 0: keeper() });
    reader.write(encodeRecordHeader({ size: 1, flags: 0, tag: 0 }).subarray(0, 5));
    expect(reader.between).toBe(false);
  });
});
