import {
  EINVAL,
  ENOENT,
  ENOTTY,
  type Process,
  VFIO_DEVICE_FEATURE,
  VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
  VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
  VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP,
  VFIO_DEVICE_FEATURE_GET,
  VFIO_DEVICE_FEATURE_MASK,
  VFIO_DEVICE_FEATURE_MIG_DATA_SIZE,
  VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
  VFIO_DEVICE_FEATURE_MIGRATION,
  VFIO_DEVICE_FEATURE_PROBE,
  VFIO_DEVICE_FEATURE_SET,
  type VfioDevice,
  vfioDeviceFeature,
  vfioDeviceFeatureMigState,
} from '@vfiokit/uapi';
import type { ClientMemory } from '../dma/client-memory.js';
import { bitmapBytes, isPowerOfTwo } from '../dma/dirty-log.js';
import { dmaLoggingControl, dmaLoggingReport } from '../protocol/payloads.js';
import type { Migration } from './migration.js';
import type { Reply } from './reply.js';

const HEADER = vfioDeviceFeature.size;
const LOGGING_RANGE = 16;
const OPERATIONS = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET;

/** What a feature can be asked, and who answers. */
interface Feature {
  readonly operations: number;
  /** Bytes of data that a request has to bring. */
  readonly minimum: number;
  run(data: Uint8Array, room: number, flags: number): Reply;
}

/**
 * DEVICE_FEATURE. The state of a migrating device is the device's; which pages were written is known here, where every
 * DMA passes. Features that hold descriptors or pointers of one machine are not offered.
 */
export class Features {
  readonly #features: ReadonlyMap<number, Feature>;

  constructor(
    private readonly device: VfioDevice,
    private readonly process: Process,
    private readonly memory: ClientMemory,
    private readonly migration: Migration,
    private readonly largest: number,
  ) {
    const [get, set] = [VFIO_DEVICE_FEATURE_GET, VFIO_DEVICE_FEATURE_SET];
    const forward = (operations: number): Feature => ({
      operations,
      minimum: 8,
      run: (data, _room, flags) => this.#forward(data, flags),
    });
    this.#features = new Map<number, Feature>([
      [VFIO_DEVICE_FEATURE_MIGRATION, forward(get)],
      [
        VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
        {
          operations: get | set,
          minimum: vfioDeviceFeatureMigState.size,
          run: (data, _room, flags) =>
            (flags & set) === 0 ? this.#forward(data, flags) : this.#setState(data),
        },
      ],
      [
        VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
        { operations: set, minimum: dmaLoggingControl.size, run: (data) => this.#start(data) },
      ],
      [
        VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP,
        { operations: set, minimum: 0, run: () => this.#stop() },
      ],
      [
        VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT,
        {
          operations: get,
          minimum: dmaLoggingReport.size,
          run: (data, room) => this.#report(data, room),
        },
      ],
      [VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, forward(get)],
    ]);
  }

  run(payload: Uint8Array): Reply {
    if (payload.length < HEADER) return -EINVAL;
    const { argsz, flags } = vfioDeviceFeature.decode(payload);
    const asked = flags & OPERATIONS;
    const probe = (flags & VFIO_DEVICE_FEATURE_PROBE) !== 0;
    const number = flags & VFIO_DEVICE_FEATURE_MASK;
    const feature = this.#features.get(number);
    if (feature === undefined || argsz < HEADER) return -EINVAL;
    if (asked === 0 || (asked & ~feature.operations) !== 0) return -EINVAL;
    if (!this.#available(number)) return -EINVAL;
    if (probe) return payload.slice();
    if (asked === OPERATIONS) return -EINVAL;
    const data = payload.subarray(HEADER);
    if (data.length < feature.minimum || argsz < HEADER + feature.minimum) return -EINVAL;
    const answer = feature.run(data, argsz - HEADER, flags);
    return answer instanceof Uint8Array ? this.#wrap(flags, answer) : answer;
  }

  /** Dirty pages are for devices that migrate, and so is everything else. */
  #available(number: number): boolean {
    const data =
      number === VFIO_DEVICE_FEATURE_MIG_DATA_SIZE ? number : VFIO_DEVICE_FEATURE_MIGRATION;
    const probe = VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET | data;
    const argument = vfioDeviceFeature.encode({ argsz: HEADER, flags: probe });
    return this.device.ioctl(VFIO_DEVICE_FEATURE, argument, this.process) >= 0;
  }

  #forward(data: Uint8Array, flags: number): Reply {
    const argument = this.#wrap(flags, data.subarray(0, 8));
    const result = this.device.ioctl(VFIO_DEVICE_FEATURE, argument, this.process);
    if (result < 0) return result === -ENOTTY ? -EINVAL : result;
    const answer = argument.subarray(HEADER);
    // Descriptors of this process mean nothing to the client.
    if ((flags & VFIO_DEVICE_FEATURE_MASK) === VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE)
      vfioDeviceFeatureMigState.encode({ dataFd: -1 }, answer);
    return answer;
  }

  #setState(data: Uint8Array): Reply {
    const { deviceState } = vfioDeviceFeatureMigState.decode(data);
    const result = this.migration.setState(deviceState);
    return result < 0 ? result : vfioDeviceFeatureMigState.encode({ deviceState, dataFd: -1 });
  }

  #start(data: Uint8Array): Reply {
    const { pageSize, numRanges } = dmaLoggingControl.decode(data);
    const size = dmaLoggingControl.size + numRanges * LOGGING_RANGE;
    if (data.length < size) return -EINVAL;
    const result = this.memory.log.start(pageSize);
    return result < 0 ? result : data.slice(0, size);
  }

  #stop(): Reply {
    if (!this.memory.log.active) return -EINVAL;
    this.memory.log.stop();
    return new Uint8Array(0);
  }

  #report(data: Uint8Array, room: number): Reply {
    const { log, windows } = this.memory;
    const { iova, length, pageSize } = dmaLoggingReport.decode(data);
    const [start, size, page] = [Number(iova), Number(length), Number(pageSize)];
    if (!log.active || !isPowerOfTwo(page)) return -EINVAL;
    const bytes = bitmapBytes(size, page);
    if (room < dmaLoggingReport.size + bytes || bytes > this.largest) return -EINVAL;
    for (let at = start; at < start + size; ) {
      const window = windows.find(at);
      if (window === 0) return -ENOENT;
      at = windows.end(window);
    }
    const answer = new Uint8Array(dmaLoggingReport.size + bytes);
    answer.set(data.subarray(0, dmaLoggingReport.size));
    log.report(start, size, page, answer.subarray(dmaLoggingReport.size));
    return answer;
  }

  #wrap(flags: number, data: Uint8Array): Uint8Array {
    const whole = new Uint8Array(HEADER + data.length);
    vfioDeviceFeature.encode({ argsz: whole.length, flags }, whole);
    whole.set(data, HEADER);
    return whole;
  }
}
