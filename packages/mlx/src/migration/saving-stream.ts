import { type MigrationStream, type PrecopyInfo, RECORD_HEADER_SIZE } from '@vfiokit/core';
import { EAGAIN, EINVAL, EIO, ENODEV, VfioError } from '@vfiokit/uapi';
import { commandOutput, MLX5_CMD_STAT, saveVhcaStateOut } from '../commands.js';
import { BufferPool } from './buffers.js';
import { type Queued, ReadQueue } from './read-queue.js';
import { encodeImageHeader, encodeStopCopySize } from './stream-format.js';
import { type ImageSizes, MAX_BUFFER, type SaveOrder, type Vhca, type VhcaBuffer } from './vhca.js';

/** In chunk mode a buffer has at least so many bytes, if the image has. */
const CHUNK_SIZE = 8 << 20;
/** A device that runs on may grow by so much until it is stopped. */
const HEADROOM = 1.1;

/**
 * Where a transfer stands (drivers/vfio/pci/mlx5/cmd.h: enum mlx5_vf_migf_state). `pre-copy-error`: tracking was lost,
 * and the transfer can still end with a full image.
 */
type FileState = 'begun' | 'pre-copy' | 'pre-copy-error' | 'stop-copy-chunk' | 'complete' | 'error';

/** A SAVE as part of a transfer. */
interface SaveStep extends SaveOrder {
  /** More of the image may follow in the next one. */
  readonly isChunk: boolean;
}

export interface SavingOptions {
  readonly name: string;
  readonly vhca: Vhca;
  /** The image of a stopped device comes in chunks. */
  readonly chunk: boolean;
  /** The device runs, and its changes are tracked. */
  readonly track: boolean;
  /** The firmware says when the device was initialised anew. */
  readonly reportsInit: boolean;
  /** Whether the device is in PRE_COPY: running in every respect. */
  readonly running: () => boolean;
}

/** A VF's state on its way out (drivers/vfio/pci/mlx5/main.c: mlx5vf_save_read, mlx5vf_precopy_ioctl; cmd.c: mlx5vf_save_callback). */
export class SavingStream implements MigrationStream {
  #state: FileState = 'begun';
  readonly #o: SavingOptions;
  readonly #pool: BufferPool;
  readonly #queue = new ReadQueue((entry) => this.#consumed(entry));
  /** Up to where the initial data reach. */
  #initialBytes = 0;
  /** The buffers for the image of the stopped device: one, or the two of chunk mode. */
  #stopCopy: VhcaBuffer[] = [];
  /** Size of the next chunk, while both buffers wait to be read. */
  #postponed = 0;

  private constructor(options: SavingOptions) {
    this.#o = options;
    this.#pool = new BufferPool(options.vhca);
  }

  /**
   * Begins a transfer with a full image.
   *
   * @throws VfioError what the firmware refuses with; nothing is left then.
   */
  static begin(options: SavingOptions): SavingStream {
    const stream = new SavingStream(options);
    const error = stream.#begin();
    if (error < 0) {
      stream.end();
      throw VfioError.fromErrno(error, `${options.name}: its state can't be saved`);
    }
    return stream;
  }

  /** The device can't be saved any more; reads say so. */
  fail(): void {
    this.#state = 'error';
  }

  /**
   * The device stopped: saves what changed since, or everything if tracking was lost.
   *
   * @throws VfioError ENODEV if the transfer failed before, what the firmware refuses with; it has failed then.
   */
  finish(): void {
    const { name } = this.#o;
    if (this.#state === 'error') throw new VfioError('ENODEV', `${name}: its transfer failed`);
    const error = this.#finish();
    if (error >= 0) return;
    this.fail();
    throw VfioError.fromErrno(error, `${name}: its last changes can't be saved`);
  }

  /**
   * The device runs on: ends tracking.
   *
   * @throws VfioError EIO if the transfer had failed, what the firmware refuses with.
   */
  abandon(): void {
    const { name, vhca } = this.#o;
    vhca.settle();
    const failed = this.#failed;
    const sizes = vhca.query(true);
    // Where the first image failed nothing is tracked, and there is nothing to end.
    if (failed && sizes === -EINVAL) return;
    if (typeof sizes === 'number')
      throw VfioError.fromErrno(sizes, `${name}: can't stop being saved`);
    const buffer = this.#pool.take(sizes.required);
    const error =
      typeof buffer === 'number'
        ? buffer
        : this.#save({ buffer, incremental: false, track: false, isChunk: false });
    if (error < 0) throw VfioError.fromErrno(error, `${name}: can't stop being saved`);
    vhca.settle();
    if (this.#failed) throw VfioError.fromErrno(-EIO, `${name}: its transfer failed`);
  }

  get #failed(): boolean {
    return this.#state === 'error';
  }

  read(into: Uint8Array): number {
    if (this.#state === 'error') return -ENODEV;
    return this.#queue.isEmpty ? this.#nothingToRead() : this.#queue.read(into);
  }

  ready(): boolean {
    return !this.#queue.isEmpty || this.#state === 'complete' || this.#state === 'error';
  }

  /**
   * What a user may expect to read. Where all was read and the device has changed, this begins to save the changes.
   *
   * @param userKnowsReinit the user can start over with the initial data.
   */
  precopyInfo(userKnowsReinit: boolean): PrecopyInfo | number {
    const changes = this.#changes();
    if (typeof changes === 'number') return changes;
    if (this.#state === 'error') return -ENODEV;
    const { required: increment, reinitialised } = changes;
    const { left: queued, position } = this.#queue;
    const saves = queued === 0 && increment > 0;
    if (saves) {
      const error = this.#saveChanges(increment);
      if (error < 0) return error;
    }
    const header = saves ? RECORD_HEADER_SIZE : 0;
    if (userKnowsReinit && this.#o.reportsInit && reinitialised) {
      this.#initialBytes = position + queued + header + increment;
      const initialBytes = BigInt(queued + increment + header);
      return { initialBytes, dirtyBytes: 0n, reinit: true };
    }
    if (this.#initialBytes > position)
      return { initialBytes: BigInt(this.#initialBytes - position), dirtyBytes: 0n };
    return { initialBytes: 0n, dirtyBytes: BigInt(queued + increment + header) };
  }

  end(): void {
    this.#o.vhca.settle();
    this.fail();
    this.#queue.clear();
    this.#pool.close();
  }

  // --- the steps of a transfer ---

  #begin(): number {
    const { vhca, track } = this.#o;
    const opened = this.#pool.open();
    if (opened < 0) return opened;
    const sizes = vhca.query(false);
    if (typeof sizes === 'number') return sizes;
    const prepared = this.#prepareStopCopy(sizes);
    if (prepared < 0) return prepared;
    // A device that runs on keeps the buffer of its last image for later.
    const buffer = track ? this.#pool.take(sizes.required) : this.#stopCopy.shift()!;
    if (typeof buffer === 'number') return buffer;
    return this.#save({ buffer, incremental: false, track, isChunk: this.#o.chunk && !track });
  }

  /** Buffers for the image of the stopped device, and the record that tells the destination of their size. */
  #prepareStopCopy({ required, total }: ImageSizes): number {
    const { chunk, track } = this.#o;
    const size = Math.min(stopCopySize(required, total, chunk, track), MAX_BUFFER);
    for (let i = 0; i < (chunk ? 2 : 1); i += 1) {
      const buffer = this.#pool.take(size);
      if (typeof buffer === 'number') return buffer;
      this.#stopCopy.push(buffer);
    }
    const record = encodeStopCopySize(this.#stopCopy[0]!.memory.length);
    this.#queue.put({ bytes: record, buffer: undefined, isChunk: false });
    if (track) this.#initialBytes = record.length;
    return 0;
  }

  #finish(): number {
    const { vhca } = this.#o;
    vhca.settle();
    const sizes = vhca.query(this.#state !== 'pre-copy-error');
    if (typeof sizes === 'number') return sizes;
    const buffer = this.#stopCopyBuffer(sizes.required);
    if (typeof buffer === 'number') return buffer;
    return this.#save({ buffer, incremental: true, track: false, isChunk: this.#o.chunk });
  }

  /** The prepared buffer, or a larger one if the device needs more by now. */
  #stopCopyBuffer(bytes: number): VhcaBuffer | number {
    const prepared = this.#stopCopy.shift();
    if (prepared !== undefined && prepared.memory.length >= bytes) return prepared;
    if (prepared !== undefined) this.#pool.give(prepared);
    return this.#pool.take(bytes);
  }

  #saveChanges(bytes: number): number {
    const buffer = this.#pool.take(bytes);
    const error =
      typeof buffer === 'number'
        ? buffer
        : this.#save({ buffer, incremental: true, track: true, isChunk: false });
    if (error < 0) this.fail();
    return error;
  }

  /** Only while the device runs can there be changes that a reader could have. */
  #changes(): ImageSizes | number {
    const none = { required: 0, total: 0n, reinitialised: false };
    if (!this.#o.running()) return none;
    this.#o.vhca.settle();
    return this.#state === 'pre-copy-error' ? none : this.#o.vhca.query(true);
  }

  // --- SAVE commands ---

  #save(order: SaveStep): number {
    const { vhca } = this.#o;
    vhca.settle();
    // Without tracking there are no changes to be had: the last image is a full one.
    const incremental = order.incremental && this.#state !== 'pre-copy-error';
    if (!order.track) this.#state = 'stop-copy-chunk';
    return vhca.save({ ...order, incremental }, (output) => this.#saved(order, output));
  }

  #saved({ buffer, track, isChunk }: SaveStep, output: Uint8Array): void {
    const { status } = commandOutput.decode(output);
    if (status !== MLX5_CMD_STAT.OK) {
      this.#pool.give(buffer);
      const trackingLost = track && status === MLX5_CMD_STAT.BAD_RES_STATE_ERR;
      this.#state = trackingLost ? 'pre-copy-error' : 'error';
      return;
    }
    const { actualImageSize, nextRequiredUmemSize } = saveVhcaStateOut.decode(output);
    const header = encodeImageHeader(actualImageSize);
    this.#queue.put({ bytes: header, buffer: undefined, isChunk: false });
    this.#queue.put({ bytes: buffer.memory.subarray(0, actualImageSize), buffer, isChunk });
    if (this.#state === 'begun' && track) {
      this.#state = 'pre-copy';
      this.#initialBytes += header.length + actualImageSize;
    }
    if (track) return;
    if (isChunk && nextRequiredUmemSize > 0) this.#saveNextChunk(nextRequiredUmemSize);
    else this.#state = 'complete';
  }

  /** Into the other buffer; with both unread it waits for the reader. */
  #saveNextChunk(size: number): void {
    const buffer = this.#stopCopy.shift();
    if (buffer === undefined) {
      this.#postponed = size;
      return;
    }
    const fits = buffer.memory.length >= size ? buffer : this.#pool.take(size);
    const error =
      typeof fits === 'number'
        ? fits
        : this.#save({ buffer: fits, incremental: true, track: false, isChunk: true });
    if (error < 0) this.fail();
  }

  #consumed({ buffer, isChunk }: Queued): void {
    if (buffer === undefined) return;
    if (!isChunk) {
      this.#pool.give(buffer);
      return;
    }
    this.#stopCopy.push(buffer);
    if (this.#postponed === 0) return;
    const size = this.#postponed;
    this.#postponed = 0;
    this.#saveNextChunk(size);
  }

  /** The end, nothing for now (which the file tells a running device's user), or more to come. */
  #nothingToRead(): number {
    const ended = this.#state !== 'begun' && this.#state !== 'stop-copy-chunk';
    return ended ? 0 : -EAGAIN;
  }
}

function stopCopySize(required: number, total: bigint, chunk: boolean, track: boolean): number {
  if (chunk) return Math.max(required, Math.min(CHUNK_SIZE, Number(total)));
  return track ? Math.ceil(required * HEADROOM) : required;
}
