import { Device } from '@vfiokit/driver-model';
import { formatApid } from '../arch/apqn.js';
import type { ApFunctions, TapqInfo } from '../arch/tapq-info.js';
import type { ApQueue } from './ap-queue.js';

/** A card device on the AP bus: one adapter (struct ap_card). */
export class ApCard extends Device {
  readonly kind = 'card';
  /** Whether the adapter is configured, as the bus saw it last. */
  config = true;
  /** Whether it has stopped with an error, as the bus saw it last. */
  chkstop = false;
  /** Its queue devices, by domain. */
  readonly queues = new Map<number, ApQueue>();

  constructor(
    root: Device,
    readonly apid: number,
    /** The type that drivers match: a known one. */
    readonly type: number,
    readonly info: TapqInfo,
  ) {
    super(`card${formatApid(apid)}`, root);
  }

  get deviceType(): number {
    return this.type;
  }

  /** The type as the hardware calls it. */
  get rawType(): number {
    return this.info.type;
  }

  get functions(): ApFunctions {
    return this.info.functions;
  }

  /** What modules for the card are found by. */
  get modalias(): string {
    return `ap:t${this.type.toString(16).toUpperCase().padStart(2, '0')}`;
  }
}
