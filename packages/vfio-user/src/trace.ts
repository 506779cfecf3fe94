import { errnoName } from '@vfiokit/uapi';
import {
  commandName,
  DMA_MAP,
  DMA_READ,
  DMA_UNMAP,
  DMA_WRITE,
  REGION_READ,
  REGION_WRITE,
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

const hex = (value: number) => `0x${value.toString(16)}`;

function payloadText(command: number, payload: Uint8Array): string {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  if (payload.length >= 4 && command === VERSION)
    return `${view.getUint16(0, true)}.${view.getUint16(2, true)} ${new TextDecoder().decode(payload.subarray(4)).replaceAll('\0', '')}`;
  if (payload.length >= 16 && (command === REGION_READ || command === REGION_WRITE)) {
    const region = view.getUint32(8, true);
    const access = `region ${region} offset ${hex(getWide(view, 0))} count ${view.getUint32(12, true)}`;
    return withBytes(access, payload.subarray(16));
  }
  if (payload.length >= 16 && (command === DMA_READ || command === DMA_WRITE))
    return withBytes(
      `address ${hex(getWide(view, 0))} count ${getWide(view, 8)}`,
      payload.subarray(16),
    );
  if (payload.length >= 32 && command === DMA_MAP)
    return `flags ${hex(view.getUint32(4, true))} address ${hex(getWide(view, 16))} size ${hex(getWide(view, 24))}`;
  if (payload.length >= 24 && command === DMA_UNMAP)
    return `flags ${hex(view.getUint32(4, true))} address ${hex(getWide(view, 8))} size ${hex(getWide(view, 16))}`;
  return bytesText(payload);
}

function withBytes(text: string, data: Uint8Array): string {
  return data.length === 0 ? text : `${text}: ${bytesText(data)}`;
}

function bytesText(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, MOST_BYTES));
  const text = shown.toString('hex');
  return bytes.length > MOST_BYTES ? `${text}… (${bytes.length} bytes)` : text;
}
