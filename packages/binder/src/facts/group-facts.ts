import type { DeviceFacts } from './device-facts.js';
import type { HostFacts } from './host-facts.js';

/** Drivers that leave DMA of the group to its user although they are no VFIO drivers (driver_managed_dma). */
const MANAGED_DMA: ReadonlySet<string> = new Set(['pcieport', 'pci-stub', 'vfio-pci']);

/** What a member does to the viability of its group. */
export type ViabilityEffect =
  /** Bound to nothing, or to something that leaves DMA alone. */
  | 'harmless'
  /** An ordinary driver: no user can have the group. */
  | 'offender'
  /** Nobody could see what it is bound to. */
  | 'unknown';

export interface GroupMember {
  readonly device: DeviceFacts;
  readonly effect: ViabilityEffect;
}

/** An IOMMU group as viability sees it. */
export interface GroupFacts {
  readonly number: string;
  readonly members: readonly GroupMember[];
  /** Whether a user could claim it now; undefined where that could not be seen. */
  readonly viable: boolean | undefined;
}

/**
 * Whether a driver leaves DMA of its group to a user. A VFIO device is the proof that it does; of other drivers only three
 * are known to (iommu.c: iommu_device_use_default_domain).
 */
export function leavesDmaToUsers(driver: string, providesVfio: boolean): boolean {
  return providesVfio || MANAGED_DMA.has(driver);
}

/** What a device does to its group. */
export function viabilityEffect({ driver, vfioDevices }: DeviceFacts): ViabilityEffect {
  if (driver.value === undefined) return 'unknown';
  if (driver.value === null) return 'harmless';
  return leavesDmaToUsers(driver.value, vfioDevices.length > 0) ? 'harmless' : 'offender';
}

/** The group of a device; undefined if it is in none, or if nobody knows. */
export function groupOf(host: HostFacts, device: DeviceFacts): GroupFacts | undefined {
  const number = device.group.value;
  if (number === undefined || number === null) return undefined;
  const members = (host.groups.get(number) ?? [device.name]).map((name) => {
    const member = host.devices.get(name)!;
    return { device: member, effect: viabilityEffect(member) };
  });
  const effects = new Set(members.map(({ effect }) => effect));
  if (effects.has('offender')) return { number, members, viable: false };
  return { number, members, viable: effects.has('unknown') ? undefined : true };
}
