import {
  EINVAL,
  ENOENT,
  type IommuHwptPgfault,
  iommuHwptPageResponse,
  iommuHwptPgfault,
  type VfioFile,
} from '@vfiokit/uapi';
import { IommufdObject } from './object.js';

/** A page that a device asks for, without the cookie that the queue gives it. */
export type PageRequest = Omit<IommuHwptPgfault, 'cookie'>;

/** Page requests of devices on their way to user space, and its answers (eventq.c: struct iommufd_fault). */
export class FaultQueue extends IommufdObject implements VfioFile {
  readonly type = 'fault';
  readonly kind = 'other';
  readonly #waiting: IommuHwptPgfault[] = [];
  /** Requests that were read and wait for their answer: whom to tell. */
  readonly #answers = new Map<number, (code: number) => void>();
  #cookie = 0;

  /** A device asks for a page; it is told the response's code. */
  report(request: PageRequest, answer: (code: number) => void): void {
    this.#cookie += 1;
    this.#waiting.push({ ...request, cookie: this.#cookie });
    this.#answers.set(this.#cookie, answer);
  }

  /** read(2): as many whole requests as there is room for; -EINVAL for a size that is no multiple of one. */
  read(into: Uint8Array): number {
    if (into.length % iommuHwptPgfault.size !== 0) return -EINVAL;
    let at = 0;
    while (at < into.length && this.#waiting.length > 0) {
      iommuHwptPgfault.encode(this.#waiting.shift()!, into, at);
      at += iommuHwptPgfault.size;
    }
    return at;
  }

  /** write(2): responses. `-EINVAL` for a code that there is none of or a part of one, `-ENOENT` for an unknown cookie. */
  write(from: Uint8Array): number {
    if (from.length % iommuHwptPageResponse.size !== 0) return -EINVAL;
    for (let at = 0; at < from.length; at += iommuHwptPageResponse.size) {
      const { cookie, code } = iommuHwptPageResponse.decode(from, at);
      if (code > 1) return at > 0 ? at : -EINVAL;
      const answer = this.#answers.get(cookie);
      if (answer === undefined) return at > 0 ? at : -ENOENT;
      this.#answers.delete(cookie);
      answer(code);
    }
    return from.length;
  }

  close(): void {}

  override destroy(): void {
    for (const answer of this.#answers.values()) answer(1);
    this.#answers.clear();
  }
}
