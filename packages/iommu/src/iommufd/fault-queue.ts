import {
  EINVAL,
  ESPIPE,
  IOMMUFD_PAGE_RESP_INVALID,
  IOMMUFD_PAGE_RESP_SUCCESS,
  type IommuHwptPgfault,
  iommuHwptPageResponse,
  iommuHwptPgfault,
  type VfioFile,
} from '@vfiokit/uapi';
import { IommufdObject } from './object.js';

/** A page that a device asks for, without the cookie that the queue gives it. */
export type PageRequest = Omit<IommuHwptPgfault, 'cookie'>;

/** Pages that a device asks for at once: they are read together, and one answer goes for all (struct iopf_group). */
interface RequestGroup {
  readonly requests: readonly PageRequest[];
  /** Tells the device IOMMUFD_PAGE_RESP_*. */
  readonly answer: (code: number) => void;
}

const CODES: readonly number[] = [IOMMUFD_PAGE_RESP_SUCCESS, IOMMUFD_PAGE_RESP_INVALID];

/**
 * Page requests of devices on their way to user space, and its answers (eventq.c: struct iommufd_fault). It cannot be
 * destroyed while its file is open.
 */
export class FaultQueue extends IommufdObject implements VfioFile {
  readonly type = 'fault';
  readonly kind = 'other';
  readonly #waiting: RequestGroup[] = [];
  /** Groups that were read and wait for their answer, by cookie. */
  readonly #read = new Map<number, RequestGroup>();

  /** A device asks for pages; it is told the code of the one response. */
  report(requests: readonly PageRequest[], answer: (code: number) => void): void {
    this.#waiting.push({ requests, answer });
  }

  /** read(2): as many whole groups as there is room for; `-ESPIPE` for a size that is no multiple of a request's. */
  read(into: Uint8Array): number {
    const { size } = iommuHwptPgfault;
    if (into.length % size !== 0) return -ESPIPE;
    let at = 0;
    for (
      let group = this.#waiting[0];
      group !== undefined && at + group.requests.length * size <= into.length;
      group = this.#waiting[0]
    ) {
      this.#waiting.shift();
      const cookie = this.#freeCookie();
      this.#read.set(cookie, group);
      for (const request of group.requests) {
        iommuHwptPgfault.encode({ ...request, cookie }, into, at);
        at += size;
      }
    }
    return at;
  }

  /**
   * write(2): responses.
   *
   * @returns how many bytes of them were taken; if none, `-ESPIPE` for a part of one, `-EINVAL` for a code that there is
   *   none of or a cookie that waits for no answer.
   */
  write(from: Uint8Array): number {
    const { size } = iommuHwptPageResponse;
    if (from.length % size !== 0) return -ESPIPE;
    for (let at = 0; at < from.length; at += size) {
      const { cookie, code } = iommuHwptPageResponse.decode(from, at);
      const group = CODES.includes(code) ? this.#read.get(cookie) : undefined;
      if (group === undefined) return at > 0 ? at : -EINVAL;
      this.#read.delete(cookie);
      group.answer(code);
    }
    return from.length;
  }

  close(): void {
    this.users -= 1;
  }

  override destroy(): void {
    for (const { answer } of [...this.#waiting.splice(0), ...this.#read.values()])
      answer(IOMMUFD_PAGE_RESP_INVALID);
    this.#read.clear();
  }

  #freeCookie(): number {
    let cookie = 1;
    while (this.#read.has(cookie)) cookie += 1;
    return cookie;
  }
}
