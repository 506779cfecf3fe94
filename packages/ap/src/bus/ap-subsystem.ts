import type { DriverCore } from '@vfiokit/driver-model';
import { VfioError } from '@vfiokit/uapi';
import type { Sclp } from '../arch/sclp.js';
import { apAttributes } from './ap-attributes.js';
import { ApBus, type ApBusParameters, type ApBusParts } from './ap-bus.js';
import type { ApCard } from './ap-card.js';
import { ApScanner } from './ap-scan.js';
import { CEX4_CARD, CEX4_QUEUE } from './zcrypt.js';

/**
 * AP in a Linux kernel: the bus, its scans and the zcrypt drivers. A host has one, and a Linux guest has one of its own,
 * on the instructions that are left to it.
 */
export class ApSubsystem {
  readonly core: DriverCore;
  readonly bus: ApBus;
  readonly scanner: ApScanner;
  /** What can be set and has no effect in the model. */
  readonly settings = { pollThread: false, pollTimeout: 250_000 };

  constructor(
    parts: ApBusParts,
    parameters: ApBusParameters = {},
    private readonly sclp?: Sclp,
  ) {
    this.core = parts.core;
    this.bus = new ApBus(parts, apAttributes(this), parameters);
    this.scanner = new ApScanner(this.bus);
    this.bus.register(CEX4_CARD);
    this.bus.register(CEX4_QUEUE);
  }

  /** Starts the kernel's AP: the first scan. */
  start(): void {
    this.scanner.start();
  }

  /** The kernel ends, by halt, reset or crash. Nothing is said to any device. */
  stop(): void {
    this.scanner.stop();
    for (const queue of this.bus.queues()) queue.stop();
  }

  /** An interrupt has come in: some queue has replies. */
  poll(): void {
    for (const queue of this.bus.queues()) queue.poll();
  }

  /**
   * A write to a card's `config`: asks the console if that changes anything.
   *
   * @throws VfioError `EOPNOTSUPP` without a console that does it, `EIO` if it rejects.
   */
  configure(card: ApCard, configured: boolean): void {
    if (card.config !== configured) {
      if (this.sclp === undefined || !this.sclp.available)
        throw new VfioError('EOPNOTSUPP', `${card.name}: the console takes no such requests`);
      if (!this.sclp.configure(card.apid, configured))
        throw new VfioError('EIO', `${card.name}: the console has rejected the request`);
      card.config = configured;
    }
    this.bus.emit('change', card, { CONFIG: configured ? '1' : '0' });
  }
}
