import {
  type DeviceClient,
  EINVAL,
  encodeCapabilities,
  type InfoCapability,
  regionTypeCapability,
  sparseMmapCapability,
  VFIO_REGION_INFO_FLAG_CAPS,
  VFIO_REGION_INFO_FLAG_MMAP,
  VfioError,
  vfioRegionInfo,
} from '@vfiokit/uapi';
import { regionIoFds } from '../protocol/payloads.js';
import type { Reply } from './reply.js';

/** A part of a region, in bytes from its start. */
export interface RegionArea {
  readonly offset: number;
  readonly size: number;
}

/** Memory of a device that the client can map: a file, and the same bytes here. */
export interface SharedMemory {
  readonly fd: number;
  /** Where in the file the region starts. */
  readonly offset: number;
  /** The region's bytes. */
  readonly bytes: Uint8Array;
  /**
   * The parts that may be mapped, in whole pages; all of it without them. Accesses to what lies between come as messages, and
   * a device that says itself which parts may be mapped is not overruled.
   */
  readonly areas?: readonly RegionArea[];
}

/** A region as the client sees it. */
export interface ServedRegion {
  /** Bytes; 0 where there is no such region. */
  readonly size: number;
  /** VFIO_REGION_INFO_FLAG_* */
  readonly flags: number;
  /** Where it starts in the device's file. */
  readonly position: number;
  readonly capabilities: readonly InfoCapability[];
  readonly memory: SharedMemory | undefined;
}

/** Asks a device for its regions, once: they stay while it is open. */
export function readRegions(
  client: DeviceClient,
  mappable: ReadonlyMap<number, SharedMemory>,
): readonly ServedRegion[] {
  const { numRegions } = client.info();
  return Array.from({ length: numRegions }, (_, index) => readRegion(client, index, mappable));
}

const ABSENT: ServedRegion = {
  size: 0,
  flags: 0,
  position: 0,
  capabilities: [],
  memory: undefined,
};

function readRegion(
  client: DeviceClient,
  index: number,
  mappable: ReadonlyMap<number, SharedMemory>,
): ServedRegion {
  try {
    const { size, flags, position, sparseMmap, type } = client.regionInfo(index);
    const canMap = (flags & VFIO_REGION_INFO_FLAG_MMAP) !== 0;
    const memory = canMap ? mappable.get(index) : undefined;
    const capabilities: InfoCapability[] = [];
    const areas = memory === undefined ? undefined : (sparseMmap ?? memory.areas?.map(wideArea));
    if (areas !== undefined) capabilities.push(sparseMmapCapability.encode(areas));
    if (type !== undefined) capabilities.push(regionTypeCapability.encode(type));
    const hidden = VFIO_REGION_INFO_FLAG_CAPS | (memory ? 0 : VFIO_REGION_INFO_FLAG_MMAP);
    return { size, flags: flags & ~hidden, position, capabilities, memory };
  } catch (error) {
    // The kernel refuses to tell of a region that is not there, such as VGA; here it is one of no size.
    if (error instanceof VfioError && error.code === 'EINVAL') return ABSENT;
    throw error;
  }
}

const wideArea = ({ offset, size }: RegionArea) => ({ offset: BigInt(offset), size: BigInt(size) });

/**
 * Answers DEVICE_GET_REGION_INFO. A client without room for the capabilities learns how much it needs.
 *
 * @param passesFds the client takes a descriptor; without one, nothing can be mapped.
 */
export function regionInfo(
  regions: readonly ServedRegion[],
  payload: Uint8Array,
  passesFds: boolean,
): Reply {
  if (payload.length < vfioRegionInfo.size) return -EINVAL;
  const { argsz: room, index } = vfioRegionInfo.decode(payload);
  const region = regions[index];
  if (room < vfioRegionInfo.size || region === undefined) return -EINVAL;
  const memory = passesFds ? region.memory : undefined;
  const chain = encodeCapabilities(vfioRegionInfo.size, capabilitiesOf(region, memory));
  const argsz = vfioRegionInfo.size + chain.length;
  const fits = room >= argsz;
  const withChain = fits && chain.length > 0;
  const flags = memory === undefined ? region.flags & ~VFIO_REGION_INFO_FLAG_MMAP : region.flags;
  const answer = new Uint8Array(fits ? argsz : vfioRegionInfo.size);
  vfioRegionInfo.encode(
    {
      argsz,
      flags: withChain ? flags | VFIO_REGION_INFO_FLAG_CAPS : flags,
      index,
      capOffset: withChain ? vfioRegionInfo.size : 0,
      size: BigInt(region.size),
      offset: BigInt(memory?.offset ?? 0),
    },
    answer,
  );
  if (withChain) answer.set(chain, vfioRegionInfo.size);
  return fits && memory !== undefined ? { payload: answer, fd: memory.fd } : answer;
}

function capabilitiesOf(
  { capabilities }: ServedRegion,
  memory: SharedMemory | undefined,
): readonly InfoCapability[] {
  if (memory !== undefined) return capabilities;
  return capabilities.filter(({ id }) => id !== sparseMmapCapability.id);
}

/** Answers DEVICE_GET_REGION_IO_FDS: no region has parts that are served by descriptors. */
export function regionIoDescriptors(
  regions: readonly ServedRegion[],
  payload: Uint8Array,
  largest: number,
): Reply {
  if (payload.length < regionIoFds.size) return -EINVAL;
  const { argsz, flags, index, count } = regionIoFds.decode(payload);
  if (argsz < regionIoFds.size || argsz > largest || flags !== 0 || count !== 0) return -EINVAL;
  if ((regions[index]?.size ?? 0) === 0) return -EINVAL;
  return regionIoFds.encode({ argsz: regionIoFds.size, index });
}
