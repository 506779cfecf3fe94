import { EAGAIN } from '@vfiokit/uapi';
import { MLX5_CMD_STAT } from '../commands.js';
import { imageSize, readImage, type Stretch, type VhcaMemory, writeImage } from './vhca-image.js';

const { OK, BAD_PARAM_ERR, BAD_RES_STATE_ERR, LIM_ERR } = MLX5_CMD_STAT;

/** Changes of the state are tracked in blocks of this many bytes. */
const BLOCK = 4096;
/** The first bytes of the state: a bit for every interrupt that is held back. */
const PENDING_BYTES = 8;

/** What leaves the device. */
export interface VhcaWires {
  /** Writes memory of the host. */
  dma?(iova: bigint, bytes: Uint8Array): void;
  interrupt?(vector: number): void;
}

export interface FakeVhcaOptions {
  readonly memory: VhcaMemory;
  readonly migratable?: boolean;
  readonly wires?: VhcaWires;
  /** Bytes of a chunk of an image, where the driver asks for chunks. */
  readonly chunkSize?: number;
}

/** What a SAVE is asked for. */
export interface SaveRequest {
  readonly incremental: boolean;
  readonly setTrack: boolean;
}

/** What a SAVE ended with. */
export interface SaveResult {
  readonly status: number;
  readonly imageSize: number;
  /** Bytes that the next chunk takes. */
  readonly nextSize: number;
}

/**
 * One virtual function inside the fake firmware: what it does while it runs, how it is stopped, saved and loaded.
 *
 * Rules are those that drivers rely on; what a real device does beyond them is not known here.
 */
export class FakeVhca {
  readonly memory: VhcaMemory;
  readonly migratable: boolean;
  /** Told of every write to the host's memory: page trackers. */
  readonly dmaListeners = new Set<(iova: bigint, length: number) => void>();
  initiatorSuspended = false;
  responderSuspended = false;
  /** Whether changes are tracked; `lost` once that failed. */
  tracking: 'off' | 'on' | 'lost' = 'off';
  /** The device was initialised anew since it was last saved. */
  initialised = false;
  readonly #wires: VhcaWires;
  readonly #chunkSize: number;
  readonly #dirty = new Set<number>();
  /** What the session has still to save, apart from what is dirty. */
  #left: readonly Stretch[] = [];
  /** The session's images come in chunks, as its first query asked. */
  #inChunks = false;

  constructor(options: FakeVhcaOptions) {
    this.memory = options.memory;
    this.migratable = options.migratable ?? true;
    this.#wires = options.wires ?? {};
    this.#chunkSize = options.chunkSize ?? 4 << 20;
  }

  // --- the running device ---

  /** Changes its own state; `-EAGAIN` while it is frozen. */
  change(offset: number, bytes: Uint8Array): number {
    if (this.responderSuspended) return -EAGAIN;
    this.#write(offset, bytes);
    return 0;
  }

  /** Writes memory of the host; `-EAGAIN` while it may not. */
  dma(iova: bigint, bytes: Uint8Array): number {
    if (this.initiatorSuspended) return -EAGAIN;
    this.#wires.dma?.(iova, bytes);
    for (const listener of this.dmaListeners) listener(iova, bytes.length);
    return 0;
  }

  /** Interrupts the host; while it may not, the interrupt becomes part of its state. */
  interrupt(vector: number): void {
    if (!this.initiatorSuspended) {
      this.#wires.interrupt?.(vector);
      return;
    }
    const at = vector >>> 3;
    const pending = this.#read(at, 1);
    pending[0]! |= 1 << (vector & 7);
    this.#write(at, pending);
  }

  /** Starts from scratch, as after a reset by its own driver: nothing that was saved of it is worth anything. */
  initialise(): void {
    this.initialised = true;
    this.#left = this.#everything();
    this.#dirty.clear();
  }

  // --- commands ---

  suspendInitiator(): number {
    if (this.initiatorSuspended) return BAD_RES_STATE_ERR;
    this.initiatorSuspended = true;
    return OK;
  }

  suspendResponder(): number {
    if (!this.initiatorSuspended || this.responderSuspended) return BAD_RES_STATE_ERR;
    this.responderSuspended = true;
    return OK;
  }

  resumeResponder(): number {
    if (!this.responderSuspended) return BAD_RES_STATE_ERR;
    this.responderSuspended = false;
    return OK;
  }

  resumeInitiator(): number {
    if (this.responderSuspended || !this.initiatorSuspended) return BAD_RES_STATE_ERR;
    this.initiatorSuspended = false;
    this.#raisePending();
    return OK;
  }

  /** Bytes that a SAVE would take, and that all of them would; undefined without tracking where only changes are asked for. */
  query(incremental: boolean, chunk: boolean): { required: number; total: number } | undefined {
    if (incremental && this.tracking === 'off') return undefined;
    if (!incremental) this.#inChunks = chunk;
    const total = imageSize(incremental ? this.#changes() : this.#everything());
    return { required: chunk ? Math.min(total, this.#chunkSize) : total, total };
  }

  save({ incremental, setTrack }: SaveRequest, into: Uint8Array): SaveResult {
    const refused = this.#refuseSave(incremental, setTrack);
    if (refused !== OK) return { status: refused, imageSize: 0, nextSize: 0 };
    if (this.#isCleanup(incremental, setTrack)) return this.#cleanUp();
    const stretches = incremental ? this.#changes() : this.#everything();
    if (!this.#inChunks && imageSize(stretches) > into.length)
      return { status: LIM_ERR, imageSize: 0, nextSize: 0 };
    const { length, left } = writeImage(this.memory, stretches, into);
    this.#dirty.clear();
    this.#left = left;
    this.initialised = false;
    const nextSize = Math.min(imageSize(left), this.#chunkSize);
    // Chunks of a stopped device are saved as changes, so tracking goes on until the last one.
    if (setTrack) this.tracking = 'on';
    else if (nextSize === 0) this.tracking = 'off';
    else if (this.tracking === 'off') this.tracking = 'on';
    return { status: OK, imageSize: length, nextSize };
  }

  load(image: Uint8Array): number {
    if (!this.responderSuspended) return BAD_RES_STATE_ERR;
    return readImage(this.memory, image) ? OK : BAD_PARAM_ERR;
  }

  #refuseSave(incremental: boolean, setTrack: boolean): number {
    if (incremental && this.tracking !== 'on') return BAD_RES_STATE_ERR;
    if (setTrack) return this.responderSuspended ? BAD_RES_STATE_ERR : OK;
    // The last image is that of a stopped device; one that still runs is only let go of.
    if (this.responderSuspended || this.#isCleanup(incremental, setTrack)) return OK;
    return BAD_RES_STATE_ERR;
  }

  /** Nobody wants to have the device after all. */
  #isCleanup(incremental: boolean, setTrack: boolean): boolean {
    return !incremental && !setTrack && !this.responderSuspended && this.tracking !== 'off';
  }

  #cleanUp(): SaveResult {
    this.tracking = 'off';
    this.#left = [];
    this.#dirty.clear();
    return { status: OK, imageSize: 0, nextSize: 0 };
  }

  #everything(): readonly Stretch[] {
    return [{ from: 0, to: this.memory.size }];
  }

  /** What is left of the session, and what changed, as few stretches as can be. */
  #changes(): readonly Stretch[] {
    const blocks = [...this.#dirty].sort((a, b) => a - b);
    const stretches: { from: number; to: number }[] = [];
    for (const block of blocks) {
      const [from, to] = [block * BLOCK, Math.min((block + 1) * BLOCK, this.memory.size)];
      const last = stretches.at(-1);
      if (last?.to === from) last.to = to;
      else stretches.push({ from, to });
    }
    return [...this.#left, ...stretches];
  }

  #raisePending(): void {
    const pending = this.#read(0, PENDING_BYTES);
    if (pending.every((byte) => byte === 0)) return;
    this.#write(0, new Uint8Array(PENDING_BYTES));
    for (let vector = 0; vector < 8 * PENDING_BYTES; vector += 1)
      if ((pending[vector >>> 3]! & (1 << (vector & 7))) !== 0) this.#wires.interrupt?.(vector);
  }

  #read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.memory.read(offset, bytes);
    return bytes;
  }

  #write(offset: number, bytes: Uint8Array): void {
    this.memory.write(offset, bytes);
    const last = Math.floor((offset + bytes.length - 1) / BLOCK);
    for (let block = Math.floor(offset / BLOCK); block <= last; block += 1) this.#dirty.add(block);
  }
}
