import { VfioError } from '@vfiokit/uapi';
import { type Apqn, apidOf, apqiOf } from '../arch/apqn.js';
import { ApMask } from '../arch/mask.js';
import { parseBootMask, parseMask } from '../arch/mask-grammar.js';
import type { QueueMatrix } from '../arch/matrix.js';

/** Which of the two masks: over adapters or over domains. */
export type PermMask = 'apmask' | 'aqmask';

/** The dimension of a matrix that each mask selects. */
const DIMENSION = { apmask: 'apm', aqmask: 'aqm' } as const;

/**
 * The partition of all queues between the host's default drivers and the others: a queue is reserved for the default
 * drivers if its adapter is in `apmask` *and* its domain in `aqmask` (struct ap_perms).
 */
export class ApPerms {
  #masks: Readonly<Record<PermMask, ApMask>>;
  #inUse = false;

  /** @param boot the kernel parameters `apmask=` and `aqmask=`; everything is reserved without them. */
  constructor(boot: Partial<Readonly<Record<PermMask, string>>> = {}) {
    this.#masks = { apmask: parseBootMask(boot.apmask), aqmask: parseBootMask(boot.aqmask) };
  }

  get apmask(): ApMask {
    return this.#masks.apmask;
  }

  get aqmask(): ApMask {
    return this.#masks.aqmask;
  }

  /**
   * Whether the masks are in use, so that `driver_override` is not. Kernel parameters do not count: only a write that
   * changes something tells.
   */
  get inUse(): boolean {
    return this.#inUse;
  }

  reserves(apqn: Apqn): boolean {
    return this.apmask.has(apidOf(apqn)) && this.aqmask.has(apqiOf(apqn));
  }

  /** Whether any queue of a product is reserved. */
  reservesAny({ apm, aqm }: QueueMatrix): boolean {
    return apm.intersects(this.apmask) && aqm.intersects(this.aqmask);
  }

  /**
   * Works out what a write would do, and changes nothing.
   *
   * @returns `undefined` if the mask would stay as it is; otherwise the mask, and the product that would newly be reserved
   *   — at least: the other dimension is taken as full, whatever its mask says.
   * @throws VfioError `EINVAL` if the text is no mask.
   */
  plan(
    which: PermMask,
    text: string,
  ): { readonly mask: ApMask; readonly reserved: QueueMatrix | undefined } | undefined {
    const mask = parseMask(text, this.#masks[which]);
    if (mask.equals(this.#masks[which])) return undefined;
    const added = mask.andNot(this.#masks[which]);
    if (added.isEmpty) return { mask, reserved: undefined };
    return { mask, reserved: { apm: ApMask.ALL, aqm: ApMask.ALL, [DIMENSION[which]]: added } };
  }

  /** Puts a planned mask in force. */
  commit(which: PermMask, mask: ApMask): void {
    this.#masks = { ...this.#masks, [which]: mask };
    this.#inUse = !(this.apmask.equals(ApMask.ALL) && this.aqmask.equals(ApMask.ALL));
  }

  /** @throws VfioError `EINVAL` while the masks are in use. */
  refuseOverride(queue: string): void {
    if (this.#inUse)
      throw new VfioError(
        'EINVAL',
        `${queue}: driver_override: apmask and aqmask are in use; fill both first (+0-255)`,
      );
  }
}
