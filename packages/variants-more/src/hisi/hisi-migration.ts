import { type MigrationOps, type PrecopyInfo } from '@vfiokit/core';
import { EFAULT, EINVAL, ENOMEM, type MigrationState, VfioError } from '@vfiokit/uapi';
import { type ArcTable, NOTHING, takeArc } from '../arc-table.js';
import { BufferLoader, BufferSaver } from '../state-buffer.js';
import { ACC_VF_DATA_SIZE, accVfData, matches, QM_MATCH_SIZE } from './acc-vf-data.js';
import type { HisiVf } from './hisi-qm.js';

/** Migration of an accelerator's VF (drivers/vfio/pci/hisilicon/hisi_acc_vfio_pci.c: hisi_acc_vf_set_device_state). */
export class HisiMigration implements MigrationOps {
  readonly support = { p2p: false, preCopy: true };
  #saver: BufferSaver | undefined;
  #loader: BufferLoader | undefined;
  #state: MigrationState = 'RUNNING';
  #ready = true;
  readonly #arcs: ArcTable = {
    'RUNNING>PRE_COPY': () => this.#beginSaving(QM_MATCH_SIZE),
    'PRE_COPY>STOP_COPY': () => {
      this.#stop();
      this.#fill(this.#saver!);
      return undefined;
    },
    'PRE_COPY>RUNNING': NOTHING,
    'RUNNING>STOP': () => this.#stop(),
    'STOP>RUNNING': () => this.#start(),
    'STOP>STOP_COPY': () => this.#fill(this.#beginSaving(0)),
    'STOP_COPY>STOP': NOTHING,
    'STOP>RESUMING': () => this.#beginLoading(),
    'RESUMING>STOP': () => this.#load(),
  };

  constructor(
    private readonly name: string,
    private readonly vf: HisiVf,
  ) {}

  arc(from: MigrationState, to: MigrationState) {
    const stream = takeArc(this.name, this.#arcs, from, to);
    this.#state = to;
    return stream;
  }

  dataSize(): bigint {
    return BigInt(ACC_VF_DATA_SIZE);
  }

  reset(): void {
    this.#state = 'RUNNING';
  }

  #beginSaving(length: number): BufferSaver {
    const saver = new BufferSaver(this.vf.state(), length);
    this.#saver = saver;
    return Object.assign(saver, {
      precopyInfo: (): PrecopyInfo | number => {
        if (this.#state !== 'PRE_COPY') return -EINVAL;
        return { initialBytes: BigInt(saver.left(saver.length)), dirtyBytes: 0n };
      },
    });
  }

  /** A device that its guest has not set up has nothing but who it is. */
  #fill(saver: BufferSaver): BufferSaver {
    saver.bytes.set(this.vf.state());
    saver.length = this.vf.guestReady ? ACC_VF_DATA_SIZE : QM_MATCH_SIZE;
    return saver;
  }

  #beginLoading(): BufferLoader {
    let checked = false;
    const loader = new BufferLoader(
      new Uint8Array(ACC_VF_DATA_SIZE),
      () => -ENOMEM,
      (length) => {
        if (checked || length < QM_MATCH_SIZE) return 0;
        checked = matches(loader.bytes, this.vf.state());
        return checked ? 0 : -EFAULT;
      },
    );
    this.#loader = loader;
    return loader;
  }

  #load(): undefined {
    const { bytes, length } = this.#loader!;
    if (length === QM_MATCH_SIZE) return;
    if (length < ACC_VF_DATA_SIZE)
      throw new VfioError(
        'EINVAL',
        `${this.name}: ${length} of ${ACC_VF_DATA_SIZE} bytes of its state arrived`,
      );
    const { eqeDma, aeqeDma, sqcDma, cqcDma } = accVfData.decode(bytes);
    this.#ready = [eqeDma, aeqeDma, sqcDma, cqcDma].every((base) => base !== 0n);
    if (!this.#ready) return;
    const error = this.vf.load(bytes);
    if (error < 0) throw VfioError.fromErrno(error, `${this.name}: its state can't be loaded`);
  }

  #stop(): undefined {
    const error = this.vf.stop();
    if (error < 0) throw VfioError.fromErrno(error, `${this.name}: can't be stopped`);
  }

  #start(): undefined {
    const error = this.#ready ? this.vf.start() : 0;
    if (error < 0) throw VfioError.fromErrno(error, `${this.name}: can't be started`);
  }
}
