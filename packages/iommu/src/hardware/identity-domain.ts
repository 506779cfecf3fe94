import type { UserMemory } from '@vfiokit/uapi';
import { DMA_WRITE, type DmaAccess, type DmaDomain, type DmaHit } from './dma.js';

/**
 * Bus addresses are physical addresses: a default domain of type `identity`, and what devices without an IOMMU do.
 *
 * @param memory the host's physical memory.
 */
export class IdentityDomain implements DmaDomain {
  readonly name = 'identity';

  constructor(private readonly memory: UserMemory) {}

  translate(iova: number, access: DmaAccess, hit: DmaHit): boolean {
    const mapping = this.memory.find(iova);
    if (mapping === undefined || (access === DMA_WRITE && !mapping.writable)) return false;
    hit.memory = mapping;
    hit.offset = iova - mapping.address;
    hit.length = mapping.size - hit.offset;
    return true;
  }
}
