import type { ClpFunction, ClpFunctionGroup } from './clp.js';
import type { KvmZpciDevice } from './kvm-zpci.js';

const FH_ENABLED = 0x80000000;
/** Counts how often the function was enabled; firmware keeps stale handles from working that way. */
const FH_INSTANCE_SHIFT = 16;
const FH_INSTANCE_MASK = 0x7fff;
const MAX_MSI_MASK = 0xfff;
const MAX_STBL_MASK = 0x1fff;

/** A PCI function as s390 knows it beside the PCI core (struct zpci_dev). */
export class ZpciFunction {
  /** Bytes of the measurement block. */
  readonly fmbLength: number;
  readonly maxMsi: number;
  /** Bytes of the longest store block. */
  readonly maxstbl: number;
  /** The guest that the function is designated to, 0 for none: its interruption state area. */
  gisa = 0;
  /** What KVM keeps of it while a virtual machine has it. */
  kzdev: KvmZpciDevice | undefined;
  #fh: number;

  constructor(
    readonly clp: ClpFunction,
    readonly group: ClpFunctionGroup,
  ) {
    this.fmbLength = clp.fmbLength * 4;
    this.maxMsi = group.noi & MAX_MSI_MASK;
    this.maxstbl = group.maxstbl & MAX_STBL_MASK;
    this.#fh = clp.fh >>> 0;
  }

  /** The function handle as it is now. */
  get fh(): number {
    return this.#fh;
  }

  get enabled(): boolean {
    return this.#fh >= FH_ENABLED;
  }

  /** CLP set PCI function: disable. The handle loses its top bit. */
  disable(): void {
    this.#fh = this.#fh & ~FH_ENABLED & 0xffffffff;
  }

  /** CLP set PCI function: enable, for {@link gisa} if that is set. Nobody who kept the old handle reaches it any more. */
  enable(): void {
    if (this.enabled) return;
    const instance = ((this.#fh >>> FH_INSTANCE_SHIFT) + 1) & FH_INSTANCE_MASK;
    this.#fh = FH_ENABLED + instance * 2 ** FH_INSTANCE_SHIFT + (this.#fh & 0xffff);
  }
}
