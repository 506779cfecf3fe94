// A capability set: the state of a device with four counters, which can be moved while it counts.
import { crc32 } from 'node:zlib';
import type { MigrationOps, MigrationStream } from '@vfiokit/core';
import { type MigrationState, VfioError } from '@vfiokit/uapi';

/** Bytes of registers. */
const STATE = 16;
/** A picture of them on its way: whether it is the last one, the registers, a sum of both. */
const PICTURE = 1 + STATE + 4;
const EARLY = 0;
const LAST = 1;

/** Carries out single arcs; the core walks the state machine and owns the data file. */
export class Counters implements MigrationOps {
  readonly support = { p2p: false, preCopy: true };
  /** What is still to be read. */
  #outgoing = new Uint8Array(0);
  /** What was written so far. */
  #incoming = new Uint8Array(0);

  constructor(private readonly registers: Uint8Array) {}

  arc(from: MigrationState, to: MigrationState): MigrationStream | undefined {
    switch (`${from} ${to}`) {
      case 'RUNNING PRE_COPY':
        return this.#save(EARLY);
      case 'STOP STOP_COPY':
        return this.#save(LAST);
      case 'PRE_COPY STOP_COPY':
        // The stream goes on with what the device was when it stopped.
        this.#outgoing = Uint8Array.of(...this.#outgoing, ...this.#picture(LAST));
        return undefined;
      case 'STOP RESUMING':
        this.#incoming = new Uint8Array(0);
        return { write: (from) => this.#take(from) };
      case 'RESUMING STOP':
        this.#load();
        return undefined;
      default:
        // Stopping, running, and the ways back from a move that is given up: counters need nothing for it.
        return undefined;
    }
  }

  dataSize(): bigint {
    return BigInt(PICTURE);
  }

  #save(kind: number): MigrationStream {
    const first = this.#picture(kind);
    this.#outgoing = first;
    return {
      read: (into) => {
        const part = this.#outgoing.subarray(0, into.length);
        into.set(part);
        this.#outgoing = this.#outgoing.subarray(part.length);
        return part.length;
      },
      precopyInfo: () => ({
        initialBytes: BigInt(this.#outgoing.length),
        dirtyBytes: BigInt(Buffer.compare(first, this.#picture(EARLY)) === 0 ? 0 : PICTURE),
      }),
    };
  }

  #picture(kind: number): Uint8Array<ArrayBuffer> {
    const bytes = Uint8Array.of(kind, ...this.registers.subarray(0, STATE), 0, 0, 0, 0);
    new DataView(bytes.buffer).setUint32(1 + STATE, sum(bytes), true);
    return bytes;
  }

  #take(bytes: Uint8Array): number {
    this.#incoming = Uint8Array.of(...this.#incoming, ...bytes);
    return bytes.length;
  }

  /** All of it has to be there, and right, before any of it counts; nothing at all is a move that was given up. */
  #load(): void {
    let last: Uint8Array | undefined;
    for (let at = 0; at < this.#incoming.length; at += PICTURE) {
      last = this.#incoming.slice(at, at + PICTURE);
      const said =
        last.length < PICTURE ? -1 : new DataView(last.buffer).getUint32(1 + STATE, true);
      if (said !== sum(last)) throw new VfioError('EINVAL', 'counters: not what was sent');
    }
    if (last !== undefined && last[0] !== LAST)
      throw new VfioError(
        'EINVAL',
        'counters: the source did not stop; its last picture is missing',
      );
    if (last !== undefined) this.registers.set(last.subarray(1, 1 + STATE));
  }
}

/** Of everything in front of the sum itself. */
const sum = (picture: Uint8Array) => crc32(picture.subarray(0, 1 + STATE));
