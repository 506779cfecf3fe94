import type { KernelClock } from '../kernel-clock.js';
import type { ApMessage, AqicRequest } from './instructions.js';
import { AP_QUEUE_STATUS } from './queue-status.js';

/** What one queue of an adapter holds: requests, interrupts that were asked for, and traces of whoever used it. */
export class QueueSlice {
  readonly #requests: { readonly message: ApMessage; readonly readyAt: number }[] = [];
  #resetUntil = 0;
  #irq: (AqicRequest & { readonly since: number }) | undefined;
  #irqOffUntil = 0;
  #used = false;

  constructor(private readonly clock: KernelClock) {}

  /** Whether messages or secrets may lie in it: set by a request, cleared by ZAPQ. */
  get used(): boolean {
    return this.#used;
  }

  /** How many requests wait for their replies to be fetched. */
  get length(): number {
    return this.#requests.length;
  }

  /** Whether interrupts are on, or about to be. */
  get interruptsEnabled(): boolean {
    return this.#irq !== undefined;
  }

  /** What AQIC asked for, once it is in force. */
  get interrupt(): AqicRequest | undefined {
    return this.#irq !== undefined && this.#irq.since <= this.clock.now ? this.#irq : undefined;
  }

  /** Whether a reset is under way. */
  get resetting(): boolean {
    return this.#resetUntil > this.clock.now;
  }

  /** The AP_QUEUE_STATUS bits of a queue that takes so many requests and one more. */
  flags(depthMinusOne: number): number {
    const [first] = this.#requests;
    let flags = 0;
    if (first === undefined) flags |= AP_QUEUE_STATUS.QUEUE_EMPTY;
    else if (first.readyAt <= this.clock.now) flags |= AP_QUEUE_STATUS.REPLIES_WAITING;
    if (this.length > depthMinusOne) flags |= AP_QUEUE_STATUS.QUEUE_FULL;
    const on = this.#irq ? this.interrupt !== undefined : this.#irqOffUntil > this.clock.now;
    if (on) flags |= AP_QUEUE_STATUS.IRQ_ENABLED;
    return flags;
  }

  /** Takes a request, whose reply is ready later. */
  put(message: ApMessage, delay: number): void {
    this.#used = true;
    this.#requests.push({ message, readyAt: this.clock.now + delay });
  }

  /** Gives the oldest reply, if it is ready. */
  take(): ApMessage | undefined {
    const [first] = this.#requests;
    if (first === undefined || first.readyAt > this.clock.now) return undefined;
    this.#requests.shift();
    return first.message;
  }

  /** Turns interrupts on or off, in force after a delay. */
  setInterrupts(request: AqicRequest, delay: number): void {
    const at = this.clock.now + delay;
    this.#irq = request.enable ? { ...request, since: at } : undefined;
    if (!request.enable) this.#irqOffUntil = at;
  }

  /** Drops requests and interrupts, and what lies behind them if it is zeroized. */
  reset(zeroize: boolean): void {
    this.#requests.length = 0;
    this.#irq = undefined;
    this.#irqOffUntil = 0;
    if (zeroize) this.#used = false;
  }

  /** Is busy with a reset for a while. */
  stayResetting(duration: number): void {
    this.#resetUntil = this.clock.now + duration;
  }
}
