import type { MigrationOps, MigrationStream } from '@vfiokit/core';
import type { Clock } from '@vfiokit/driver-model';
import { type MigrationState, VfioError } from '@vfiokit/uapi';
import { DevicePartsLoader } from './resuming.js';
import { DevicePartsSaver } from './saving.js';
import type { AdminMember } from './virtio-pci.js';

const NOTHING = () => undefined;

/** Migration of a virtio VF with the help of its PF (drivers/vfio/pci/virtio/migrate.c: virtiovf_pci_step_device_state_locked). */
export class VirtioMigration implements MigrationOps {
  readonly support = { p2p: true, preCopy: true };
  /** The saving session, as long as it lasts. */
  #saver: DevicePartsSaver | undefined;
  #lastObject = 0;
  readonly #arcs: Readonly<Record<string, () => MigrationStream | undefined>> = {
    'RUNNING>RUNNING_P2P': () => this.#setStopped(true),
    'PRE_COPY>PRE_COPY_P2P': () => this.#setStopped(true),
    'RUNNING_P2P>RUNNING': () => this.#setStopped(false),
    'PRE_COPY_P2P>PRE_COPY': () => this.#setStopped(false),
    // Stopped for its peers is stopped altogether.
    'RUNNING_P2P>STOP': NOTHING,
    'STOP>RUNNING_P2P': NOTHING,
    'STOP>STOP_COPY': () => this.#save(false),
    'RUNNING>PRE_COPY': () => this.#save(true),
    'RUNNING_P2P>PRE_COPY_P2P': () => this.#save(true),
    'PRE_COPY_P2P>STOP_COPY': () => this.#finishSaving(),
    'STOP>RESUMING': () => this.#load(),
    // The core ends the streams.
    'STOP_COPY>STOP': NOTHING,
    'PRE_COPY>RUNNING': NOTHING,
    'PRE_COPY_P2P>RUNNING_P2P': NOTHING,
    'RESUMING>STOP': NOTHING,
  };

  constructor(
    private readonly name: string,
    private readonly member: AdminMember,
    private readonly clock: Clock,
  ) {}

  arc(from: MigrationState, to: MigrationState): MigrationStream | undefined {
    const step = this.#arcs[`${from}>${to}`];
    if (step === undefined)
      throw new VfioError('EINVAL', `${this.name}: can't go from ${from} to ${to}`);
    return step();
  }

  /** As much as all parts are now. */
  dataSize(): bigint | number {
    const size = this.#saver?.stateSize() ?? this.#askSize();
    return size < 0 ? size : BigInt(size);
  }

  #save(running: boolean): MigrationStream {
    const { name, member, clock } = this;
    this.#saver = DevicePartsSaver.begin(name, member, this.#newObject(), clock, running);
    return this.#saver;
  }

  #finishSaving(): undefined {
    this.#saver?.finish();
  }

  #load(): MigrationStream {
    return DevicePartsLoader.begin(this.name, this.member, this.#newObject());
  }

  #setStopped(stopped: boolean): undefined {
    const error = this.member.setStopped(stopped);
    if (error < 0)
      throw VfioError.fromErrno(error, `${this.name}: can't be ${stopped ? 'stopped' : 'let run'}`);
  }

  /** Without a session the question takes an object of its own. */
  #askSize(): number {
    const object = this.#newObject();
    const created = this.member.createDevParts(object, 'get');
    if (created < 0) return created;
    const size = this.member.devPartsSize(object);
    this.member.destroyDevParts(object);
    return size;
  }

  #newObject(): number {
    this.#lastObject += 1;
    return this.#lastObject;
  }
}
