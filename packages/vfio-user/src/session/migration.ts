import {
  EAGAIN,
  EINVAL,
  EIO,
  ENOMSG,
  ENOTTY,
  encodeDeviceFeature,
  type MigrationFile,
  type MigrationState,
  migrationState,
  type Process,
  VFIO_DEVICE_FEATURE,
  VFIO_DEVICE_FEATURE_GET,
  VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
  VFIO_DEVICE_FEATURE_SET,
  type VfioDevice,
  vfioDeviceFeature,
  vfioDeviceFeatureMigState,
} from '@vfiokit/uapi';
import { migrationData } from '../protocol/payloads.js';
import type { Reply } from './reply.js';

/** How far a migration is: told at every change of state, and for data with the bytes so far. */
export interface MigrationProgress {
  readonly state: MigrationState;
  /** Bytes that left or arrived since the transfer began. */
  readonly bytes: number;
}

/** The state of a device on its way over the socket: MIG_DATA_READ, MIG_DATA_WRITE, and the file behind them. */
export class Migration {
  #fd = -1;
  #bytes = 0;

  constructor(
    private readonly device: VfioDevice,
    private readonly process: Process,
    private readonly progress: (progress: MigrationProgress) => void,
  ) {}

  /** Takes the device to a state; 0 or a negated errno, after which it is wherever it got to. */
  setState(deviceState: number): number {
    const name = migrationState(deviceState);
    if (name === undefined) return -EINVAL;
    const argument = encodeState(VFIO_DEVICE_FEATURE_SET, deviceState);
    const result = this.device.ioctl(VFIO_DEVICE_FEATURE, argument, this.process);
    if (result < 0) return result === -ENOTTY ? -EINVAL : result;
    const { dataFd } = vfioDeviceFeatureMigState.decode(argument, vfioDeviceFeature.size);
    if (dataFd >= 0) {
      this.close();
      this.#fd = dataFd;
      this.#bytes = 0;
    }
    this.progress({ state: name, bytes: this.#bytes });
    return 0;
  }

  /** Answers MIG_DATA_READ: as much as there is, which is less than asked for at the end. */
  read(payload: Uint8Array, largest: number): Reply {
    const file = this.#file(payload, largest, ['STOP_COPY', 'PRE_COPY']);
    if (typeof file === 'number') return file;
    const { size } = migrationData.decode(payload);
    const answer = new Uint8Array(migrationData.size + size);
    let got = 0;
    while (got < size) {
      const count = file.read(answer.subarray(migrationData.size + got));
      if (count === 0 || count === -ENOMSG || count === -EAGAIN) break;
      if (count < 0) return count;
      got += count;
    }
    this.#moved(got);
    migrationData.encode({ argsz: migrationData.size + got, size: got }, answer);
    return answer.subarray(0, migrationData.size + got);
  }

  /** Answers MIG_DATA_WRITE: all of it, or an errno. */
  write(payload: Uint8Array, largest: number): Reply {
    const file = this.#file(payload, largest, ['RESUMING']);
    if (typeof file === 'number') return file;
    const { size } = migrationData.decode(payload);
    const data = payload.subarray(migrationData.size, migrationData.size + size);
    if (data.length < size) return -EINVAL;
    for (let done = 0; done < size; ) {
      const count = file.write(data.subarray(done));
      if (count <= 0) return count === 0 ? -EIO : count;
      done += count;
    }
    this.#moved(size);
    return 0;
  }

  /** Lets go of the file of a transfer. */
  close(): void {
    if (this.#fd >= 0) this.process.fds.close(this.#fd);
    this.#fd = -1;
  }

  #file(
    payload: Uint8Array,
    largest: number,
    states: readonly MigrationState[],
  ): MigrationFile | number {
    if (payload.length < migrationData.size) return -EINVAL;
    const { argsz, size } = migrationData.decode(payload);
    if (size > largest || argsz < migrationData.size + size) return -EINVAL;
    const state = this.#state();
    const file = this.process.fds.get(this.#fd);
    if (state === undefined || !states.includes(state) || file === undefined) return -EINVAL;
    return file as MigrationFile;
  }

  #moved(bytes: number): void {
    this.#bytes += bytes;
    const state = this.#state();
    if (state !== undefined) this.progress({ state, bytes: this.#bytes });
  }

  #state(): MigrationState | undefined {
    const argument = encodeState(VFIO_DEVICE_FEATURE_GET, 0);
    if (this.device.ioctl(VFIO_DEVICE_FEATURE, argument, this.process) < 0) return undefined;
    return migrationState(
      vfioDeviceFeatureMigState.decode(argument, vfioDeviceFeature.size).deviceState,
    );
  }
}

function encodeState(operation: number, deviceState: number): Uint8Array {
  const data = vfioDeviceFeatureMigState.encode({ deviceState, dataFd: -1 });
  return encodeDeviceFeature(VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, operation, data);
}
