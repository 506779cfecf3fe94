/** Where a field is: bits from the most significant bit of the first byte, and how many. */
export type BitField = readonly [offset: number, width: number];

type Fields = Readonly<Record<string, BitField>>;

/** Values by field; fields of 64 bits are bigints, others numbers. */
export type FieldValues<F extends Fields> = {
  readonly [Name in keyof F]: F[Name][1] extends 64 ? bigint : number;
};

/** A firmware structure: big-endian, fields of any width at any bit. */
export interface BitLayout<F extends Fields> {
  /** Bytes. */
  readonly size: number;
  encode(values: Partial<FieldValues<F>>, into?: Uint8Array, at?: number): Uint8Array;
  /** Bytes that are missing read as zeroes. */
  decode(bytes: Uint8Array, at?: number): FieldValues<F>;
}

/**
 * Lays a structure out from a literal of its fields.
 *
 * @param size bytes of the structure.
 * @param fields none may cross a dword, except those of 64 bits, which start at one.
 */
export function bitLayout<const F extends Fields>(size: number, fields: F): BitLayout<F> {
  const entries = Object.entries(fields);
  return {
    size,
    encode(values, into = new Uint8Array(size), at = 0) {
      const view = new DataView(into.buffer, into.byteOffset + at, size);
      for (const [name, [offset, width]] of entries) {
        const value = (values as Record<string, number | bigint | undefined>)[name];
        if (typeof value === 'bigint') view.setBigUint64(offset / 8, value);
        else if (value !== undefined) setBits(view, offset, width, value);
      }
      return into;
    },
    decode(bytes, at = 0) {
      const view = viewOf(bytes, at, size);
      const values: Record<string, number | bigint> = {};
      for (const [name, [offset, width]] of entries)
        values[name] = width === 64 ? view.getBigUint64(offset / 8) : getBits(view, offset, width);
      return values as FieldValues<F>;
    },
  };
}

function viewOf(bytes: Uint8Array, at: number, size: number): DataView {
  if (at + size <= bytes.length) return new DataView(bytes.buffer, bytes.byteOffset + at, size);
  const padded = new Uint8Array(size);
  padded.set(bytes.subarray(at, at + size));
  return new DataView(padded.buffer);
}

function getBits(view: DataView, offset: number, width: number): number {
  const dword = view.getUint32((offset >>> 5) * 4);
  const shift = 32 - (offset & 31) - width;
  return width === 32 ? dword : (dword >>> shift) & (2 ** width - 1);
}

function setBits(view: DataView, offset: number, width: number, value: number): void {
  const at = (offset >>> 5) * 4;
  if (width === 32) {
    view.setUint32(at, value);
    return;
  }
  const shift = 32 - (offset & 31) - width;
  const mask = (2 ** width - 1) << shift;
  view.setUint32(at, (view.getUint32(at) & ~mask) | ((value << shift) & mask));
}
