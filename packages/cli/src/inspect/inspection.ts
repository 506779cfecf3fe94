import { DeviceFile } from '@vfiokit/core';
import { capabilityName, extendedCapabilityName, type PciDevice } from '@vfiokit/pci';
import {
  DeviceClient,
  featureName,
  type Process,
  pciIrqName,
  pciRegionName,
  type RegionInfo,
  regionTypeName,
  VFIO_DEVICE_FEATURE_GET,
  VFIO_DEVICE_FEATURE_SET,
  VFIO_PCI_CONFIG_REGION_INDEX,
  type VfioDevice,
} from '@vfiokit/uapi';
import {
  deviceCapability,
  type InfoCapabilityReport,
  regionCapabilityNotes,
} from './capability-text.js';
import type { Difference } from './comparison.js';

/** A region as a user of the device sees it. */
export interface RegionReport {
  readonly index: number;
  readonly name: string;
  readonly size: number;
  readonly position: number;
  readonly access: readonly ('read' | 'write' | 'mmap')[];
  /** What its capabilities say. */
  readonly notes: readonly string[];
}

/** An interrupt index. */
export interface InterruptReport {
  readonly index: number;
  readonly name: string;
  readonly count: number;
  readonly properties: readonly string[];
}

/** A capability that the hardware shows. */
export interface CapabilityReport {
  readonly at: number;
  readonly id: number;
  readonly name: string;
  readonly extended: boolean;
  /** `hidden`: the user does not see it. `anchor`: hidden, but it has to head the list. */
  readonly visibility: 'visible' | 'hidden' | 'anchor';
  /** Bytes that are served by its own rules. */
  readonly length: number;
}

/** A run of configuration bytes with one owner. */
export interface OwnedBytes {
  readonly from: number;
  /** The byte after the last. */
  readonly to: number;
  /** A capability, `header`, `raw` for what no visible capability owns, or what a driver calls it. */
  readonly owner: string;
}

/** Configuration space three times: as it is, as the user sees it, and who answers. One number a byte. */
export interface ConfigReport {
  readonly size: number;
  readonly raw: readonly number[];
  readonly virtual: readonly number[];
  readonly owners: readonly OwnedBytes[];
  /** Bits that the kernel answers instead of the hardware. */
  readonly virtualBits: readonly number[];
  /** Bits that a user can write. */
  readonly writableBits: readonly number[];
}

/** Everything that user space can learn of a device by opening it, and what is behind it. */
export interface Inspection {
  readonly name: string;
  readonly vendor: number;
  readonly device: number;
  readonly class: number;
  readonly revision: number;
  readonly driver: string;
  /** The IOMMU group's number; null for a function in none, undefined where a file does not tell. */
  readonly group: number | null | undefined;
  readonly resettable: boolean;
  readonly infoCapabilities: readonly InfoCapabilityReport[];
  readonly regions: readonly RegionReport[];
  readonly interrupts: readonly InterruptReport[];
  readonly features: readonly string[];
  readonly capabilities: readonly CapabilityReport[];
  readonly config: ConfigReport;
  /** What its driver and the extensions of its machine bring, beside vfio-pci-core alone; absent where nobody compared. */
  readonly brings?: readonly Difference[];
}

const FLAG_RESET = 0x1;
const REGION_ACCESS = [
  [0x1, 'read'],
  [0x2, 'write'],
  [0x4, 'mmap'],
] as const;
const IRQ_PROPERTIES = [
  [0x1, 'eventfd'],
  [0x2, 'maskable'],
  [0x4, 'masks itself'],
  [0x8, 'fixed size'],
] as const;
/** Features that the kernel knows: 0 to 12. */
const FEATURES = Array.from({ length: 13 }, (_, feature) => feature);

/** Asks an open device for everything that it tells its user. */
export function inspectDevice(device: VfioDevice, process: Process): Inspection {
  if (!(device instanceof DeviceFile))
    throw new TypeError(`${device.name}: opened by something else than the core`);
  const { pdev, driver, iommuGroup } = device.core;
  using client = new DeviceClient(device, process);
  const info = client.info();
  return {
    name: device.name,
    vendor: pdev.vendor,
    device: pdev.device,
    class: pdev.class,
    revision: pdev.revision,
    driver,
    group: iommuGroup?.id ?? null,
    resettable: (info.flags & FLAG_RESET) !== 0,
    infoCapabilities: info.capabilities.map(deviceCapability),
    regions: Array.from({ length: info.numRegions }, (_, index) => inspectRegion(client, index)),
    interrupts: Array.from({ length: info.numIrqs }, (_, index) => inspectInterrupt(client, index)),
    features: FEATURES.flatMap((feature) => inspectFeature(client, feature)),
    capabilities: device.open.config.capabilities.map(
      ({ position, id, extended, visibility, length }) => ({
        at: position,
        id,
        name: extended ? extendedCapabilityName(id) : capabilityName(id),
        extended,
        visibility,
        length,
      }),
    ),
    config: inspectConfig(client, device, pdev),
  };
}

function inspectRegion(client: DeviceClient, index: number): RegionReport {
  const info = optional(() => client.regionInfo(index));
  const name = pciRegionName(index);
  if (info === undefined)
    return { index, name, size: 0, position: 0, access: [], notes: ['not offered'] };
  return {
    index,
    name,
    size: info.size,
    position: info.position,
    access: REGION_ACCESS.flatMap(([bit, word]) => ((info.flags & bit) === 0 ? [] : [word])),
    notes: regionNotes(info),
  };
}

function regionNotes({ type, msixMappable, sparseMmap, capabilities }: RegionInfo): string[] {
  const hex = (value: bigint) => `0x${value.toString(16)}`;
  return [
    ...(type === undefined ? [] : [regionTypeName(type.type, type.subtype)]),
    ...regionCapabilityNotes(capabilities),
    ...(msixMappable ? ['MSI-X table can be mapped'] : []),
    ...(sparseMmap ?? []).map(
      ({ offset, size }) => `mappable ${hex(offset)}-${hex(offset + size - 1n)}`,
    ),
  ];
}

function inspectInterrupt(client: DeviceClient, index: number): InterruptReport {
  const info = optional(() => client.irqInfo(index));
  const name = pciIrqName(index);
  if (info === undefined) return { index, name, count: 0, properties: ['not offered'] };
  return {
    index,
    name,
    count: info.count,
    properties: IRQ_PROPERTIES.flatMap(([bit, word]) => ((info.flags & bit) === 0 ? [] : [word])),
  };
}

function inspectFeature(client: DeviceClient, feature: number): string[] {
  const can = [
    ...(client.probeFeature(feature, VFIO_DEVICE_FEATURE_GET) ? ['get'] : []),
    ...(client.probeFeature(feature, VFIO_DEVICE_FEATURE_SET) ? ['set'] : []),
  ];
  const name = featureName(feature).replace(/^VFIO_DEVICE_FEATURE_/, '');
  return can.length === 0 ? [] : [`${name} (${can.join(', ')})`];
}

function inspectConfig(client: DeviceClient, device: DeviceFile, pdev: PciDevice): ConfigReport {
  const { size } = pdev.config;
  const { space } = device.open.config;
  const indexes = Array.from({ length: size }, (_, i) => i);
  const bytes = indexes.map((i) => space.describe(i));
  const owners: OwnedBytes[] = [];
  for (const [i, { owner }] of bytes.entries()) {
    const last = owners.at(-1);
    if (last?.owner === owner) owners[owners.length - 1] = { ...last, to: i + 1 };
    else owners.push({ from: i, to: i + 1, owner });
  }
  return {
    size,
    raw: indexes.map((i) => pdev.config.read(i, 1)),
    virtual: [...client.readRegion(VFIO_PCI_CONFIG_REGION_INDEX, 0, size)],
    owners,
    virtualBits: bytes.map((byte) => byte.virtual),
    writableBits: bytes.map((byte) => byte.writable),
  };
}

/** What a device does not offer is no failure of looking at it. */
function optional<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch (error) {
    if ((error as { code?: string }).code === 'EINVAL') return undefined;
    throw error;
  }
}
