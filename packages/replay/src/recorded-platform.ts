import { type ConfigAccess, ConfigSpace, type PciDevice, type PciPlatform } from '@vfiokit/pci';
import { EBUSY, ENOMEM, ENOSPC, ENOTTY } from '@vfiokit/uapi';
import { LearnedMasks } from './learned-masks.js';
import type { IoctlOp, TraceOp } from './trace.js';

const INTX = 0;

/**
 * The recorded machine's answers to what neither the model nor the function can know. They are read from the result of
 * the operation that is being played, and only where such a result can come from the machine: whether there were
 * interrupt vectors, whether an interrupt line was free, whether a link came back after a bus reset.
 */
export class RecordedPlatform implements PciPlatform {
  /** What is being played. */
  op: TraceOp | undefined;
  /** Functions that a driver is being taken from: whoever does that holds the device lock. */
  readonly unbinding = new Set<PciDevice>();
  /** The configuration accesses of functions that were not probed, by address. */
  readonly masks = new Map<string, LearnedMasks>();
  /** Answers that were taken from the record. */
  answers = 0;
  #linkStaysDown = false;

  /** @param unprobed addresses of functions whose masks are to be learned. */
  constructor(private readonly unprobed: ReadonlySet<string>) {}

  configAccess(config: ConfigAccess, name: string): ConfigAccess {
    if (!this.unprobed.has(name) || !(config instanceof ConfigSpace)) return config;
    const masks = new LearnedMasks(config);
    this.masks.set(name, masks);
    return masks;
  }

  lockHeld(device: PciDevice): boolean {
    return this.unbinding.has(device);
  }

  vectorsAvailable(_device: PciDevice, _kind: 'msi' | 'msix', wanted: number): number {
    const ret = this.#result('SET_IRQS');
    if (ret === undefined || (ret > 0 && ret >= wanted)) return wanted;
    if (ret <= 0 && ret !== -ENOSPC && ret !== -ENOMEM) return wanted;
    this.answers += 1;
    return ret;
  }

  requestIrq(): number {
    if (this.#result('SET_IRQS') !== -EBUSY || (this.op as IoctlOp).index !== INTX) return 0;
    this.answers += 1;
    return -EBUSY;
  }

  secondaryBusReset(): number {
    const ret = this.#result('PCI_HOT_RESET') ?? this.#result('RESET');
    // A link that did not come back once never does; one that did may be asked again.
    if (ret === -ENOTTY) this.#linkStaysDown = true;
    else if (ret === 0) this.#linkStaysDown = false;
    if (!this.#linkStaysDown) return 0;
    this.answers += 1;
    return -ENOTTY;
  }

  #result(command: string): number | undefined {
    const { op } = this;
    if (op?.op !== 'ioctl' || op.cmd !== command || typeof op.ret !== 'number') return undefined;
    return op.ret;
  }
}
