import { EBUSY, EINVAL, EPERM, EPROBE_DEFER, UserMemory } from '@vfiokit/uapi';
import type { AddressRange } from '../address/address.js';
import { IovaRanges } from '../address/iova-ranges.js';
import { BLOCKING_DOMAIN, type DmaDomain, DmaPort } from '../hardware/dma.js';
import { IdentityDomain } from '../hardware/identity-domain.js';
import type { Iommu } from '../hardware/iommu.js';
import { type ReservedRegion, regionRange } from './reserved-region.js';

/** What makes an IOMMU group. */
export interface IommuGroupOptions {
  readonly id: number;
  /** The IOMMU behind which it is; `undefined` for the groups that VFIO makes itself (emulated devices, noiommu). */
  readonly iommu?: Iommu;
  /** /sys/kernel/iommu_groups/N/type: the kind of the default domain. */
  readonly type?: string;
  readonly reserved?: readonly ReservedRegion[];
  /** A name that VFIO gives, such as `vfio-noiommu`. */
  readonly name?: string;
  /** What the host's own drivers use; the identity over no memory unless told. `null`: not made yet. */
  readonly defaultDomain?: DmaDomain | null;
}

/**
 * Functions that the IOMMU cannot tell apart, and who owns their DMA (iommu.c: struct iommu_group).
 *
 * One count answers two questions: without an owner it counts host drivers, with one its claims. A group is viable for
 * user space while the count is 0.
 */
export class IommuGroup {
  readonly id: number;
  readonly name: string | undefined;
  readonly type: string | undefined;
  readonly iommu: Iommu | undefined;
  readonly reserved: readonly ReservedRegion[];
  /** Through this the group's devices do DMA. */
  readonly dma: DmaPort;
  /** Names of the devices in it. */
  readonly members = new Set<string>();
  /** The host drivers that use it, for messages: `0000:00:02.1 (i915)`. */
  readonly holders: string[] = [];
  #owner: object | undefined;
  #count = 0;
  #defaultDomain: DmaDomain | null;
  #domain: DmaDomain | null;
  readonly #pasids = new Map<number, DmaDomain>();

  constructor(options: IommuGroupOptions) {
    this.id = options.id;
    this.name = options.name;
    this.type = options.type;
    this.iommu = options.iommu;
    this.reserved = options.reserved ?? [];
    this.#defaultDomain =
      options.defaultDomain === undefined
        ? new IdentityDomain(new UserMemory())
        : options.defaultDomain;
    this.#domain = this.#defaultDomain;
    this.dma = new DmaPort(() => this.domain);
  }

  /** Where nobody may map: the reserved regions but those that can be relaxed. */
  get forbidden(): readonly AddressRange[] {
    return this.reserved.filter(({ type }) => type !== 'direct-relaxable').map(regionRange);
  }

  /** Where something can be mapped for it: what its IOMMU reaches, without what is forbidden. */
  get usable(): IovaRanges {
    const reach = new IovaRanges(this.iommu ? [this.iommu.aperture] : []);
    return this.forbidden.reduce((ranges, region) => ranges.without(region), reach);
  }

  /** What the devices do DMA through now. */
  get domain(): DmaDomain {
    return this.#domain ?? BLOCKING_DOMAIN;
  }

  /** Somebody, host driver or user, owns the group's DMA: it is not viable for others (iommu_group_dma_owner_claimed). */
  get ownerClaimed(): boolean {
    return this.#count !== 0;
  }

  /** The user who owns it. */
  get owner(): object | undefined {
    return this.#owner;
  }

  /** The host has decided on a default domain. */
  setDefaultDomain(domain: DmaDomain): void {
    if (this.#domain === this.#defaultDomain) this.#domain = domain;
    this.#defaultDomain = domain;
  }

  /**
   * An ordinary driver binds to a member (iommu.c: iommu_device_use_default_domain).
   *
   * @param holder who it is, for messages.
   * @returns 0, `-EPROBE_DEFER` before there is a default domain, `-EBUSY` while a user owns the group.
   */
  useDefaultDomain(holder: string): number {
    if (this.#defaultDomain === null) return -EPROBE_DEFER;
    if (this.#count > 0 && (this.#owner !== undefined || !this.#isDefault)) return -EBUSY;
    this.holders.push(holder);
    this.#count += 1;
    return 0;
  }

  /** The driver has unbound. */
  unuseDefaultDomain(holder: string): void {
    const index = this.holders.indexOf(holder);
    if (index === -1) return;
    this.holders.splice(index, 1);
    this.#count -= 1;
  }

  /**
   * A user takes the whole group; its DMA is blocked until something is attached (iommu.c: iommu_group_claim_dma_owner).
   *
   * @returns 0, `-EINVAL` without an owner, `-EPERM` if anybody has it, `-EBUSY` if a foreign domain is attached.
   */
  claim(owner: object | undefined): number {
    if (owner === undefined) return -EINVAL;
    if (this.#count !== 0) return -EPERM;
    if (!this.#isDefault) return -EBUSY;
    this.#domain = BLOCKING_DOMAIN;
    this.#owner = owner;
    this.#count = 1;
    return 0;
  }

  /** The user lets go (iommu_group_release_dma_owner). */
  release(): void {
    this.#count = 0;
    this.#owner = undefined;
    this.#pasids.clear();
    this.#domain = this.#defaultDomain;
  }

  /** One device's user takes the group; the same user may for each of its devices (iommu_device_claim_dma_owner). */
  claimDevice(owner: object | undefined): number {
    if (owner === undefined) return -EINVAL;
    if (this.#count === 0) return this.claim(owner);
    if (this.#owner !== owner) return -EPERM;
    this.#count += 1;
    return 0;
  }

  /** The opposite; the last one gives the group back (iommu_device_release_dma_owner). */
  releaseDevice(): void {
    if (this.#count > 1) this.#count -= 1;
    else this.release();
  }

  /** Sends the DMA of an owned group through a domain; the blocking one if none is given. */
  attach(domain: DmaDomain = BLOCKING_DOMAIN): void {
    this.#domain = domain;
  }

  /** The domain of requests with a PASID. */
  pasidDomain(pasid: number): DmaDomain | undefined {
    return this.#pasids.get(pasid);
  }

  /** Sends requests with a PASID through a domain, or through none. */
  attachPasid(pasid: number, domain: DmaDomain | undefined): void {
    if (domain === undefined) this.#pasids.delete(pasid);
    else this.#pasids.set(pasid, domain);
  }

  get #isDefault(): boolean {
    return this.#domain === this.#defaultDomain && this.#pasids.size === 0;
  }
}
