/** One kind of value that a structure is made of: how many bytes it takes and how it is read and written, little-endian. */
export interface Field<T> {
  readonly size: number;
  readonly alignment: number;
  get(view: DataView, at: number): T;
  set(view: DataView, at: number, value: T): void;
}

export const u8: Field<number> = {
  size: 1,
  alignment: 1,
  get: (view, at) => view.getUint8(at),
  set: (view, at, value) => view.setUint8(at, value),
};

export const u16: Field<number> = {
  size: 2,
  alignment: 2,
  get: (view, at) => view.getUint16(at, true),
  set: (view, at, value) => view.setUint16(at, value, true),
};

export const u32: Field<number> = {
  size: 4,
  alignment: 4,
  get: (view, at) => view.getUint32(at, true),
  set: (view, at, value) => view.setUint32(at, value, true),
};

/** Descriptors: negative for none. */
export const s32: Field<number> = {
  size: 4,
  alignment: 4,
  get: (view, at) => view.getInt32(at, true),
  set: (view, at, value) => view.setInt32(at, value, true),
};

/** Addresses, sizes and pointers. Aligned to 8 bytes on every architecture (the kernel's __aligned_u64). */
export const u64: Field<bigint> = {
  size: 8,
  alignment: 8,
  get: (view, at) => view.getBigUint64(at, true),
  set: (view, at, value) => view.setBigUint64(at, value, true),
};

/** A fixed number of equal values, such as `idr[6]`. */
export function array<T>(element: Field<T>, length: number): Field<readonly T[]> {
  const indexes = Array.from({ length }, (_, index) => index);
  return {
    size: element.size * length,
    alignment: element.alignment,
    get: (view, at) => indexes.map((index) => element.get(view, at + index * element.size)),
    set: (view, at, values) => {
      for (const [index, value] of values.slice(0, length).entries())
        element.set(view, at + index * element.size, value);
    },
  };
}

/** What decoding a structure gives: `type VfioIrqInfo = StructOf<typeof vfioIrqInfo>`. */
export type StructOf<S> = S extends Field<infer T> ? T : never;

/** Bytes to decode. */
export type Bytes = Uint8Array | DataView;

/** A structure as a C compiler lays it out: members in order, each naturally aligned, the size rounded up to the largest alignment. */
export interface Struct<T> extends Field<T> {
  /** The kernel's name of it, such as `vfio_region_info`. */
  readonly name: string;
  /** Where each member starts, in bytes. */
  readonly offsets: { readonly [Name in keyof T]: number };
  /** Where each member ends. A minimum size that a call demands is the end of its last mandatory member (offsetofend). */
  readonly ends: { readonly [Name in keyof T]: number };
  /** Reads the structure from `at` on. Bytes that are missing read as zeroes; it never throws. */
  decode(bytes: Bytes, at?: number): T;
  /**
   * Writes the members that `value` has and leaves the others as they are: zero, in bytes of its own.
   *
   * @returns `into`, or as many new bytes as the structure has.
   * @throws RangeError if a member does not fit into `into`.
   */
  encode(value: Partial<T>, into?: Uint8Array, at?: number): Uint8Array;
}

/** A view of bytes, without copying them. */
export function viewOf(bytes: Bytes): DataView {
  return bytes instanceof DataView
    ? bytes
    : new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

const roundUp = (value: number, unit: number) => Math.ceil(value / unit) * unit;

type Members<T> = { readonly [Name in keyof T]: Field<T[Name]> };

/** Lays a structure out from a literal of its members. A nested structure is a member like any other: a `Struct` is a `Field`. */
export function struct<T>(name: string, members: Members<T>): Struct<Readonly<T>> {
  const entries = Object.entries(members) as [keyof T & string, Field<T[keyof T & string]>][];
  const offsets = {} as Record<keyof T, number>;
  const ends = {} as Record<keyof T, number>;
  let end = 0;
  for (const [member, field] of entries) {
    offsets[member] = roundUp(end, field.alignment);
    end = offsets[member] + field.size;
    ends[member] = end;
  }
  const alignment = Math.max(1, ...entries.map(([, field]) => field.alignment));
  const size = roundUp(end, alignment);

  const get = (view: DataView, at: number) => {
    const value = {} as T;
    for (const [member, field] of entries) value[member] = field.get(view, at + offsets[member]);
    return value;
  };
  const set = (view: DataView, at: number, value: Partial<T>) => {
    for (const [member, field] of entries) {
      const given = value[member];
      if (given !== undefined) field.set(view, at + offsets[member], given);
    }
  };

  return {
    name,
    size,
    alignment,
    offsets,
    ends,
    get,
    set,
    decode(bytes, at = 0) {
      const view = viewOf(bytes);
      if (at + size <= view.byteLength) return get(view, at);
      const padded = new Uint8Array(size);
      if (at < view.byteLength)
        padded.set(new Uint8Array(view.buffer, view.byteOffset + at, view.byteLength - at));
      return get(viewOf(padded), 0);
    },
    encode(value, into = new Uint8Array(size), at = 0) {
      set(viewOf(into), at, value);
      return into;
    },
  };
}
