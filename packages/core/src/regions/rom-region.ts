import {
  MemoryBlock,
  PCI_COMMAND,
  PCI_COMMAND_MEMORY,
  PCI_ROM_RESOURCE,
  type PciDevice,
  type RomImage,
} from '@vfiokit/pci';
import { EINVAL, ENOMEM, VFIO_REGION_INFO_FLAG_READ } from '@vfiokit/uapi';
import { roundUpToPowerOfTwo } from '../config/bars.js';
import { doIoRw } from './io.js';
import type { MemoryGate } from './memory-gate.js';
import { type Region, type RegionInfo, readByPread } from './region.js';
import type { UserBuffer } from './user-buffer.js';

/**
 * The expansion ROM, region 6: the function's own, the copy that the firmware left in RAM, or the image that it handed
 * over (vfio_pci_core.c: vfio_pci_ioctl_get_region_info, vfio_pci_rdwr.c: vfio_pci_bar_rw). Read-only.
 */
export class RomRegion implements Region {
  constructor(
    private readonly pdev: PciDevice,
    private readonly gate: MemoryGate,
  ) {}

  /** Looks for a valid image, with memory decoding on for the moment of it; a firmware's image is taken as it is. */
  info(): RegionInfo {
    const { pdev } = this;
    const resource = pdev.resources[PCI_ROM_RESOURCE]!;
    if (resource.start === 0n) return readable(this.#firmwareSize());
    const command = pdev.config.read(PCI_COMMAND, 2);
    if ((command & PCI_COMMAND_MEMORY) === 0)
      pdev.config.write(PCI_COMMAND, 2, command | PCI_COMMAND_MEMORY);
    const image = pdev.romMapping.map();
    if (image !== undefined) pdev.romMapping.unmap();
    pdev.config.write(PCI_COMMAND, 2, command);
    return readable(image === undefined ? 0 : resource.length);
  }

  read(offset: number, size: number): number {
    return readByPread(this, offset, size);
  }

  write(): number {
    return -EINVAL;
  }

  pread(into: UserBuffer, offset: number): number {
    const { pdev } = this;
    const resource = pdev.resources[PCI_ROM_RESOURCE]!;
    const end = resource.start !== 0n ? resource.length : this.#firmwareSize();
    if (offset >= end) return -EINVAL;
    const image = resource.start !== 0n ? pdev.romMapping.map() : firmwareImage(pdev);
    // Without memory decoding the image can't be seen either, which is why this is ENOMEM (quirk W18).
    if (image === undefined) return -ENOMEM;
    const window = {
      block: image.block,
      maxWidth: 4,
      holeStart: image.length,
      holeEnd: end,
      gate: resource.isMemory ? this.gate : undefined,
    } as const;
    const count = Math.min(into.length, end - offset);
    const result = doIoRw(window, into, offset, count, false);
    if (resource.start !== 0n) pdev.romMapping.unmap();
    return result;
  }

  pwrite(): number {
    return -EINVAL;
  }

  #firmwareSize(): number {
    const length = this.pdev.romImage?.length ?? 0;
    return length === 0 ? 0 : roundUpToPowerOfTwo(length);
  }
}

function readable(size: number): RegionInfo {
  return { size, flags: size === 0 ? 0 : VFIO_REGION_INFO_FLAG_READ, capabilities: [] };
}

function firmwareImage(pdev: PciDevice): RomImage | undefined {
  const { romImage } = pdev;
  return romImage && { block: new MemoryBlock(romImage), length: romImage.length };
}
