import { EINVAL } from '@vfiokit/uapi';

const PROTOCOL_MAJOR = 0;
const PROTOCOL_MINOR = 1;

/** A message holds as much, whoever sends it. */
export const DEFAULT_MAX_DATA_XFER = 1 << 20;
const DEFAULT_MAX_MSG_FDS = 1;
const MOST_MSG_FDS = 1024;
const PAGE_SIZE = 4096;

/** What one side of a connection accepts. */
export interface Limits {
  /** Descriptors in a message. */
  readonly maxMsgFds: number;
  /** Bytes of data in one read or write. */
  readonly maxDataXfer: number;
}

/** What a server offers. */
interface ServerOffer extends Limits {
  /** Windows at once. */
  readonly maxDmaMaps: number;
  /** The device's state can be moved. */
  readonly migration: boolean;
}

/** How a negotiation ended well. */
interface Negotiated {
  /** What the client accepts. */
  readonly client: Limits;
  /** The payload of the reply. */
  readonly reply: Uint8Array;
}

/**
 * Answers the payload of a VERSION command.
 *
 * @returns the outcome, or `-EINVAL`, after which the connection is closed.
 */
export function negotiate(payload: Uint8Array, offer: ServerOffer): Negotiated | number {
  if (payload.length < 4) return -EINVAL;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  if (view.getUint16(0, true) !== PROTOCOL_MAJOR) return -EINVAL;
  const minor = Math.min(view.getUint16(2, true), PROTOCOL_MINOR);
  const capabilities = parse(payload.subarray(4));
  if (capabilities === undefined) return -EINVAL;
  const client = readLimits(capabilities, offer);
  if (typeof client === 'number') return client;
  return { client, reply: encodeReply(minor, offer, payload.length) };
}

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The capabilities; none where the client sent no JSON, `undefined` where it sent something else. */
function parse(text: Uint8Array): Json | undefined {
  if (text.length === 0) return {};
  const end = text.indexOf(0);
  if (end === -1) return undefined;
  try {
    const json: unknown = JSON.parse(
      new TextDecoder('utf-8', { fatal: true }).decode(text.subarray(0, end)),
    );
    if (typeof json !== 'object' || json === null) return undefined;
    const { capabilities = {} } = json as Json;
    return isObject(capabilities) ? capabilities : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

function readLimits(capabilities: Json, offer: ServerOffer): Limits | number {
  const {
    max_msg_fds: maxMsgFds = DEFAULT_MAX_MSG_FDS,
    max_data_xfer_size: maxDataXfer = DEFAULT_MAX_DATA_XFER,
    max_dma_maps: maxDmaMaps = 0,
    pgsizes = PAGE_SIZE,
    migration,
  } = capabilities;
  if (![maxDataXfer, maxDmaMaps, pgsizes].every(isCount)) return -EINVAL;
  if (!isCount(maxMsgFds) || maxMsgFds > MOST_MSG_FDS) return -EINVAL;
  if (offer.migration && migration !== undefined) {
    if (!isObject(migration)) return -EINVAL;
    const { pgsize = PAGE_SIZE } = migration;
    if (pgsize !== PAGE_SIZE) return -EINVAL;
  }
  return { maxMsgFds, maxDataXfer: maxDataXfer as number };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/**
 * The reply's payload. QEMU has no more room for it than its own request took, so that capabilities which have their
 * defaults are left out where it gets tight.
 */
function encodeReply(minor: number, offer: ServerOffer, room: number): Uint8Array {
  const optional: readonly [string, unknown][] = [
    ['max_msg_fds', offer.maxMsgFds],
    ['write_multiple', true],
    ...(offer.migration ? [['migration', { pgsize: PAGE_SIZE }] as [string, unknown]] : []),
    ['max_dma_maps', offer.maxDmaMaps],
    ['max_data_xfer_size', offer.maxDataXfer],
    ['pgsizes', PAGE_SIZE],
  ];
  for (let kept = optional.length; ; kept -= 1) {
    const json = JSON.stringify({ capabilities: Object.fromEntries(optional.slice(0, kept)) });
    const text = new TextEncoder().encode(`${json}\0`);
    if (text.length + 4 > room && kept > 0) continue;
    const reply = new Uint8Array(4 + text.length);
    new DataView(reply.buffer).setUint16(2, minor, true);
    reply.set(text, 4);
    return reply;
  }
}
