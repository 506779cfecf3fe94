import { type MigrationOps, type PrecopyInfo } from '@vfiokit/core';
import { EAGAIN, EINVAL, ENOMEM, type MigrationState, VfioError } from '@vfiokit/uapi';
import { type ArcTable, NOTHING, takeArc } from '../arc-table.js';
import { BufferLoader, BufferSaver } from '../state-buffer.js';
import { QAT_STATE_SIZE, type QatMigDevice } from './qat-pf.js';

/** Migration of a QuickAssist VF (drivers/vfio/pci/qat/main.c: qat_vf_pci_step_device_state). */
export class QatMigration implements MigrationOps {
  readonly support = { p2p: true, preCopy: true };
  #saver: BufferSaver | undefined;
  #loader: BufferLoader | undefined;
  readonly #arcs: ArcTable = {
    // The whole device is stopped, not only towards its peers.
    'RUNNING>RUNNING_P2P': () => this.#check(this.pf.suspend(), 'suspended'),
    'PRE_COPY>PRE_COPY_P2P': () => this.#check(this.pf.suspend(), 'suspended'),
    'RUNNING_P2P>RUNNING': () => this.#resume(),
    'PRE_COPY_P2P>PRE_COPY': () => this.#resume(),
    'RUNNING_P2P>STOP': NOTHING,
    'STOP>RUNNING_P2P': NOTHING,
    'RUNNING>PRE_COPY': () => this.#beginPrecopy(),
    'RUNNING_P2P>PRE_COPY_P2P': () => this.#beginPrecopy(),
    'PRE_COPY>RUNNING': NOTHING,
    'PRE_COPY_P2P>RUNNING_P2P': NOTHING,
    'PRE_COPY_P2P>STOP_COPY': () => {
      this.#saveState(this.#saver!);
      return undefined;
    },
    'STOP>STOP_COPY': () => this.#saveState(new BufferSaver(new Uint8Array(QAT_STATE_SIZE), 0)),
    'STOP_COPY>STOP': NOTHING,
    'STOP>RESUMING': () => this.#beginLoading(),
    'RESUMING>STOP': () => this.#check(this.pf.loadState(this.#loader!.bytes), 'loaded'),
  };

  constructor(
    private readonly name: string,
    private readonly pf: QatMigDevice,
  ) {}

  arc(from: MigrationState, to: MigrationState) {
    return takeArc(this.name, this.#arcs, from, to);
  }

  dataSize(): bigint {
    return BigInt(QAT_STATE_SIZE);
  }

  reset(): void {
    this.pf.reset();
  }

  /** Its failure has no consequence. */
  #resume(): undefined {
    this.pf.resume();
  }

  #check(error: number, what: string): undefined {
    if (error < 0) throw VfioError.fromErrno(error, `${this.name}: can't be ${what}`);
  }

  #beginPrecopy(): BufferSaver {
    const bytes = new Uint8Array(QAT_STATE_SIZE);
    const setup = this.pf.saveSetup(bytes);
    this.#check(setup, 'saved');
    const saver = new BufferSaver(bytes, setup);
    this.#saver = saver;
    return Object.assign(saver, {
      precopyInfo: (): PrecopyInfo | number => {
        const left = saver.left(setup);
        return left < 0 ? -EINVAL : { initialBytes: BigInt(left), dirtyBytes: 0n };
      },
    });
  }

  /** The setup part stays in front. */
  #saveState(saver: BufferSaver): BufferSaver {
    if (saver.length === 0) this.#check(this.pf.saveSetup(saver.bytes), 'saved');
    this.#check(this.pf.saveState(saver.bytes), 'saved');
    saver.length = QAT_STATE_SIZE;
    return saver;
  }

  /** The setup is checked as soon as it is complete, and once only: a failure is not repeated. */
  #beginLoading(): BufferLoader {
    let checked = false;
    const loader = new BufferLoader(
      new Uint8Array(QAT_STATE_SIZE),
      () => -ENOMEM,
      (length) => {
        if (checked) return 0;
        const result = this.pf.loadSetup(loader.bytes, length);
        if (result === -EAGAIN) return 0;
        checked = true;
        return result;
      },
    );
    this.#loader = loader;
    return loader;
  }
}
