import type { Apqn } from './apqn.js';
import type { ApInstructions, ApMessage, AqicRequest } from './instructions.js';
import { type ApMatrix, intersectMatrices, matrixHas } from './matrix.js';
import type { QciInfo } from './qci.js';
import { AP_RESPONSE, type QueueStatus, queueStatus } from './queue-status.js';
import type { TapqInfo } from './tapq-info.js';

/** How a level of configuration limits its parent's. */
export interface ConfigurationLevel {
  /** Whether an instruction of this level reaches a queue; it is response code 01 otherwise. */
  reaches(apqn: Apqn): boolean;
  /** What QCI answers on this level, given the parent's answer; `undefined` where QCI is not installed. */
  configuration(parent: QciInfo): QciInfo | undefined;
  /** How this level's AQIC is carried out where it does not just go to the parent. */
  readonly aqic?: (apqn: Apqn, request: AqicRequest) => QueueStatus;
}

/** The level of a crypto control block: the parent's configuration and these masks, set by set. */
export function maskedLevel(masks: () => ApMatrix): ConfigurationLevel {
  return {
    reaches: (apqn) => matrixHas(masks(), apqn),
    configuration: (parent) => ({ ...parent, ...intersectMatrices(parent, masks()) }),
  };
}

const NOT_AVAILABLE = queueStatus(AP_RESPONSE.Q_NOT_AVAIL);

/**
 * The AP instructions of a level below another: whatever it reaches, the parent answers. So an LPAR limits the machine,
 * a crypto control block a guest, and a matrix bus the host's own AP bus.
 */
export class LimitedInstructions implements ApInstructions {
  constructor(
    private readonly parent: ApInstructions,
    private readonly level: ConfigurationLevel,
  ) {}

  tapq(apqn: Apqn): QueueStatus {
    return this.level.reaches(apqn) ? this.parent.tapq(apqn) : NOT_AVAILABLE;
  }

  tapqInfo(apqn: Apqn): TapqInfo | undefined {
    return this.level.reaches(apqn) ? this.parent.tapqInfo(apqn) : undefined;
  }

  rapq(apqn: Apqn): QueueStatus {
    return this.level.reaches(apqn) ? this.parent.rapq(apqn) : NOT_AVAILABLE;
  }

  zapq(apqn: Apqn): QueueStatus {
    return this.level.reaches(apqn) ? this.parent.zapq(apqn) : NOT_AVAILABLE;
  }

  aqic(apqn: Apqn, request: AqicRequest): QueueStatus {
    if (this.level.aqic) return this.level.aqic(apqn, request);
    return this.level.reaches(apqn) ? this.parent.aqic(apqn, request) : NOT_AVAILABLE;
  }

  qci(): QciInfo | undefined {
    const parent = this.parent.qci();
    return parent && this.level.configuration(parent);
  }

  qact(apqn: Apqn, type: number): number {
    return this.level.reaches(apqn) ? this.parent.qact(apqn, type) : 0;
  }

  nqap(apqn: Apqn, message: ApMessage): QueueStatus {
    return this.level.reaches(apqn) ? this.parent.nqap(apqn, message) : NOT_AVAILABLE;
  }

  dqap(apqn: Apqn): { status: QueueStatus; message?: ApMessage } {
    return this.level.reaches(apqn) ? this.parent.dqap(apqn) : { status: NOT_AVAILABLE };
  }
}
