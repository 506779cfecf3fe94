import type { MigrationOps, MigrationStream } from '@vfiokit/core';
import { type MigrationState, VfioError } from '@vfiokit/uapi';
import { migrationCases } from '../src/contracts/migration.js';
import { describeMigration, type MigrationSubject } from '../src/index.js';
import { describeBroken, fail } from './broken.js';

const SIZE = 100;
const BEGINS: Readonly<Record<string, 'save' | 'resume'>> = {
  'STOP STOP_COPY': 'save',
  'RUNNING PRE_COPY': 'save',
  'RUNNING_P2P PRE_COPY_P2P': 'save',
  'STOP RESUMING': 'resume',
};

/**
 * A device whose state is 100 bytes, which travel with a sum of them behind, and once more when the device has stopped.
 * Each part of it can be broken.
 */
class ByteDevice implements MigrationOps {
  readonly support = { p2p: true, preCopy: true };
  /** Asks its hardware for something; a failure is an exception. */
  ask = () => {};
  bytes: Uint8Array = new Uint8Array(SIZE);
  #incoming = new Uint8Array(0);
  /** What is still to be read. */
  left: Uint8Array = new Uint8Array(0);

  arc(from: MigrationState, to: MigrationState): MigrationStream | undefined {
    this.ask();
    if (from === 'RESUMING') this.load(this.#incoming);
    switch (BEGINS[`${from} ${to}`]) {
      case 'save':
        this.left = this.frame();
        return {
          read: (into) => this.save(into),
          precopyInfo: () => ({ initialBytes: BigInt(this.left.length), dirtyBytes: 0n }),
        };
      case 'resume':
        this.#incoming = new Uint8Array(0);
        return { write: (from) => this.take(from) };
      default:
        if (to === 'STOP_COPY') this.finish();
        return undefined;
    }
  }

  /** The device stopped: what changed since. */
  finish(): void {
    this.left = Uint8Array.of(...this.left, ...this.frame());
  }

  frame(): Uint8Array {
    return Uint8Array.of(...this.bytes, sum(this.bytes));
  }

  dataSize(): bigint | number {
    return BigInt(SIZE);
  }

  save(into: Uint8Array): number {
    const piece = this.left.subarray(0, into.length);
    into.set(piece);
    this.left = this.left.subarray(piece.length);
    return piece.length;
  }

  take(bytes: Uint8Array): number {
    this.#incoming = Uint8Array.of(...this.#incoming, ...bytes);
    return bytes.length;
  }

  load(incoming: Uint8Array): void {
    const FRAME = SIZE + 1;
    if (incoming.length % FRAME !== 0)
      throw new VfioError('EINVAL', `${incoming.length} bytes came, of ${FRAME} each`);
    for (let at = 0; at < incoming.length; at += FRAME)
      if (sum(incoming.subarray(at, at + SIZE)) !== incoming[at + SIZE])
        throw new VfioError('EINVAL', 'not what was sent');
    // Nothing came: the move was given up.
    if (incoming.length > 0) this.bytes = incoming.slice(-FRAME, -1);
  }
}

function sum(bytes: Uint8Array): number {
  return bytes.reduce((all, byte) => (all + byte) & 0xff, 0);
}

function moving(broken: Partial<ByteDevice> = {}): MigrationSubject {
  const ops = Object.assign(new ByteDevice(), broken);
  return {
    ops,
    fill: () =>
      ops.bytes.forEach((_, at) => {
        ops.bytes[at] = 3 * at;
      }),
    snapshot: () => [...ops.bytes],
    failAfter(count) {
      let left = count;
      ops.ask = () => {
        left -= 1;
        if (left === -1) throw new VfioError('EIO', 'its hardware refuses');
      };
      return () => left < 0;
    },
  };
}

/** A device whose arcs do something else than they should. */
const arcing = (arc: (device: ByteDevice) => MigrationOps['arc']): MigrationSubject => {
  const device = new ByteDevice();
  return moving({ arc: arc(device) });
};

/** A device that loses its state when its hardware refuses. */
function losing(lose: (device: ByteDevice, from: MigrationState) => unknown): MigrationSubject {
  const subject = moving();
  const device = subject.ops as ByteDevice;
  const arc = device.arc.bind(device);
  device.arc = (from, to) => {
    try {
      return arc(from, to);
    } catch (error) {
      lose(device, from);
      throw error;
    }
  };
  return subject;
}

describeMigration('a device of bytes', moving);
describeMigration('a device of bytes that stops first', () =>
  moving({ support: { p2p: false, preCopy: false } }),
);

describeBroken('migration', migrationCases, {
  'carries out every arc of what it supports': () =>
    arcing((device) => (from, to) => (to === 'PRE_COPY_P2P' ? fail() : device.arc(from, to))),
  'hands out a stream on exactly the arcs that begin a transfer': () =>
    arcing((device) => (from, to) => device.arc(from, to) ?? {}),
  'gives streams the direction of their transfer': () =>
    arcing(() => () => ({ ready: () => true })),
  'moves its state to another device': () => moving({ load: () => {} }),
  'moves its state in single bytes just as well': () =>
    moving({ take: (bytes) => (bytes.length < 2 ? -22 : bytes.length) }),
  'moves what changed while it was copied as well': () => moving({ finish: () => {} }),
  'tells what there is to read while it runs': () =>
    arcing((device) => (from, to) => {
      const { precopyInfo: _, ...stream } = device.arc(from, to) ?? {};
      return stream;
    }),
  'keeps its state when a move is given up'() {
    const subject = moving();
    const ops = subject.ops as ByteDevice;
    const save = ops.save.bind(ops);
    ops.save = (into) => {
      const count = save(into);
      ops.bytes = new Uint8Array(SIZE);
      return count;
    };
    return subject;
  },
  'estimates its size in any state': () => moving({ dataSize: () => 100 }),
  'refuses a stream that is cut short, or lets it be completed later': () =>
    moving({ load: () => {} }),
  'keeps its own state or takes all of the new one when a stream is cut short anywhere': () =>
    moving({
      load(this: ByteDevice, incoming) {
        this.bytes = Uint8Array.of(...incoming, ...this.bytes).subarray(0, SIZE);
      },
    }),
  'notices every change of a stream': () =>
    moving({
      load(this: ByteDevice, incoming) {
        this.bytes = incoming.subarray(0, SIZE);
      },
    }),
  'keeps its own state when it refuses a stream'() {
    const subject = moving();
    const ops = subject.ops as ByteDevice;
    const load = ops.load.bind(ops);
    ops.load = (incoming) => {
      ops.bytes = incoming.subarray(0, SIZE);
      load(incoming);
    };
    return subject;
  },
  'is what it was at the source, and runs again, wherever something fails': () =>
    losing((device, from) => from !== 'RESUMING' && device.bytes.fill(0)),
  'keeps its own state or takes all of the new one at the target wherever something fails': () =>
    losing((device, from) => from === 'RESUMING' && device.bytes.fill(1)),
});
