import type { KernelLog } from '@vfiokit/driver-model';
import { formatApqn } from '../arch/apqn.js';
import type { ApInstructions } from '../arch/instructions.js';
import { AP_RESPONSE, formatResponseCode, responseCode } from '../arch/queue-status.js';
import type { KernelClock } from '../kernel-clock.js';
import type { PassedQueue } from './passed-queue.js';

const {
  NORMAL,
  Q_NOT_AVAIL,
  RESET_IN_PROGRESS,
  DECONFIGURED,
  CHECKSTOPPED,
  BUSY,
  STATE_CHANGE_IN_PROGRESS,
  ASSOC_SECRET_NOT_UNIQUE,
  ASSOC_FAILED,
} = AP_RESPONSE;

/** What follows ZAPQ: test the queue later, be done and give interrupt resources back, or give up. */
export type AfterZapq = 'check' | 'release' | 'give up';

/** What follows a test of a queue that is being reset. */
export type AfterTapq = 'wait' | 'again' | 'release' | 'give up';

/** Decides by the response code of ZAPQ (vfio_ap_ops.c: vfio_ap_mdev_reset_queue). */
export function afterZapq(code: number): AfterZapq {
  switch (code) {
    case NORMAL:
    case RESET_IN_PROGRESS:
    case BUSY:
    case STATE_CHANGE_IN_PROGRESS:
      return 'check';
    case DECONFIGURED:
    case CHECKSTOPPED:
    case Q_NOT_AVAIL:
      return 'release';
    default:
      return 'give up';
  }
}

/**
 * Decides by the response code of TAPQ, and of the ZAPQ that was issued last (vfio_ap_ops.c: apq_reset_check).
 *
 * A queue that was busy when it was told to zeroize has finished something else: it is told again.
 */
export function afterTapq(code: number, zapq: number): AfterTapq {
  switch (code) {
    case RESET_IN_PROGRESS:
    case BUSY:
      return 'wait';
    case NORMAL:
    case DECONFIGURED:
    case CHECKSTOPPED:
      return zapq === RESET_IN_PROGRESS || zapq === BUSY || zapq === STATE_CHANGE_IN_PROGRESS
        ? 'again'
        : 'release';
    case ASSOC_SECRET_NOT_UNIQUE:
    case ASSOC_FAILED:
      return 'again';
    case Q_NOT_AVAIL:
      return 'release';
    default:
      return 'give up';
  }
}

/** Milliseconds between two tests of a queue that is being reset. */
export const RESET_INTERVAL = 20;

/**
 * Milliseconds after which the model stops waiting for a reset. The kernel would wait for ever, and its hung-task
 * detector would report the waiter after this time.
 */
export const HUNG_TASK_TIMEOUT = 120_000;

/** Resets queues and waits until they are clean. */
export class QueueReset {
  constructor(
    private readonly ap: ApInstructions,
    private readonly clock: KernelClock,
    private readonly log: KernelLog,
  ) {}

  /**
   * Zeroizes queues: starts all, then waits for all (vfio_ap_mdev_reset_queues).
   *
   * @returns whether ZAPQ answered 00 for every one of them.
   */
  resetQueues(queues: readonly PassedQueue[]): boolean {
    for (const queue of queues) this.#start(queue);
    const finished = this.clock.waitFor(
      () => queues.every((queue) => !queue.resetting),
      HUNG_TASK_TIMEOUT,
    );
    if (!finished)
      for (const queue of queues.filter((one) => one.resetting))
        this.log.write(
          'warning',
          formatApqn(queue.apqn),
          'reset blocked for more than 120 seconds',
        );
    return queues.every((queue) => responseCode(queue.resetStatus) === NORMAL);
  }

  #start(queue: PassedQueue): void {
    queue.resetStatus = this.ap.zapq(queue.apqn);
    const code = responseCode(queue.resetStatus);
    const next = afterZapq(code);
    if (next === 'check') {
      // One that is still being looked at from an earlier reset is not looked at twice.
      if (!queue.resetting) this.#checkLater(queue);
    } else if (next === 'release') {
      queue.releaseIrq();
    } else {
      this.#giveUp(queue, code);
    }
  }

  #checkLater(queue: PassedQueue): void {
    queue.resetting = true;
    this.clock.after(RESET_INTERVAL, () => this.#check(queue));
  }

  #check(queue: PassedQueue): void {
    const code = responseCode(this.ap.tapq(queue.apqn));
    const next = afterTapq(code, responseCode(queue.resetStatus));
    queue.resetting = false;
    switch (next) {
      case 'wait':
        this.#checkLater(queue);
        break;
      case 'again':
        queue.resetStatus = this.ap.zapq(queue.apqn);
        this.#checkLater(queue);
        break;
      case 'release':
        queue.releaseIrq();
        break;
      case 'give up':
        this.#giveUp(queue, code);
    }
  }

  #giveUp(queue: PassedQueue, code: number): void {
    this.log.write(
      'error',
      formatApqn(queue.apqn),
      `reset: response code ${formatResponseCode(code)}`,
    );
  }
}
