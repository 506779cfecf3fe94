import type { Apqn } from '../arch/apqn.js';
import type { AqicRequest } from '../arch/instructions.js';
import { LimitedInstructions } from '../arch/limited.js';
import { intersectMatrices, matrixHas } from '../arch/matrix.js';
import { encodeAqic, encodePqap, PQAP } from '../arch/pqap.js';
import type { QciInfo } from '../arch/qci.js';
import { AP_RESPONSE, type QueueStatus, queueStatus } from '../arch/queue-status.js';
import type { TapqInfo } from '../arch/tapq-info.js';
import { type Kvm, STFLE } from '../kvm/kvm.js';
import { handlePqap } from '../kvm/pqap.js';

/**
 * The AP instructions as a guest's kernel issues them: SIE interprets them against the crypto control block, and KVM
 * intercepts AQIC.
 */
export class GuestInstructions extends LimitedInstructions {
  constructor(private readonly kvm: Kvm) {
    super(kvm.host, {
      reaches: (apqn) => matrixHas(kvm.effective, apqn),
      configuration: (host): QciInfo | undefined =>
        kvm.hasFacility(STFLE.AP_QUERY_CONFIGURATION)
          ? { ...host, ...intersectMatrices(host, kvm.effective) }
          : undefined,
      aqic: (apqn, request) => interceptAqic(kvm, apqn, request),
    });
  }

  /** Without the facilities test a guest learns no type, and takes no adapter for one that it knows. */
  override tapqInfo(apqn: Apqn): TapqInfo | undefined {
    return this.kvm.hasFacility(STFLE.AP_FACILITIES_TEST) ? super.tapqInfo(apqn) : undefined;
  }
}

function interceptAqic(kvm: Kvm, apqn: Apqn, { enable, isc, nib }: AqicRequest): QueueStatus {
  const outcome = handlePqap(kvm, {
    gr0: encodePqap(PQAP.AQIC, apqn),
    gr1: encodeAqic(enable, isc),
    gr2: BigInt(nib),
  });
  // A guest kernel that gets a program exception, or an answer from user space, does without interrupts.
  return outcome.kind === 'done'
    ? Number(outcome.gr1 & 0xffff_ffffn)
    : queueStatus(AP_RESPONSE.OTHERWISE_CHANGED);
}
