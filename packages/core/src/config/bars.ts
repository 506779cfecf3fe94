import {
  type ConfigAccess,
  PCI_BASE_ADDRESS_0,
  PCI_BASE_ADDRESS_5,
  PCI_BASE_ADDRESS_MEM_PREFETCH,
  PCI_BASE_ADDRESS_MEM_TYPE_64,
  PCI_BASE_ADDRESS_SPACE_IO,
  PCI_ROM_ADDRESS,
  PCI_ROM_ADDRESS_ENABLE,
  PCI_ROM_RESOURCE,
  type PciResource,
} from '@vfiokit/pci';
import type { RegisterHook } from './config-owner.js';

/** What {@link BaseAddressRegisters} shows the sizes of. */
export interface BarsOptions {
  readonly vconfig: Uint8Array;
  /** BAR 0 to 5 and the ROM, as the host assigned them. */
  readonly resources: readonly PciResource[];
  /** Bytes of the ROM image that the firmware handed over; 0 for none. */
  readonly firmwareRomSize: number;
  /** Looks at the resource's kind before it takes bit 2 of an I/O BAR for a 64-bit mark (sane side of quirk W6). */
  readonly checkKind: boolean;
}

/**
 * The base address registers: storage that shows sizes. Writes stay in the virtual copy, and the first read after one
 * cuts the copy down to what hardware of this size would show (vfio_pci_config.c: vfio_bar_fixup).
 */
export class BaseAddressRegisters implements RegisterHook {
  /** Something was written, or nothing was read yet. */
  #dirty = true;
  readonly #o: BarsOptions;
  readonly #view: DataView;

  constructor(options: BarsOptions) {
    this.#o = options;
    this.#view = new DataView(options.vconfig.buffer, options.vconfig.byteOffset);
  }

  reads(position: number): boolean {
    return (
      (position >= PCI_BASE_ADDRESS_0 && position <= PCI_BASE_ADDRESS_5) ||
      position === PCI_ROM_ADDRESS
    );
  }

  read(position: number, size: number, plain: ConfigAccess): number {
    if (this.#dirty) this.#fixUp();
    return plain.read(position, size);
  }

  writes(position: number): boolean {
    return this.reads(position);
  }

  write(position: number, size: number, value: number, plain: ConfigAccess): number {
    this.#dirty = true;
    return plain.write(position, size, value);
  }

  #fixUp(): void {
    const { resources, checkKind } = this.#o;
    for (let bar = 0; bar < 6; bar += 1) {
      const resource = resources[bar]!;
      const at = PCI_BASE_ADDRESS_0 + 4 * bar;
      if (resource.start === 0n) {
        this.#view.setUint32(at, 0, true);
        continue;
      }
      const flags = barFlags(resource);
      const value = ((this.#view.getUint32(at, true) & lowMask(resource.length)) | flags) >>> 0;
      this.#view.setUint32(at, value, true);
      const takesNext =
        (value & PCI_BASE_ADDRESS_MEM_TYPE_64) !== 0 && !(checkKind && resource.isIo);
      if (takesNext) {
        bar += 1;
        const upper = PCI_BASE_ADDRESS_0 + 4 * bar;
        this.#view.setUint32(
          upper,
          this.#view.getUint32(upper, true) & highMask(resource.length),
          true,
        );
      }
    }
    this.#view.setUint32(PCI_ROM_ADDRESS, this.#romValue(), true);
    this.#dirty = false;
  }

  #romValue(): number {
    const rom = this.#o.resources[PCI_ROM_RESOURCE]!;
    const value = this.#view.getUint32(PCI_ROM_ADDRESS, true);
    if (rom.start !== 0n) return value & (lowMask(rom.length) | PCI_ROM_ADDRESS_ENABLE);
    const size = this.#o.firmwareRomSize;
    return size === 0 ? 0 : value & (lowMask(roundUpToPowerOfTwo(size)) | PCI_ROM_ADDRESS_ENABLE);
  }
}

/** The type bits of a BAR. The kernel reports no memory below 1 MiB (vfio_pci_config.c: vfio_generate_bar_flags). */
function barFlags(resource: PciResource): number {
  if (resource.isIo) return PCI_BASE_ADDRESS_SPACE_IO;
  return (
    (resource.isPrefetchable ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0) |
    (resource.is64Bit ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0)
  );
}

/** ~(length - 1), its low and its high 32 bits; lengths are exact below 2^53, and ~ takes their low 32 bits. */
function lowMask(length: number): number {
  return ~(length - 1);
}

function highMask(length: number): number {
  return ~Math.floor((length - 1) / 2 ** 32);
}

/** The smallest power of two that is not below `value`. */
export function roundUpToPowerOfTwo(value: number): number {
  let power = 1;
  while (power < value) power *= 2;
  return power;
}
