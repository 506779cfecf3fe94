/**
 * The number of one queue: the adapter's id in the high byte, the usage domain's in the low one. Instructions name a
 * queue by it; the kernel also calls it a qid.
 */
export type Apqn = number;

/** How many queues can be told apart. */
export const APQN_COUNT = 1 << 16;

/** The APQN of an adapter and a usage domain, both 0..255. */
export function apqnOf(apid: number, apqi: number): Apqn {
  return (apid << 8) | apqi;
}

/** The adapter of a queue (AP_QID_CARD). */
export function apidOf(apqn: Apqn): number {
  return apqn >>> 8;
}

/** The usage domain of a queue (AP_QID_QUEUE). */
export function apqiOf(apqn: Apqn): number {
  return apqn & 0xff;
}

/** An adapter's id as its device is named: two hex digits. */
export function formatApid(apid: number): string {
  return apid.toString(16).padStart(2, '0');
}

/** A domain's id as its device is named: four hex digits. */
export function formatApqi(apqi: number): string {
  return apqi.toString(16).padStart(4, '0');
}

/** A queue as its device is named, such as `05.00ab`. */
export function formatApqn(apqn: Apqn): string {
  return `${formatApid(apidOf(apqn))}.${formatApqi(apqiOf(apqn))}`;
}

/** Reads a queue's name, such as `05.00ab`; `undefined` if it is none. */
export function parseApqn(text: string): Apqn | undefined {
  const match = /^([0-9a-f]{2})\.00([0-9a-f]{2})$/.exec(text);
  return match ? apqnOf(Number.parseInt(match[1]!, 16), Number.parseInt(match[2]!, 16)) : undefined;
}
