import type { Apqn } from './apqn.js';
import type { QciInfo } from './qci.js';
import type { QueueStatus } from './queue-status.js';
import type { TapqInfo } from './tapq-info.js';

/** Where the hardware reports a guest's AP interrupts: the interruption state area that SIE delivers from. */
export interface GuestInterruptArea {
  /** Makes an interruption subclass pending; wakes an idle guest through the alert. */
  setPending(isc: number): void;
}

/** What PQAP(AQIC) is to do with a queue's interrupts. */
export interface AqicRequest {
  /** Enable or disable (IR bit). */
  readonly enable: boolean;
  /** The interruption subclass that the host gets; 0..7. */
  readonly isc: number;
  /** The real address of the notification indicator byte; read for enabling only. */
  readonly nib: number;
  /** Given when a host enables interrupts for a guest. */
  readonly guest?: { readonly isc: number; readonly area: GuestInterruptArea };
  /** Sets the notification indicator byte, in the storage of whoever asked. */
  readonly notify?: () => void;
}

/** A request to a crypto adapter, or its reply. What is computed is not modelled. */
export interface ApMessage {
  readonly id: number;
  readonly text: string;
}

/**
 * The AP instructions, as one level of configuration may issue them: an LPAR's kernel, a guest, a nested guest, or the
 * host's bus above a matrix bus.
 *
 * Every level sees the intersection of what it was given and what its parent has; an APQN outside of it answers with
 * response code 01. None of these calls throws.
 */
export interface ApInstructions {
  /** PQAP(TAPQ): tests a queue, without side effect. */
  tapq(apqn: Apqn): QueueStatus;
  /**
   * What PQAP(TAPQ) leaves in general register 2. Valid for response codes 00 and 02 to 05; `undefined` otherwise.
   */
  tapqInfo(apqn: Apqn): TapqInfo | undefined;
  /** PQAP(RAPQ): drops requests and replies, disables interrupts. Completes later: TAPQ says 02 until it has. */
  rapq(apqn: Apqn): QueueStatus;
  /** PQAP(ZAPQ): as RAPQ, and clears what the queue holds of secrets. */
  zapq(apqn: Apqn): QueueStatus;
  /** PQAP(AQIC): interrupts on or off. Accepted with 00; the status's enabled bit follows a little later. */
  aqic(apqn: Apqn, request: AqicRequest): QueueStatus;
  /** PQAP(QCI): the configuration of this level; `undefined` where the facility is not installed. */
  qci(): QciInfo | undefined;
  /** PQAP(QACT): the known type that an unknown one is compatible with; 0 if none, or without the facility. */
  qact(apqn: Apqn, type: number): number;
  /** NQAP: hands a request to a queue. */
  nqap(apqn: Apqn, message: ApMessage): QueueStatus;
  /** DQAP: takes a reply from a queue; response code 10 without one. */
  dqap(apqn: Apqn): { readonly status: QueueStatus; readonly message?: ApMessage };
}
