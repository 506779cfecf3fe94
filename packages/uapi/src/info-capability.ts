import { type Bytes, type Struct, type StructOf, struct, u16, u32, viewOf } from './struct.js';

/** What precedes every capability: which one it is, and where the next one starts from the start of the info structure, 0 for none. */
export const vfioInfoCapHeader = struct('vfio_info_cap_header', {
  id: u16,
  version: u16,
  next: u32,
});
export type VfioInfoCapHeader = StructOf<typeof vfioInfoCapHeader>;

/** An entry of the chain behind an info structure. Its number space is that of the ioctl it came with. */
export interface InfoCapability {
  readonly id: number;
  readonly version: number;
  /** What follows the header; a decoded one carries its padding along. */
  readonly body: Uint8Array;
}

/** Capabilities are padded with zeroes to a multiple of this (vfio_main.c: vfio_info_cap_add). */
const ALIGNMENT = 8;

const paddedSize = ({ body }: InfoCapability) =>
  Math.ceil((vfioInfoCapHeader.size + body.length) / ALIGNMENT) * ALIGNMENT;

/** The chain in bytes, as it stands `fixedSize` bytes behind the start of the info structure. */
export function encodeCapabilities(
  fixedSize: number,
  capabilities: readonly InfoCapability[],
): Uint8Array {
  const chain = new Uint8Array(capabilities.reduce((sum, entry) => sum + paddedSize(entry), 0));
  let at = 0;
  for (const [index, entry] of capabilities.entries()) {
    const end = at + paddedSize(entry);
    const next = index < capabilities.length - 1 ? fixedSize + end : 0;
    vfioInfoCapHeader.encode({ id: entry.id, version: entry.version, next }, chain, at);
    chain.set(entry.body, at + vfioInfoCapHeader.size);
    at = end;
  }
  return chain;
}

/** How an info call delivers its capabilities. */
export interface CapabilityLayout {
  /** What argsz becomes: as it was, or as much as it would have to be. */
  readonly argsz: number;
  /** Where the chain starts, 0 if it was not delivered. */
  readonly capOffset: number;
  /** The bytes that go there; none if it was not delivered. */
  readonly chain: Uint8Array;
}

/**
 * Decides what an info call does with its capabilities: a caller with too little room gets none of them, but is told how
 * much room there has to be, and the call succeeds. The flag that says there are capabilities is set either way.
 *
 * @param fixedSize bytes of the structure that the chain follows.
 * @param argsz bytes of room that the caller has.
 */
export function layoutCapabilities(
  fixedSize: number,
  argsz: number,
  capabilities: readonly InfoCapability[],
): CapabilityLayout {
  const chain = encodeCapabilities(fixedSize, capabilities);
  const needed = fixedSize + chain.length;
  if (chain.length === 0) return { argsz, capOffset: 0, chain };
  if (argsz < needed) return { argsz: needed, capOffset: 0, chain: new Uint8Array(0) };
  return { argsz, capOffset: fixedSize, chain };
}

/** What is wrong with a chain, and at which offset. */
export interface CapabilityFault {
  readonly kind: 'loop' | 'inside the fixed part' | 'past the end';
  /** The offset that leads there, from the start of the info structure. */
  readonly offset: number;
}

/** A chain as far as it could be followed. */
export interface CapabilityChain {
  readonly capabilities: readonly InfoCapability[];
  readonly fault?: CapabilityFault;
}

/**
 * Follows a chain. It never throws and always ends: a chain that leads astray is followed up to there.
 *
 * A header does not say how long its capability is: a body reaches to the next capability, or to the end of the bytes.
 *
 * @param info the info structure and all that follows it.
 * @param capOffset where the chain starts; 0 is an empty one.
 * @param fixedSize bytes of the info structure, where no capability can be.
 */
export function decodeCapabilities(
  info: Bytes,
  capOffset: number,
  fixedSize: number,
): CapabilityChain {
  const view = viewOf(info);
  const starts: number[] = [];
  let fault: CapabilityFault | undefined;
  const seen = new Set<number>();
  for (let offset = capOffset; offset !== 0; offset = vfioInfoCapHeader.decode(view, offset).next) {
    const kind = faultAt(offset);
    if (kind !== undefined) {
      fault = { kind, offset };
      break;
    }
    seen.add(offset);
    starts.push(offset);
  }
  const ascending = [...starts].sort((a, b) => a - b);
  const ends = new Map(ascending.map((start, i) => [start, ascending[i + 1] ?? view.byteLength]));
  const capabilities = starts.map((start) => {
    const { id, version } = vfioInfoCapHeader.decode(view, start);
    const from = start + vfioInfoCapHeader.size;
    const length = Math.max(0, ends.get(start)! - from);
    return {
      id,
      version,
      body: new Uint8Array(view.buffer, view.byteOffset + from, length).slice(),
    };
  });
  return fault === undefined ? { capabilities } : { capabilities, fault };

  function faultAt(offset: number): CapabilityFault['kind'] | undefined {
    if (offset < fixedSize) return 'inside the fixed part';
    if (offset + vfioInfoCapHeader.size > view.byteLength) return 'past the end';
    return seen.has(offset) ? 'loop' : undefined;
  }
}

/** A kind of capability: how its contents are laid out. */
export interface CapabilityCodec<T> {
  readonly id: number;
  /** The version that `encode` makes. */
  readonly version: number;
  encode(value: T): InfoCapability;
  /** Reads any version; what is missing reads as zero. */
  decode(capability: InfoCapability): T;
}

/** The contents of the first capability of a kind in a chain. */
export function findCapability<T>(
  capabilities: readonly InfoCapability[],
  codec: CapabilityCodec<T>,
): T | undefined {
  const found = capabilities.find(({ id }) => id === codec.id);
  return found && codec.decode(found);
}

/**
 * A capability that is one structure, laid out without its header.
 *
 * @param versions bytes of the structure in older versions, from version 1 on; what lies behind them reads as zero.
 */
export function structCapability<T>(
  id: number,
  version: number,
  layout: Struct<T>,
  versions: readonly number[] = [],
): CapabilityCodec<T> {
  return {
    id,
    version,
    encode: (value) => ({ id, version, body: layout.encode(value) }),
    decode: ({ version, body }) => layout.decode(body.subarray(0, versions[version - 1])),
  };
}

const listHeader = struct('list', { count: u32, reserved: u32 });

/** A capability that is a list: how many there are (u32), a reserved u32, and as many structures. Only whole ones are decoded. */
export function listCapability<T>(
  id: number,
  version: number,
  element: Struct<T>,
): CapabilityCodec<readonly T[]> {
  return {
    id,
    version,
    encode(values) {
      const body = new Uint8Array(listHeader.size + values.length * element.size);
      listHeader.encode({ count: values.length }, body);
      for (const [index, value] of values.entries())
        element.encode(value, body, listHeader.size + index * element.size);
      return { id, version, body };
    },
    decode({ body }) {
      const room = Math.floor((body.length - listHeader.size) / element.size);
      const length = Math.max(0, Math.min(listHeader.decode(body).count, room));
      return Array.from({ length }, (_, index) =>
        element.decode(body, listHeader.size + index * element.size),
      );
    },
  };
}

const sized = struct('sized', { size: u32 });

/** A capability that is a string of bytes behind its length (u32). */
export function bytesCapability(id: number, version: number): CapabilityCodec<Uint8Array> {
  return {
    id,
    version,
    encode(value) {
      const body = new Uint8Array(sized.size + value.length);
      sized.encode({ size: value.length }, body);
      body.set(value, sized.size);
      return { id, version, body };
    },
    decode({ body }) {
      return body.slice(sized.size, sized.size + sized.decode(body).size);
    },
  };
}
