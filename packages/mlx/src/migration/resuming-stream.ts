import { type MigrationStream, RecordReader } from '@vfiokit/core';
import { ENODEV, VfioError } from '@vfiokit/uapi';
import { BufferPool } from './buffers.js';
import { TAG_FW_DATA, TAG_STOP_COPY_SIZE } from './stream-format.js';
import type { Vhca, VhcaBuffer } from './vhca.js';

const MAX_LOAD_SIZE = 2n ** 32n - 1n;

/** A VF's state on its way in: every image is loaded as soon as it is complete (mlx5/main.c: mlx5vf_resume_write). */
export class ResumingStream implements MigrationStream {
  readonly #pool: BufferPool;
  /** As the source advised. */
  #preparedSize = 0;
  #image: VhcaBuffer | undefined;
  #failed = false;
  readonly #reader = new RecordReader({
    [TAG_FW_DATA]: {
      room: (size) => this.#roomForImage(size),
      complete: (image) => this.vhca.load(this.#image!, image.length),
    },
    [TAG_STOP_COPY_SIZE]: {
      room: (size) => new Uint8Array(Math.max(size, 8)),
      complete: (record) => this.#prepare(record),
    },
  });

  private constructor(private readonly vhca: Vhca) {
    this.#pool = new BufferPool(vhca);
  }

  /** @throws VfioError what the firmware refuses with. */
  static begin(name: string, vhca: Vhca): ResumingStream {
    const stream = new ResumingStream(vhca);
    const error = stream.#pool.open();
    if (error < 0) throw VfioError.fromErrno(error, `${name}: its state can't be loaded`);
    return stream;
  }

  /** The device can't be loaded any more; writes say so. */
  fail(): void {
    this.#failed = true;
  }

  write(from: Uint8Array): number {
    return this.#failed ? -ENODEV : this.#reader.write(from);
  }

  end(): void {
    this.#pool.close();
  }

  #prepare(record: Uint8Array): number {
    const size = new DataView(record.buffer, record.byteOffset, 8).getBigUint64(0, true);
    this.#preparedSize = Number(size < MAX_LOAD_SIZE ? size : MAX_LOAD_SIZE);
    return 0;
  }

  #roomForImage(size: number): Uint8Array | number {
    if (this.#image === undefined || this.#image.memory.length < size) {
      if (this.#image !== undefined) this.#pool.give(this.#image);
      const image = this.#pool.take(Math.max(size, this.#preparedSize));
      if (typeof image === 'number') return image;
      this.#image = image;
    }
    return this.#image.memory;
  }
}
