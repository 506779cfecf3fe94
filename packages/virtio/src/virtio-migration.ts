import { type MigrationOps, type MigrationStream } from '@vfiokit/core';
import type { Clock } from '@vfiokit/driver-model';
import { type MigrationState, VfioError } from '@vfiokit/uapi';
import { DevicePartsLoader } from './resuming.js';
import { DevicePartsSaver } from './saving.js';
import type { AdminMember } from './virtio-pci.js';

/** What an arc takes. */
type Step = (migration: Arcs) => MigrationStream | undefined;

/** The steps that arcs are made of. */
interface Arcs {
  stop(): undefined;
  run(): undefined;
  save(running: boolean): MigrationStream;
  finishSaving(): undefined;
  load(): MigrationStream;
}

const NOTHING: Step = () => undefined;

/** drivers/vfio/pci/virtio/migrate.c: virtiovf_pci_step_device_state_locked. */
const STEPS: Readonly<Record<string, Step>> = {
  'RUNNING>RUNNING_P2P': (device) => device.stop(),
  'PRE_COPY>PRE_COPY_P2P': (device) => device.stop(),
  'RUNNING_P2P>RUNNING': (device) => device.run(),
  'PRE_COPY_P2P>PRE_COPY': (device) => device.run(),
  // Stopped for its peers is stopped altogether.
  'RUNNING_P2P>STOP': NOTHING,
  'STOP>RUNNING_P2P': NOTHING,
  'STOP>STOP_COPY': (device) => device.save(false),
  'RUNNING>PRE_COPY': (device) => device.save(true),
  'RUNNING_P2P>PRE_COPY_P2P': (device) => device.save(true),
  'PRE_COPY_P2P>STOP_COPY': (device) => device.finishSaving(),
  'STOP>RESUMING': (device) => device.load(),
  // The core ends the streams.
  'STOP_COPY>STOP': NOTHING,
  'PRE_COPY>RUNNING': NOTHING,
  'PRE_COPY_P2P>RUNNING_P2P': NOTHING,
  'RESUMING>STOP': NOTHING,
};

/** Migration of a virtio VF with the help of its PF. */
export class VirtioMigration implements MigrationOps, Arcs {
  readonly support = { p2p: true, preCopy: true };
  /** The saving session, as long as it lasts. */
  #saver: DevicePartsSaver | undefined;
  #lastObject = 0;

  constructor(
    private readonly name: string,
    private readonly member: AdminMember,
    private readonly clock: Clock,
  ) {}

  arc(from: MigrationState, to: MigrationState): MigrationStream | undefined {
    const step = STEPS[`${from}>${to}`];
    if (step === undefined)
      throw new VfioError('EINVAL', `${this.name}: can't go from ${from} to ${to}`);
    return step(this);
  }

  /** As much as all parts are now. */
  dataSize(): bigint | number {
    const size = this.#saver?.stateSize() ?? this.#askSize();
    return size < 0 ? size : BigInt(size);
  }

  stop(): undefined {
    this.#setStopped(true);
  }

  run(): undefined {
    this.#setStopped(false);
  }

  save(running: boolean): MigrationStream {
    const { name, member, clock } = this;
    this.#saver = DevicePartsSaver.begin(name, member, this.#newObject(), clock, running);
    return this.#saver;
  }

  finishSaving(): undefined {
    this.#saver?.finish();
  }

  load(): MigrationStream {
    return DevicePartsLoader.begin(this.name, this.member, this.#newObject());
  }

  #setStopped(stopped: boolean): void {
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
