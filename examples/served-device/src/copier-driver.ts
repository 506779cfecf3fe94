// The VFIO driver of the copier: all it adds to plain vfio-pci is that the device's state can be moved.
import {
  MIGRATION,
  type MigrationOps,
  type MigrationStream,
  type VfioPciDriver,
} from '@vfiokit/core';
import { VfioError } from '@vfiokit/uapi';

/** Moves pieces of state, such as registers and memory, one behind the other. */
class StateMover implements MigrationOps {
  readonly support = { p2p: false, preCopy: false };
  readonly #size: number;
  #incoming: Uint8Array[] = [];

  constructor(private readonly state: readonly Uint8Array[]) {
    this.#size = state.reduce((sum, piece) => sum + piece.length, 0);
  }

  arc(from: string, to: string): MigrationStream | undefined {
    if (to === 'STOP_COPY') return this.#save();
    if (to === 'RESUMING') {
      this.#incoming = [];
      return { write: (bytes) => this.#incoming.push(bytes.slice()) && bytes.length };
    }
    if (from === 'RESUMING') this.#load();
    return undefined;
  }

  dataSize(): bigint {
    return BigInt(this.#size);
  }

  #save(): MigrationStream {
    let left: Uint8Array = Buffer.concat(this.state);
    return {
      read(into) {
        const part = left.subarray(0, into.length);
        into.set(part);
        left = left.subarray(part.length);
        return part.length;
      },
    };
  }

  #load(): void {
    let left: Uint8Array = Buffer.concat(this.#incoming);
    if (left.length !== this.#size)
      throw new VfioError('EINVAL', `copier: ${left.length} of ${this.#size} bytes arrived`);
    for (const piece of this.state) {
      piece.set(left.subarray(0, piece.length));
      left = left.subarray(piece.length);
    }
  }
}

/** A driver for one copier, whose state it knows. */
export const copierDriver = (state: readonly Uint8Array[]): VfioPciDriver => ({
  name: 'copier-vfio-pci',
  ids: [{ vendor: 0x1234, device: 0x0c09 }],
  probe: (_pdev, container) => container.register(MIGRATION, { useValue: new StateMover(state) }),
});
