import {
  DeviceClient,
  EINVAL,
  VFIO_DEVICE_FLAGS_PCI,
  VFIO_DEVICE_FLAGS_RESET,
  VFIO_PCI_NUM_IRQS,
  VfioError,
  vfioDeviceInfo,
} from '@vfiokit/uapi';
import { COMMANDS, VERSION } from '../protocol/commands.js';
import { HEADER_SIZE } from '../protocol/header.js';
import type { Limits } from '../protocol/version.js';
import { DmaCommands } from './dma-commands.js';
import { Features } from './features.js';
import { Interrupts } from './interrupts.js';
import { Migration } from './migration.js';
import { regionInfo, regionIoDescriptors } from './regions.js';
import { errnoOf, type Received, type Reply } from './reply.js';
import type { Served } from './session.js';

/** Answers a message that starts at `at`. What it takes over is removed from `fds`. */
type Handler = (at: number, size: number, fds: number[]) => Reply;

/** What the client said that it accepts. */
export interface Client extends Limits {
  readonly passesFds: boolean;
}

/** The commands for which there is time: all but accesses to regions. */
export class Handlers {
  /** Owns the eventfds that the device is given, for as long as the session lasts. */
  readonly #irqs: DeviceClient;
  readonly #interrupts: Interrupts;
  readonly #migration: Migration;
  readonly #handlers: ReadonlyMap<number, Handler>;

  /** @param client there from the end of the negotiation on, and no command is run before. */
  constructor(
    private readonly served: Served,
    received: Received,
    client: () => Client,
  ) {
    const { device, process, memory, descriptors, regions } = served;
    const { maxDataXfer: largest } = served.limits;
    this.#irqs = new DeviceClient(device, process);
    const interrupts = new Interrupts(this.#irqs, descriptors);
    const migration = new Migration(device, process, served.migrating);
    const features = new Features(device, process, memory, migration, largest);
    const dma = new DmaCommands(received, memory, descriptors, served.unmap, largest);
    const payload =
      (run: (payload: Uint8Array, fds: number[]) => Reply): Handler =>
      (at, size, fds) =>
        run(received.bytes.subarray(at + HEADER_SIZE, at + size), fds);
    this.#interrupts = interrupts;
    this.#migration = migration;
    this.#handlers = new Map<number, Handler>([
      [VERSION, () => -EINVAL],
      [COMMANDS.DMA_MAP, (at, size, fds) => dma.map(at, size, fds)],
      [COMMANDS.DMA_UNMAP, (at, size) => dma.unmap(at, size)],
      [COMMANDS.DEVICE_GET_INFO, payload((bytes) => this.#info(bytes))],
      [
        COMMANDS.DEVICE_GET_REGION_INFO,
        payload((bytes) => regionInfo(regions, bytes, client().passesFds)),
      ],
      [
        COMMANDS.DEVICE_GET_REGION_IO_FDS,
        payload((bytes) => regionIoDescriptors(regions, bytes, largest)),
      ],
      [COMMANDS.DEVICE_GET_IRQ_INFO, payload((bytes) => interrupts.info(bytes))],
      [COMMANDS.DEVICE_SET_IRQS, payload((bytes, fds) => interrupts.set(bytes, fds))],
      [COMMANDS.DEVICE_RESET, () => this.#reset()],
      [COMMANDS.DEVICE_FEATURE, payload((bytes) => features.run(bytes))],
      [COMMANDS.MIG_DATA_READ, payload((bytes) => migration.read(bytes, client().maxDataXfer))],
      [COMMANDS.MIG_DATA_WRITE, payload((bytes) => migration.write(bytes, largest))],
    ]);
  }

  /** Runs a command; what a device throws is an errno. */
  run(command: number, at: number, size: number, fds: number[]): Reply {
    try {
      return this.#handlers.get(command)?.(at, size, fds) ?? -EINVAL;
    } catch (error) {
      if (!(error instanceof VfioError)) this.served.failed(error);
      return errnoOf(error);
    }
  }

  /** Takes the client's interrupts and the state of a migration away, and resets the device. */
  close(): void {
    const { client, failed } = this.served;
    const steps = [
      () => this.#interrupts.clear(),
      () => this.#irqs.close(),
      () => this.#migration.close(),
      () => {
        if ((client.info().flags & VFIO_DEVICE_FLAGS_RESET) !== 0) client.reset();
      },
    ];
    for (const step of steps)
      try {
        step();
      } catch (error) {
        failed(error);
      }
  }

  #info(payload: Uint8Array): Reply {
    const size = vfioDeviceInfo.ends.numIrqs;
    if (payload.length < size || vfioDeviceInfo.decode(payload).argsz < size) return -EINVAL;
    const { flags, numRegions } = this.served.client.info();
    const shown = flags & (VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI);
    const answer = { argsz: size, flags: shown, numRegions, numIrqs: VFIO_PCI_NUM_IRQS };
    return vfioDeviceInfo.encode(answer).subarray(0, size);
  }

  #reset(): number {
    this.served.client.reset();
    this.#interrupts.reset();
    return 0;
  }
}
