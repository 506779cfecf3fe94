import { encodeRecordHeader, type MigrationStream, type PrecopyInfo } from '@vfiokit/core';
import type { Clock } from '@vfiokit/driver-model';
import { EINVAL, ENODEV, VfioError } from '@vfiokit/uapi';
import type { AdminMember } from './virtio-pci.js';

/** The one kind of record: parts of the device's state. */
export const TAG_DEVICE_PARTS = 0;
/** The device is not asked more often how much there is. */
const QUERY_INTERVAL_MS = 1000;

/**
 * A device's state on its way out, as records of all its parts. There is no notion of changed parts: what changes while
 * the device runs is sent whole again (drivers/vfio/pci/virtio/migrate.c: virtiovf_save_read, virtiovf_precopy_ioctl).
 */
export class DevicePartsSaver implements MigrationStream {
  readonly #chunks: Uint8Array[] = [];
  /** Bytes of the first chunk that were read. */
  #done = 0;
  #queued = 0;
  /** Bytes of the first records that were not read yet. */
  #initial = 0;
  #state: 'pre-copy' | 'complete' | 'error' = 'pre-copy';
  #askedAt = Number.NEGATIVE_INFINITY;
  #ended = false;

  private constructor(
    private readonly name: string,
    private readonly member: AdminMember,
    private readonly object: number,
    private readonly clock: Clock,
  ) {}

  /**
   * Begins with all parts.
   *
   * @param running more will follow; else this is all.
   * @throws VfioError EINVAL for a device without parts, what the device refuses with.
   */
  static begin(
    name: string,
    member: AdminMember,
    object: number,
    clock: Clock,
    running: boolean,
  ): DevicePartsSaver {
    const created = member.createDevParts(object, 'get');
    if (created < 0) throw VfioError.fromErrno(created, `${name}: its state can't be read`);
    const saver = new DevicePartsSaver(name, member, object, clock);
    const error = saver.#queue();
    if (error < 0) {
      saver.end();
      throw VfioError.fromErrno(error, `${name}: its state can't be read`);
    }
    saver.#initial = saver.#queued;
    if (!running) saver.#state = 'complete';
    return saver;
  }

  /**
   * The device stopped: the last parts.
   *
   * @throws VfioError ENODEV if the stream failed before, what the device refuses with; then it has failed.
   */
  finish(): void {
    if (this.#state === 'error') throw new VfioError('ENODEV', `${this.name}: its stream failed`);
    const error = this.#queue();
    this.#state = error < 0 ? 'error' : 'complete';
    if (error < 0) throw VfioError.fromErrno(error, `${this.name}: its state can't be read`);
  }

  read(into: Uint8Array): number {
    if (this.#state === 'error') return -ENODEV;
    let count = 0;
    while (count < into.length && this.#chunks.length > 0) {
      const chunk = this.#chunks[0]!;
      const piece = chunk.subarray(this.#done, this.#done + into.length - count);
      into.set(piece, count);
      count += piece.length;
      this.#done += piece.length;
      if (this.#done === chunk.length) {
        this.#chunks.shift();
        this.#done = 0;
      }
    }
    this.#queued -= count;
    this.#initial = Math.max(0, this.#initial - count);
    return count;
  }

  /** Once all was read and there is something again, reads all parts anew; that this fails does no harm. */
  precopyInfo(): PrecopyInfo | number {
    if (this.#state === 'error') return -ENODEV;
    const increment = this.#increment();
    if (increment < 0) return increment;
    if (this.#initial > 0) return { initialBytes: BigInt(this.#initial), dirtyBytes: 0n };
    const dirtyBytes = BigInt(this.#queued + increment);
    if (this.#queued === 0 && increment > 0) {
      const error = this.#queue();
      if (error < 0) return error;
    }
    return { initialBytes: 0n, dirtyBytes };
  }

  /** Bytes of all parts as they are now, or a negated errno; undefined once the session is over. */
  stateSize(): number | undefined {
    return this.#ended ? undefined : this.member.devPartsSize(this.object);
  }

  end(): void {
    this.#ended = true;
    this.#chunks.length = 0;
    this.member.destroyDevParts(this.object);
  }

  #increment(): number {
    if (this.clock.now - this.#askedAt < QUERY_INTERVAL_MS) return 0;
    this.#askedAt = this.clock.now;
    return this.member.devPartsSize(this.object);
  }

  /** Puts a record of all parts behind what is queued: 0, `-EINVAL` if there are none, what the device refuses with. */
  #queue(): number {
    const size = this.member.devPartsSize(this.object);
    if (size <= 0) return size < 0 ? size : -EINVAL;
    const parts = this.member.devParts(this.object);
    if (typeof parts === 'number') return parts;
    const header = encodeRecordHeader({ size: parts.length, flags: 0, tag: TAG_DEVICE_PARTS });
    this.#chunks.push(header, parts);
    this.#queued += header.length + parts.length;
    return 0;
  }
}
