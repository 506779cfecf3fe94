import {
  EINVAL,
  EIO,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
  type VfioDevice,
} from '@vfiokit/uapi';
import {
  ACCESS_SIZE,
  FLAG_NO_REPLY,
  getWide,
  HEADER_COMMAND,
  HEADER_FLAGS,
  HEADER_ID,
  HEADER_SIZE,
  putHeader,
  TYPE_REPLY,
} from '../protocol/header.js';
import { WRITE_MULTI_DATA, WRITE_MULTI_ENTRY } from '../protocol/payloads.js';
import type { Outbox } from './outbox.js';
import type { ServedRegion } from './regions.js';
import { errnoOf, type Received } from './reply.js';

const BODY = HEADER_SIZE + ACCESS_SIZE;

/**
 * REGION_READ, REGION_WRITE and REGION_WRITE_MULTI: the commands that have to be fast. Requests are read where they were
 * received and replies written where they leave from; nothing is allocated for an access of 1, 2 or 4 bytes.
 */
export class RegionAccess {
  // The access that is being answered.
  #offset = 0;
  #region = 0;
  #count = 0;

  constructor(
    private readonly device: VfioDevice,
    private readonly regions: readonly ServedRegion[],
    private readonly received: Received,
    private readonly outbox: Outbox,
    /** Bytes of data in one access, at most. */
    private readonly largest: number,
    /** Told of what a device threw. */
    private readonly failed: (error: unknown) => void,
  ) {}

  /** @param at where the message starts. */
  read(at: number, size: number): void {
    const fault = this.#decode(at, size, VFIO_REGION_INFO_FLAG_READ);
    if (fault < 0) {
      this.#fail(at, fault);
      return;
    }
    const count = this.#count;
    const to = this.outbox.open(BODY + count);
    const error = count === 0 ? 0 : this.#load(this.#region, this.#offset, count, to + BODY);
    if (error < 0) this.#fail(at, error);
    else this.#reply(at, to, count === 0 ? HEADER_SIZE : BODY + count, count > 0);
  }

  /** @param at where the message starts. */
  write(at: number, size: number): void {
    const fault = this.#decode(at, size, VFIO_REGION_INFO_FLAG_WRITE);
    const count = this.#count;
    let error = fault;
    if (fault === 0)
      error =
        size === BODY + count ? this.#store(this.#region, this.#offset, count, at + BODY) : -EINVAL;
    if (error < 0) this.#fail(at, error);
    else this.#reply(at, this.outbox.open(BODY), count === 0 ? HEADER_SIZE : BODY, count > 0);
  }

  /** Writes in order and stops at the first that fails; the reply says how many were done, if any was. */
  writeMulti(at: number, size: number): void {
    const { view } = this.received;
    const first = at + HEADER_SIZE + 8;
    const count = size < HEADER_SIZE + 8 ? -1 : getWide(view, at + HEADER_SIZE);
    if (size !== HEADER_SIZE + 8 + count * WRITE_MULTI_ENTRY) {
      this.#fail(at, -EINVAL);
      return;
    }
    let done = 0;
    let error = 0;
    for (; done < count; done += 1) {
      const entry = first + done * WRITE_MULTI_ENTRY;
      const offset = getWide(view, entry);
      const region = view.getUint32(entry + 8, true);
      const length = view.getUint32(entry + 12, true);
      error =
        length > WRITE_MULTI_DATA
          ? -EINVAL
          : this.#check(region, offset, length, VFIO_REGION_INFO_FLAG_WRITE);
      if (error === 0) error = this.#store(region, offset, length, entry + ACCESS_SIZE);
      if (error < 0) break;
    }
    if (error < 0 && done === 0) {
      this.#fail(at, error);
      return;
    }
    const to = this.outbox.open(HEADER_SIZE + 8);
    this.outbox.view.setUint32(to + HEADER_SIZE, done, true);
    this.outbox.view.setUint32(to + HEADER_SIZE + 4, 0, true);
    this.#reply(at, to, HEADER_SIZE + 8, false);
  }

  /** Takes an access apart; 0 or a negated errno. In fields, since an access allocates nothing. */
  #decode(at: number, size: number, permission: number): number {
    if (size < BODY) return -EINVAL;
    const { view } = this.received;
    this.#offset = getWide(view, at + HEADER_SIZE);
    this.#region = view.getUint32(at + HEADER_SIZE + 8, true);
    this.#count = view.getUint32(at + HEADER_SIZE + 12, true);
    return this.#check(this.#region, this.#offset, this.#count, permission);
  }

  #check(index: number, offset: number, count: number, permission: number): number {
    const region = this.regions[index];
    if (region === undefined || region.size === 0 || count > this.largest) return -EINVAL;
    if (offset + count > region.size || (region.flags & permission) === 0) return -EINVAL;
    return 0;
  }

  /** Puts `count` bytes of a region into the outbox; 0 or a negated errno. */
  #load(region: number, offset: number, count: number, to: number): number {
    const { view, bytes } = this.outbox;
    try {
      if (count > 4 || count === 3 || offset % count !== 0) {
        const into = new Uint8Array(bytes.buffer, to, count);
        return whole(this.device.pread(into, this.regions[region]!.position + offset), count);
      }
      const value = this.device.read(region, offset, count as 1 | 2 | 4);
      if (value < 0) return value;
      if (count === 4) view.setUint32(to, value, true);
      else if (count === 2) view.setUint16(to, value, true);
      else view.setUint8(to, value);
      return 0;
    } catch (error) {
      this.failed(error);
      return errnoOf(error);
    }
  }

  /** Writes `count` received bytes to a region; 0 or a negated errno. */
  #store(region: number, offset: number, count: number, from: number): number {
    if (count === 0) return 0;
    const { view, bytes } = this.received;
    try {
      if (count > 4 || count === 3 || offset % count !== 0) {
        const data = new Uint8Array(bytes.buffer, from, count);
        return whole(this.device.pwrite(data, this.regions[region]!.position + offset), count);
      }
      if (count === 4)
        return Math.min(this.device.write(region, offset, 4, view.getUint32(from, true)), 0);
      if (count === 2)
        return Math.min(this.device.write(region, offset, 2, view.getUint16(from, true)), 0);
      return Math.min(this.device.write(region, offset, 1, view.getUint8(from)), 0);
    } catch (error) {
      this.failed(error);
      return errnoOf(error);
    }
  }

  /** Completes a reply at `to`, unless none is wanted. */
  #reply(at: number, to: number, size: number, repeats: boolean): void {
    const { view } = this.received;
    if ((view.getUint32(at + HEADER_FLAGS, true) & FLAG_NO_REPLY) !== 0) return;
    const out = this.outbox.view;
    const id = view.getUint16(at + HEADER_ID, true);
    putHeader(out, to, id, view.getUint16(at + HEADER_COMMAND, true), size, TYPE_REPLY);
    if (repeats)
      for (let word = HEADER_SIZE; word < BODY; word += 4)
        out.setUint32(to + word, view.getUint32(at + word, true), true);
    this.outbox.close(size);
  }

  #fail(at: number, error: number): void {
    const { view } = this.received;
    if ((view.getUint32(at + HEADER_FLAGS, true) & FLAG_NO_REPLY) !== 0) return;
    const id = view.getUint16(at + HEADER_ID, true);
    this.outbox.error(id, view.getUint16(at + HEADER_COMMAND, true), -error);
  }
}

/** A transfer that came back short was cut off by the device. */
function whole(result: number, count: number): number {
  if (result < 0) return result;
  return result === count ? 0 : -EIO;
}
