import {
  errnoName,
  featureName,
  VFIO_DEVICE_FEATURE_GET,
  VFIO_DEVICE_FEATURE_MASK,
  VFIO_DEVICE_FEATURE_PROBE,
  VFIO_DEVICE_FEATURE_SET,
} from '@vfiokit/uapi';
import {
  commandName,
  DEVICE_FEATURE,
  DEVICE_GET_INFO,
  DEVICE_GET_IRQ_INFO,
  DEVICE_GET_REGION_INFO,
  DEVICE_SET_IRQS,
  DMA_MAP,
  DMA_READ,
  DMA_UNMAP,
  DMA_WRITE,
  MIG_DATA_READ,
  MIG_DATA_WRITE,
  REGION_READ,
  REGION_WRITE,
  REGION_WRITE_MULTI,
  VERSION,
} from './protocol/commands.js';
import {
  FLAG_ERROR,
  FLAG_NO_REPLY,
  getWide,
  HEADER_COMMAND,
  HEADER_ERROR,
  HEADER_FLAGS,
  HEADER_ID,
  HEADER_SIZE,
  TYPE_COMMAND,
  TYPE_MASK,
} from './protocol/header.js';

/** Sees every message that arrives or leaves: for logs. The bytes are only there during the call. */
export type Trace = (direction: 'received' | 'sent', message: Uint8Array, fds: number) => void;

const MOST_BYTES = 16;

/** A message as one line of a log, such as `→ 17 REGION_READ region 0 offset 0x10 count 4`. */
export function formatMessage(
  direction: 'received' | 'sent',
  message: Uint8Array,
  fds: number,
): string {
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const flags = view.getUint32(HEADER_FLAGS, true);
  const command = view.getUint16(HEADER_COMMAND, true);
  const isCommand = (flags & TYPE_MASK) === TYPE_COMMAND;
  const words = [
    direction === 'received' ? '→' : '←',
    String(view.getUint16(HEADER_ID, true)),
    commandName(command),
    ...(isCommand ? [] : ['reply']),
    ...((flags & FLAG_NO_REPLY) === 0 ? [] : ['posted']),
    (flags & FLAG_ERROR) !== 0 && !isCommand
      ? errnoName(view.getUint32(HEADER_ERROR, true))
      : payloadText(command, message.subarray(HEADER_SIZE)),
    ...(fds === 0 ? [] : [`(${fds} descriptor${fds === 1 ? '' : 's'})`]),
  ];
  return words.filter((word) => word !== '').join(' ');
}

type Format = (view: DataView, at: number) => string;

const count: Format = (view, at) => String(view.getUint32(at, true));
const flags: Format = (view, at) => `0x${view.getUint32(at, true).toString(16)}`;
const wide: Format = (view, at) => `0x${getWide(view, at).toString(16)}`;
const wideCount: Format = (view, at) => String(getWide(view, at));
const feature: Format = (view, at) => featureText(view.getUint32(at, true));

/** What a payload starts with, and where its data begins; fields that follow `argsz`. */
interface Payload {
  readonly fields: readonly (readonly [name: string, at: number, format: Format])[];
  readonly data: number;
}

const ACCESS: Payload = {
  fields: [
    ['region', 8, count],
    ['offset', 0, wide],
    ['count', 12, count],
  ],
  data: 16,
};
const DMA_ACCESS: Payload = {
  fields: [
    ['address', 0, wide],
    ['count', 8, wideCount],
  ],
  data: 16,
};
const MIGRATION_DATA: Payload = { fields: [['size', 4, count]], data: 8 };

const PAYLOADS: ReadonlyMap<number, Payload> = new Map<number, Payload>([
  [
    DMA_MAP,
    {
      fields: [
        ['flags', 4, flags],
        ['address', 16, wide],
        ['size', 24, wide],
        ['offset', 8, wide],
      ],
      data: 32,
    },
  ],
  [
    DMA_UNMAP,
    {
      fields: [
        ['flags', 4, flags],
        ['address', 8, wide],
        ['size', 16, wide],
      ],
      data: 24,
    },
  ],
  [
    DEVICE_GET_INFO,
    {
      fields: [
        ['flags', 4, flags],
        ['regions', 8, count],
        ['interrupts', 12, count],
      ],
      data: 16,
    },
  ],
  [
    DEVICE_GET_REGION_INFO,
    {
      fields: [
        ['region', 8, count],
        ['flags', 4, flags],
        ['size', 16, wide],
        ['offset', 24, wide],
      ],
      data: 32,
    },
  ],
  [
    DEVICE_GET_IRQ_INFO,
    {
      fields: [
        ['index', 8, count],
        ['flags', 4, flags],
        ['count', 12, count],
      ],
      data: 16,
    },
  ],
  [
    DEVICE_SET_IRQS,
    {
      fields: [
        ['index', 8, count],
        ['flags', 4, flags],
        ['start', 12, count],
        ['count', 16, count],
      ],
      data: 20,
    },
  ],
  [REGION_READ, ACCESS],
  [REGION_WRITE, ACCESS],
  [DMA_READ, DMA_ACCESS],
  [DMA_WRITE, DMA_ACCESS],
  [REGION_WRITE_MULTI, { fields: [['writes', 0, wideCount]], data: 8 }],
  [DEVICE_FEATURE, { fields: [['', 4, feature]], data: 8 }],
  [MIG_DATA_READ, MIGRATION_DATA],
  [MIG_DATA_WRITE, MIGRATION_DATA],
]);

function payloadText(command: number, payload: Uint8Array): string {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  if (payload.length >= 4 && command === VERSION) {
    const json = new TextDecoder().decode(payload.subarray(4)).replaceAll('\0', '');
    return `${view.getUint16(0, true)}.${view.getUint16(2, true)} ${json}`;
  }
  const known = PAYLOADS.get(command);
  if (known === undefined || payload.length < known.data) return bytesText(payload);
  const text = known.fields.map(([name, at, format]) => `${name} ${format(view, at)}`).join(' ');
  const data = payload.subarray(known.data);
  return data.length === 0 ? text.trim() : `${text.trim()}: ${bytesText(data)}`;
}

/** Such as `get MIG_DEVICE_STATE`. */
function featureText(word: number): string {
  const asked = [
    [VFIO_DEVICE_FEATURE_PROBE, 'probe'],
    [VFIO_DEVICE_FEATURE_GET, 'get'],
    [VFIO_DEVICE_FEATURE_SET, 'set'],
  ] as const;
  const verbs = asked.flatMap(([bit, verb]) => ((word & bit) === 0 ? [] : [verb]));
  return [...verbs, featureName(word & VFIO_DEVICE_FEATURE_MASK)].join(' ');
}

function bytesText(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MOST_BYTES));
  const text = shown.toString('hex');
  return bytes.length > MOST_BYTES ? `${text}… (${bytes.length} bytes)` : text;
}
