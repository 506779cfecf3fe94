import { EIO } from '@vfiokit/uapi';
import { CommandFault } from '../fake/command-fault.js';
import { ACC_DEV_MAGIC, ACC_DRV_MAJOR_VER, ACC_VF_DATA_SIZE, accVfData } from './acc-vf-data.js';
import { HisiQm, type HisiVf } from './hisi-qm.js';

/** What tells one kind of accelerator from another. */
export interface FakeHisiQmOptions {
  readonly version?: number;
  readonly pfControlsMigration?: boolean;
  /** Device id that its VFs' states are of. */
  readonly devId?: number;
}

const QUEUES = 16;
const QUEUES_AT = 0x1000n;

/** An accelerator's VF in memory, set up by its guest. */
export class FakeHisiVf implements HisiVf {
  readonly bytes = new Uint8Array(ACC_VF_DATA_SIZE);
  /** What it was told, `stop`, `start` and `load`. */
  readonly log: string[] = [];
  readonly fault = new CommandFault();
  guestReady = true;

  constructor(devId: number) {
    const who = { magic: ACC_DEV_MAGIC, qpNum: QUEUES, devId, majorVersion: ACC_DRV_MAJOR_VER };
    const queues = { eqeDma: QUEUES_AT, aeqeDma: QUEUES_AT, sqcDma: QUEUES_AT, cqcDma: QUEUES_AT };
    accVfData.encode({ ...who, ...queues }, this.bytes);
  }

  stop(): number {
    return this.#told('stop');
  }

  start(): number {
    return this.#told('start');
  }

  state(): Uint8Array {
    return this.bytes.slice();
  }

  load(state: Uint8Array): number {
    const error = this.#told('load');
    if (error === 0) this.bytes.set(state);
    return error;
  }

  #told(what: string): number {
    this.log.push(what);
    return this.fault.strikes() ? -EIO : 0;
  }
}

/** A queue manager whose VFs are in memory: for tests, and for modelled machines. */
export class FakeHisiQm extends HisiQm {
  readonly version: number;
  readonly pfControlsMigration: boolean;
  readonly #devId: number;
  readonly #vfs = new Map<number, FakeHisiVf>();

  constructor({
    version = 3,
    pfControlsMigration = false,
    devId = 0xa251,
  }: FakeHisiQmOptions = {}) {
    super();
    this.version = version;
    this.pfControlsMigration = pfControlsMigration;
    this.#devId = devId;
  }

  vf(index: number): FakeHisiVf {
    const vf = this.#vfs.get(index) ?? new FakeHisiVf(this.#devId);
    this.#vfs.set(index, vf);
    return vf;
  }
}
