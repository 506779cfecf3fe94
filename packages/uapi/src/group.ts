import { type StructOf, struct, u32 } from './struct.js';

/** VFIO_GROUP_GET_STATUS */
export const vfioGroupStatus = struct('vfio_group_status', { argsz: u32, flags: u32 });
export type VfioGroupStatus = StructOf<typeof vfioGroupStatus>;

/** Nobody else owns the group's DMA; a hint, what counts is whether the group can be claimed. */
export const VFIO_GROUP_FLAGS_VIABLE = 0x1;
export const VFIO_GROUP_FLAGS_CONTAINER_SET = 0x2;
