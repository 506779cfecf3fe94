import { romRegister } from '../silicon/base-address.js';
import { MemoryBlock, OpenBus, type RegisterBlock } from '../silicon/register-block.js';
import type { PciDevice } from './pci-device.js';
import { IORESOURCE_ROM_ENABLE, PCI_ROM_RESOURCE } from './pci-resource.js';
import { disableRom, enableRom, type RomImage, romImageLength } from './rom-image.js';

/** Access to the expansion ROM in resource 6, which decodes addresses only meanwhile (pci_map_rom, pci_unmap_rom). */
export class RomMapping {
  readonly #register: number;
  readonly #shadow: RegisterBlock | undefined;

  constructor(
    private readonly device: PciDevice,
    shadow: Uint8Array | undefined,
  ) {
    this.#register = romRegister(device.function.config.bytes);
    this.#shadow = shadow && new MemoryBlock(shadow);
  }

  /** Turns the ROM on and looks for images; undefined, with the ROM off again, if there is no valid one. */
  map(): RomImage | undefined {
    const resource = this.device.resources[PCI_ROM_RESOURCE]!;
    if (resource.start === 0n || resource.length === 0) return undefined;
    if (this.#shadow === undefined) enableRom(this.device.config, this.#register, resource.start);
    const block = this.#shadow ?? this.device.function.rom ?? new OpenBus();
    const length = romImageLength(block, resource.length);
    if (length !== 0) return { block, length };
    this.unmap();
    return undefined;
  }

  /** Turns the ROM off, unless the machine keeps it on. */
  unmap(): void {
    const { flags } = this.device.resources[PCI_ROM_RESOURCE]!;
    if (this.#shadow === undefined && (flags & IORESOURCE_ROM_ENABLE) === 0)
      disableRom(this.device.config, this.#register);
  }
}
