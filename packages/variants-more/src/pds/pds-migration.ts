import { type MigrationControl, type MigrationOps } from '@vfiokit/core';
import { EAGAIN, EINVAL, EIO, ETIMEDOUT, type MigrationState, VfioError } from '@vfiokit/uapi';
import { type ArcTable, takeArc } from '../arc-table.js';
import type { Sleep } from '../sleep.js';
import { BufferLoader, BufferSaver } from '../state-buffer.js';
import {
  PDS_LM_STA_IN_PROGRESS,
  PDS_LM_STA_NONE,
  PDS_LM_SUSPEND_RESUME_TYPE_FULL,
  PDS_LM_SUSPEND_RESUME_TYPE_P2P,
} from './pds-adminq.js';
import type { PdsDirtyLog } from './pds-dirty-log.js';
import type { PdsVf } from './pds-vf.js';

const STATE_SIZE = 65536;
const SUSPEND_LIMIT_MS = 5000;

/** Migration of a Pensando VF (drivers/vfio/pci/pds/lm.c). */
export class PdsMigration implements MigrationOps {
  readonly support = { p2p: true, preCopy: false };
  readonly errorErrno = 'EIO';
  #control: MigrationControl | undefined;
  #loader: BufferLoader | undefined;
  readonly #arcs: ArcTable = {
    'RUNNING>RUNNING_P2P': () => {
      // Whether the host is told or not makes no difference to the VF.
      this.vf.hostStatus(PDS_LM_STA_IN_PROGRESS);
      return this.#suspend(PDS_LM_SUSPEND_RESUME_TYPE_P2P);
    },
    'RUNNING_P2P>STOP': () => this.#suspend(PDS_LM_SUSPEND_RESUME_TYPE_FULL),
    'STOP>RUNNING_P2P': () => this.#check(this.vf.resume(PDS_LM_SUSPEND_RESUME_TYPE_P2P)),
    'RUNNING_P2P>RUNNING': () => {
      this.#check(this.vf.resume(PDS_LM_SUSPEND_RESUME_TYPE_FULL));
      this.vf.hostStatus(PDS_LM_STA_NONE);
      return undefined;
    },
    'STOP>STOP_COPY': () => this.#save(),
    'STOP_COPY>STOP': () => {
      this.log.stop();
      return undefined;
    },
    'STOP>RESUMING': () => {
      this.#loader = new BufferLoader(new Uint8Array(STATE_SIZE), (room) => room || -EINVAL);
      return this.#loader;
    },
    'RESUMING>STOP': () => this.#restore(),
  };

  constructor(
    private readonly name: string,
    private readonly vf: PdsVf,
    private readonly log: PdsDirtyLog,
    private readonly sleep: Sleep,
  ) {}

  attach(control: MigrationControl): void {
    this.#control = control;
  }

  arc(from: MigrationState, to: MigrationState) {
    return takeArc(this.name, this.#arcs, from, to);
  }

  dataSize(): bigint {
    return BigInt(STATE_SIZE);
  }

  /** The PF has recovered: a VF whose state it held has lost it (pds_vfio_recovery). */
  recovered(): void {
    const state = this.#control?.state ?? 'RUNNING';
    if (state === 'ERROR' || (state === 'RUNNING' && !this.log.active)) return;
    this.log.forget();
    this.#control?.fail();
  }

  #save(): BufferSaver {
    const size = this.vf.stateSize();
    this.#check(size === 0 ? -EIO : size);
    const memory = new Uint8Array(size);
    this.#check(this.vf.save(memory));
    return new BufferSaver(memory, size);
  }

  #restore(): undefined {
    const { bytes, length } = this.#loader!;
    this.#check(this.vf.restore(bytes.subarray(0, length)));
  }

  #suspend(type: number): undefined {
    this.#check(this.vf.suspend(type));
    for (let waited = 0; waited < SUSPEND_LIMIT_MS; waited += 1) {
      const status = this.vf.suspendStatus(type);
      if (status !== -EAGAIN) return this.#check(status);
      this.sleep(1);
    }
    throw VfioError.fromErrno(
      -ETIMEDOUT,
      `${this.name}: is not suspended after ${SUSPEND_LIMIT_MS} ms`,
    );
  }

  #check(error: number): undefined {
    if (error < 0) throw VfioError.fromErrno(error, `${this.name}: its PF refuses`);
  }
}
