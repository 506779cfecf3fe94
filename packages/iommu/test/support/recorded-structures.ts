/** The ioctls of containers and groups by the recorder's names. */
export const COMMANDS: Readonly<Record<string, number>> = {
  GET_API_VERSION: 0x3b64,
  CHECK_EXTENSION: 0x3b65,
  SET_IOMMU: 0x3b66,
  GROUP_GET_STATUS: 0x3b67,
  GROUP_SET_CONTAINER: 0x3b68,
  GROUP_UNSET_CONTAINER: 0x3b69,
  GROUP_GET_DEVICE_FD: 0x3b6a,
  IOMMU_GET_INFO: 0x3b70,
  SPAPR_TCE_GET_INFO: 0x3b70,
  IOMMU_MAP_DMA: 0x3b71,
  IOMMU_UNMAP_DMA: 0x3b72,
  IOMMU_ENABLE: 0x3b73,
  IOMMU_DISABLE: 0x3b74,
  IOMMU_DIRTY_PAGES: 0x3b75,
  SPAPR_REGISTER_MEMORY: 0x3b75,
  SPAPR_UNREGISTER_MEMORY: 0x3b76,
  SPAPR_TCE_CREATE: 0x3b77,
  SPAPR_TCE_REMOVE: 0x3b78,
  EEH_PE_OP: 0x3b79,
};

/** Bytes of each member of the structures that big-endian traces have. */
const MEMBERS: Readonly<Record<string, readonly number[]>> = {
  GROUP_GET_STATUS: [4, 4],
  GROUP_SET_CONTAINER: [4],
  IOMMU_MAP_DMA: [4, 4, 8, 8, 8],
  IOMMU_UNMAP_DMA: [4, 4, 8, 8, 8, 8, 8],
  IOMMU_DIRTY_PAGES: [4, 4, 8, 8, 8, 8, 8],
  IOMMU_GET_INFO: [4, 4, 8, 4, 4],
};
/** Bytes of each member of type1's capabilities, by id; ranges go on as long as there is something. */
const CAPABILITIES: Readonly<Record<number, readonly number[]>> = {
  1: [2, 2, 4, 4, 4, 8, 8, 8, 8, 8, 8],
  2: [2, 2, 4, 4, 4, 8, 8],
  3: [2, 2, 4, 4, 4],
};

/** A structure of a big-endian machine in little-endian order. */
export function swapped(command: string, bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const swap = (at: number, members: readonly number[]) => {
    let offset = at;
    for (const size of members) {
      if (offset + size <= bytes.length)
        out.set([...bytes.subarray(offset, offset + size)].reverse(), offset);
      offset += size;
    }
  };
  swap(0, MEMBERS[command] ?? []);
  if (command === 'IOMMU_GET_INFO' && bytes.length >= 24)
    for (let at = view.getUint32(16); at !== 0; at = view.getUint32(at + 4))
      swap(at, CAPABILITIES[view.getUint16(at)] ?? []);
  return out;
}
