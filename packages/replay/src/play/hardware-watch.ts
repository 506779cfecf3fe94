import {
  PCI_CAP_ID_MSI,
  PCI_MSI_ADDRESS_LO,
  PCI_MSI_DATA_32,
  PCI_MSI_DATA_64,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_64BIT,
  PCI_STATUS,
  PCI_STATUS_INTERRUPT,
  type PciDevice,
  powerStateName,
} from '@vfiokit/pci';
import type { LearnedMasks } from '../machine/learned-masks.js';
import type { Mismatch } from '../result/difference.js';
import type { ChangedBytes, Effects, HwSnapOp } from '../trace/trace.js';

/**
 * Follows the recorded hardware of one device: what its raw configuration space held after each operation.
 *
 * After an operation the model's bytes are compared with the recorded ones and then replaced by them, so that one
 * difference does not spread.
 */
export class HardwareWatch {
  /** Raw configuration space as recorded, up to now. */
  readonly recorded: Buffer;
  readonly #model: Buffer;
  /** The same as it was before the operation that is being played, of a function whose masks are learned. */
  readonly #before: Buffer;
  /** Ones in the bytes that the host allocates: message addresses and data. */
  readonly #hostBytes: Uint8Array;
  #powerState: string;
  #statesTold = '';

  constructor(
    readonly pdev: PciDevice,
    readonly index: number,
    powerState: string,
    private readonly hwKey: `hw${string}`,
    private readonly psKey: `ps${string}`,
    /** For a function that was not probed. */
    private readonly masks: LearnedMasks | undefined,
  ) {
    const { bytes } = pdev.function.config;
    this.#model = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.recorded = Buffer.from(this.#model);
    this.#before = Buffer.from(this.#model);
    this.#hostBytes = hostAllocated(pdev);
    this.#powerState = powerState;
  }

  /** Raw configuration space as it was recorded after an operation that is still to be followed. */
  after(op: Effects): Buffer {
    const bytes = Buffer.from(this.recorded);
    apply(op[this.hwKey], bytes);
    return bytes;
  }

  /** The operation has recorded anything of this device. */
  sampledIn(op: Effects): boolean {
    return op[this.hwKey] !== undefined || op[this.psKey] !== undefined;
  }

  /**
   * Takes over what an operation has recorded, then lets the interrupt pin follow: a device raises it by itself, and
   * STATUS shows it.
   */
  follow(op: Effects): void {
    if (this.masks !== undefined) this.recorded.copy(this.#before);
    apply(op[this.hwKey], this.recorded);
    const state = op[this.psKey];
    if (state !== undefined) this.#powerState = state;
    const pending = (this.recorded[PCI_STATUS]! & PCI_STATUS_INTERRUPT) !== 0;
    const { intx } = this.pdev.function;
    if (pending !== intx.pending) pending ? intx.assert() : intx.deassert();
  }

  /** Compares, then makes the model's hardware what was recorded. */
  compare(into: Mismatch[]): void {
    const state = powerStateName(this.pdev.currentState);
    const pair = `${this.#powerState} ${state}`;
    if (state === this.#powerState) this.#statesTold = '';
    else if (pair !== this.#statesTold) {
      // There is no way to set the model right, so the same difference is told once.
      this.#statesTold = pair;
      into.push({ aspect: 'ps', dev: this.index, recorded: this.#powerState, model: state });
    }
    if (this.#model.equals(this.recorded)) return;
    const offsets: number[] = [];
    for (let i = 0; i < this.recorded.length; i += 1)
      if (this.#model[i] !== this.recorded[i] && this.#hostBytes[i] === 0 && !this.#learns(i))
        offsets.push(i);
    if (offsets.length > 0)
      into.push({
        aspect: 'hw',
        dev: this.index,
        recorded: describeBytes(this.recorded, offsets),
        model: describeBytes(this.#model, offsets),
        offsets,
      });
    this.#adopt();
  }

  #learns(offset: number): boolean {
    const { recorded } = this;
    return (
      this.masks?.learn(offset, this.#before[offset]!, recorded[offset]!, this.#model[offset]!) ===
      true
    );
  }

  /** A look at all of the hardware. */
  snapshot({ hex, power_state }: HwSnapOp): void {
    this.recorded.fill(0);
    this.recorded.write(hex, 'hex');
    this.#powerState = power_state;
  }

  #adopt(): void {
    this.recorded.copy(this.#model);
    this.pdev.function.updateDecoding();
  }
}

function apply(changes: ChangedBytes | undefined, bytes: Buffer): void {
  for (const offset in changes) bytes.write(changes[offset]!, Number(offset), 'hex');
}

function hostAllocated(pdev: PciDevice): Uint8Array {
  const bytes = new Uint8Array(pdev.config.size);
  const msi = pdev.findCapability(PCI_CAP_ID_MSI);
  if (msi === 0) return bytes;
  const wide = (pdev.config.read(msi + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_64BIT) !== 0;
  const data = msi + (wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32);
  return bytes.fill(1, msi + PCI_MSI_ADDRESS_LO, data + 2);
}

/** Bytes at offsets in runs: `4: 06 04, 16: 00`. */
function describeBytes(bytes: Uint8Array, offsets: readonly number[]): string {
  const runs: string[] = [];
  let last = Number.NaN;
  for (const offset of offsets) {
    const byte = bytes[offset]!.toString(16).padStart(2, '0');
    if (offset === last + 1) runs[runs.length - 1] += ` ${byte}`;
    else runs.push(`0x${offset.toString(16)}: ${byte}`);
    last = offset;
  }
  return runs.join(', ');
}
