import { MigrationBroken, type MigrationOps, type MigrationStream } from '@vfiokit/core';
import { type MigrationState, VfioError } from '@vfiokit/uapi';
import { ResumingStream } from './resuming-stream.js';
import { SavingStream } from './saving-stream.js';
import type { Vhca } from './vhca.js';

export interface Mlx5MigrationOptions {
  readonly name: string;
  readonly vhca: Vhca;
  readonly chunk: boolean;
  readonly reportsInit: boolean;
}

const NOTHING = () => undefined;

/** Migration of a ConnectX VF (drivers/vfio/pci/mlx5/main.c: mlx5vf_pci_step_device_state_locked). */
export class Mlx5Migration implements MigrationOps {
  readonly support = { p2p: true, preCopy: true };
  readonly #o: Mlx5MigrationOptions;
  #state: MigrationState = 'RUNNING';
  #saving: SavingStream | undefined;
  #resuming: ResumingStream | undefined;
  readonly #arcs: Readonly<Record<string, () => MigrationStream | undefined>> = {
    'RUNNING>RUNNING_P2P': () => this.#suspendInitiator(),
    'PRE_COPY>PRE_COPY_P2P': () => this.#suspendInitiator(),
    'RUNNING_P2P>RUNNING': () => this.#resumeInitiator(),
    'PRE_COPY_P2P>PRE_COPY': () => this.#resumeInitiator(),
    'RUNNING_P2P>STOP': () => this.#suspendResponder(),
    'STOP>RUNNING_P2P': () => this.#resumeResponder(),
    'STOP>STOP_COPY': () => this.#save(false),
    'RUNNING>PRE_COPY': () => this.#save(true),
    'RUNNING_P2P>PRE_COPY_P2P': () => this.#save(true),
    'PRE_COPY_P2P>STOP_COPY': () => this.#finishSaving(),
    'PRE_COPY>RUNNING': () => this.#abandonSaving(),
    'PRE_COPY_P2P>RUNNING_P2P': () => this.#abandonSaving(),
    'STOP>RESUMING': () => this.#load(),
    // The core ends the streams; images were loaded as they arrived.
    'STOP_COPY>STOP': NOTHING,
    'RESUMING>STOP': NOTHING,
  };

  constructor(options: Mlx5MigrationOptions) {
    this.#o = options;
  }

  arc(from: MigrationState, to: MigrationState): MigrationStream | undefined {
    const step = this.#arcs[`${from}>${to}`];
    if (step === undefined)
      throw new VfioError('EINVAL', `${this.#o.name}: can't go from ${from} to ${to}`);
    const stream = step();
    this.#state = to;
    return stream;
  }

  dataSize(): bigint | number {
    const sizes = this.#o.vhca.query(false);
    return typeof sizes === 'number' ? sizes : sizes.total;
  }

  reset(): void {
    this.#state = 'RUNNING';
  }

  /** The VF goes away under its user: its transfer is lost. */
  disable(): void {
    this.#saving?.fail();
    this.#resuming?.fail();
  }

  #suspendInitiator(): undefined {
    this.#o.vhca.settle();
    this.#check(this.#o.vhca.suspendInitiator(), 'kept from its peers');
  }

  #suspendResponder(): undefined {
    this.#o.vhca.settle();
    this.#check(this.#o.vhca.suspendResponder(), 'stopped');
  }

  #resumeResponder(): undefined {
    this.#check(this.#o.vhca.resumeResponder(), 'started');
  }

  #resumeInitiator(): undefined {
    this.#check(this.#o.vhca.resumeInitiator(), 'let to its peers');
  }

  #check(error: number, what: string): undefined {
    if (error < 0) throw VfioError.fromErrno(error, `${this.#o.name}: can't be ${what}`);
  }

  #save(track: boolean): MigrationStream {
    const running = () => this.#state === 'PRE_COPY';
    this.#saving = SavingStream.begin({ ...this.#o, track, running });
    return this.#saving;
  }

  /**
   * Stopped for good, the device is saved for the last time. If that fails it is let go again: the kernel leaves it
   * stopped while its user reads PRE_COPY_P2P, and only a reset helps then.
   */
  #finishSaving(): undefined {
    this.#suspendResponder();
    try {
      this.#saving?.finish();
    } catch (error) {
      if (this.#o.vhca.resumeResponder() < 0)
        throw new MigrationBroken('EIO', `${this.#o.name}: can't be saved nor started`, {
          cause: error,
        });
      throw error;
    }
  }

  #abandonSaving(): undefined {
    this.#saving?.abandon();
  }

  #load(): MigrationStream {
    this.#resuming = ResumingStream.begin(this.#o.name, this.#o.vhca);
    return this.#resuming;
  }
}
