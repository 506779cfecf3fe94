import { type Apqn, apidOf, apqiOf } from '../arch/apqn.js';
import { decodeAqic, decodePqap, PQAP } from '../arch/pqap.js';
import { AP_RESPONSE, conditionCode, type QueueStatus, queueStatus } from '../arch/queue-status.js';
import { type Kvm, STFLE } from './kvm.js';

/** An intercepted PQAP(AQIC), as the hook gets it. */
export interface AqicIntercept {
  readonly apqn: Apqn;
  readonly enable: boolean;
  /** The interruption subclass that the guest asks for; 0..7. */
  readonly isc: number;
  /** The guest's address of its notification indicator byte. */
  readonly nib: number;
}

/** Answers an intercepted AQIC with a queue status, or leaves it to user space with `undefined`. */
export type PqapHook = (aqic: AqicIntercept) => QueueStatus | undefined;

/** The general registers that PQAP uses. */
export interface PqapRegisters {
  readonly gr0: bigint;
  readonly gr1: bigint;
  readonly gr2: bigint;
}

/** What becomes of a guest's PQAP that SIE intercepted. */
export type PqapOutcome =
  /** Done: register 1 and the condition code are set. */
  | { readonly kind: 'done'; readonly gr1: bigint; readonly cc: 0 | 3 }
  /** User space decides. */
  | { readonly kind: 'unhandled' }
  /** A program exception in the guest. */
  | { readonly kind: 'exception'; readonly exception: 'privileged operation' | 'specification' };

/** The circumstances of the guest's CPU. */
export interface PqapContext {
  readonly hostHasAp?: boolean;
  readonly problemState?: boolean;
}

/**
 * Handles a PQAP that SIE does not interpret by itself: PQAP(AQIC), and nothing else (priv.c: handle_pqap).
 *
 * The tests stand in the order in which a guest can tell them apart.
 */
export function handlePqap(
  kvm: Kvm,
  registers: PqapRegisters,
  { hostHasAp = true, problemState = false }: PqapContext = {},
): PqapOutcome {
  const { code, t, reserved, apqn } = decodePqap(registers.gr0);
  if (!hostHasAp || !kvm.apie || code !== PQAP.AQIC) return { kind: 'unhandled' };
  if (problemState) return { kind: 'exception', exception: 'privileged operation' };
  const outOfRange = kvm.format !== 2 && (apidOf(apqn) > 63 || apqiOf(apqn) > 15);
  if (
    reserved !== 0 ||
    (t && !kvm.hasFacility(STFLE.AP_FACILITIES_TEST)) ||
    outOfRange ||
    !kvm.hasFacility(STFLE.AP_QUEUE_INTERRUPT_CONTROL)
  )
    return { kind: 'exception', exception: 'specification' };
  if (kvm.pqapHook === undefined)
    return answer(registers.gr1, queueStatus(AP_RESPONSE.Q_NOT_AVAIL));
  const status = kvm.pqapHook({
    apqn,
    ...decodeAqic(registers.gr1),
    nib: Number(registers.gr2),
  });
  return status === undefined ? { kind: 'unhandled' } : answer(registers.gr1, status);
}

/** The status goes into the low half of register 1, which is the half that guests read. */
function answer(gr1: bigint, status: QueueStatus): PqapOutcome {
  return {
    kind: 'done',
    gr1: (gr1 & 0xffff_ffff_0000_0000n) | BigInt(status),
    cc: conditionCode(status),
  };
}
