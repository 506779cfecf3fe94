import { type MigrationOps, type MigrationStream } from '@vfiokit/core';
import { type MigrationState, VfioError } from '@vfiokit/uapi';
import { type ArcTable, NOTHING, takeArc } from '../arc-table.js';
import type { XePf } from './xe-pf.js';

/** Migration of a graphics VF: the PF's driver streams the state, this one hands it through (drivers/vfio/pci/xe/main.c). */
export class XeMigration implements MigrationOps {
  readonly support = { p2p: true, preCopy: false };
  readonly #arcs: ArcTable = {
    'RUNNING>RUNNING_P2P': () => this.#ask(this.pf.pause(this.vf), 'paused'),
    'RUNNING_P2P>RUNNING': () => this.#ask(this.pf.resume(this.vf), 'resumed'),
    'RUNNING_P2P>STOP': NOTHING,
    'STOP>RUNNING_P2P': NOTHING,
    'STOP>STOP_COPY': () => {
      this.#ask(this.pf.saveStart(this.vf), 'saved');
      return { read: (into) => this.pf.read(this.vf, into) } satisfies MigrationStream;
    },
    'STOP_COPY>STOP': () => this.#ask(this.pf.saveFinish(this.vf), 'saved'),
    'STOP>RESUMING': () => {
      this.#ask(this.pf.restoreStart(this.vf), 'restored');
      return { write: (from) => this.pf.write(this.vf, from) } satisfies MigrationStream;
    },
    'RESUMING>STOP': () => this.#ask(this.pf.restoreFinish(this.vf), 'restored'),
  };

  constructor(
    private readonly name: string,
    private readonly pf: XePf,
    private readonly vf: number,
  ) {}

  /** The VF is stopped on an arc that there is not. */
  arc(from: MigrationState, to: MigrationState) {
    if (this.#arcs[`${from}>${to}`] === undefined) this.pf.stop(this.vf);
    return takeArc(this.name, this.#arcs, from, to);
  }

  dataSize(): bigint {
    return this.pf.size(this.vf);
  }

  #ask(error: number, what: string): undefined {
    if (error < 0) throw VfioError.fromErrno(error, `${this.name}: can't be ${what}`);
  }
}
