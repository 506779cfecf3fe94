import { DeviceClient, Process, type VfioDevice } from '@vfiokit/uapi';
import { loadState, saveState } from './device-state.js';
import { ClientMemory } from './dma/client-memory.js';
import { DEFAULT_MAX_DATA_XFER, type Limits } from './protocol/version.js';
import type { UnmapMode } from './session/dma-commands.js';
import type { MigrationProgress } from './session/migration.js';
import { readRegions, type SharedMemory } from './session/regions.js';
import { type Served, Session } from './session/session.js';
import type { Trace } from './trace.js';
import type { Channel, Listener, Transport } from './transport/channel.js';

/** What happens at a served device. */
export type ServerEvent =
  | { readonly kind: 'attached' }
  /** The client is gone, and the device was reset. */
  | { readonly kind: 'detached' }
  | ({ readonly kind: 'migration' } & MigrationProgress)
  /** The device's model threw something; the client saw EIO or the error's errno. */
  | { readonly kind: 'failure'; readonly error: unknown };

export interface ServeOptions {
  /** An open device. It stays open, and is reset whenever a client goes. */
  readonly device: VfioDevice;
  readonly transport: Transport;
  /** Where the socket is made. */
  readonly path: string;
  /** The user who has the device open; one of its own without it. */
  readonly process?: Process;
  /** How the device reaches the client's memory: give it to the device as its DMA port. */
  readonly memory?: ClientMemory;
  /** By region index, memory that clients can map. The region has to have VFIO_REGION_INFO_FLAG_MMAP. */
  readonly mappable?: ReadonlyMap<number, SharedMemory>;
  readonly unmap?: UnmapMode;
  readonly limits?: Partial<Limits>;
  readonly trace?: Trace;
  readonly onEvent?: (event: ServerEvent) => void;
}

/** QEMU refuses more than 16. */
const MAX_MSG_FDS = 8;

/** A device behind a socket. One client has it at a time; others wait. */
export class VfioUserServer implements Disposable {
  readonly #client: DeviceClient;
  readonly #served: Served;
  #listener: Listener | undefined;
  #session: Session | undefined;
  #closed = false;

  private constructor(private readonly options: ServeOptions) {
    const { device, transport, mappable = new Map(), onEvent = () => {} } = options;
    const user = options.process ?? new Process();
    this.#client = new DeviceClient(device, user);
    this.#served = {
      device,
      process: user,
      client: this.#client,
      regions: readRegions(this.#client, mappable),
      memory: options.memory ?? new ClientMemory(),
      descriptors: transport.descriptors,
      limits: {
        maxMsgFds: transport.passesDescriptors ? MAX_MSG_FDS : 0,
        maxDataXfer: DEFAULT_MAX_DATA_XFER,
        ...options.limits,
      },
      unmap: options.unmap ?? 'covering',
      trace: options.trace,
      failed: (error) => onEvent({ kind: 'failure', error }),
      migrating: (progress) => onEvent({ kind: 'migration', ...progress }),
      ended: () => this.#detached(),
    };
  }

  /**
   * Serves a device at a path until the result is disposed of.
   *
   * @throws VfioError if the path can't be listened at, or the device does not say what it has.
   */
  static async listen(options: ServeOptions): Promise<VfioUserServer> {
    const server = new VfioUserServer(options);
    const accept = (channel: Channel) => server.#accept(channel);
    server.#listener = await options.transport.listen(options.path, accept);
    return server;
  }

  /** A client is there. */
  get attached(): boolean {
    return this.#session !== undefined;
  }

  /** Indexes of the regions that clients can map: the device lets them, and there is memory to be mapped. */
  get mappable(): readonly number[] {
    return this.#served.regions.flatMap(({ memory }, index) =>
      memory === undefined ? [] : [index],
    );
  }

  /**
   * Stops the device and takes its state, for a client that moves its guest but not its devices. The client keeps what it
   * has; the device runs again after a reset, which it gets when the client goes.
   *
   * @throws VfioError what the device refuses with: ENOTTY where it can't migrate.
   */
  saveState(): Uint8Array {
    return saveState(this.#served.device, this.#served.process);
  }

  /**
   * Gives the device a state that another server saved, and lets it run.
   *
   * @throws VfioError what the device refuses with: ENOTTY where it can't migrate, EINVAL for the state of another device.
   */
  loadState(state: Uint8Array): void {
    loadState(this.#served.device, this.#served.process, state);
  }

  /**
   * Ends the connection and stops listening. The device stays open.
   *
   * @throws VfioError if the socket can't be removed, after everything else was done.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#session?.close();
    this.#client.close();
    this.#listener?.[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #accept(channel: Channel): Session {
    this.#session = new Session(this.#served, channel);
    this.#listener?.pause();
    this.options.onEvent?.({ kind: 'attached' });
    return this.#session;
  }

  #detached(): void {
    this.#session = undefined;
    this.options.onEvent?.({ kind: 'detached' });
    if (!this.#closed) this.#listener?.resume();
  }
}
