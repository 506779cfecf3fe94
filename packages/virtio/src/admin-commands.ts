import { array, struct, u8, u16, u32, u64 } from '@vfiokit/uapi';

/** Commands of a device's administration virtqueue (virtio 1.4 2.13). */
export const VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_WRITE = 0x2;
export const VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_READ = 0x3;
export const VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_WRITE = 0x4;
export const VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_READ = 0x5;
export const VIRTIO_ADMIN_CMD_LEGACY_NOTIFY_INFO = 0x6;
export const VIRTIO_ADMIN_CMD_RESOURCE_OBJ_CREATE = 0xa;
export const VIRTIO_ADMIN_CMD_RESOURCE_OBJ_DESTROY = 0xd;
export const VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_GET = 0xe;
export const VIRTIO_ADMIN_CMD_DEV_PARTS_GET = 0xf;
export const VIRTIO_ADMIN_CMD_DEV_PARTS_SET = 0x10;
export const VIRTIO_ADMIN_CMD_DEV_MODE_SET = 0x11;

/** What transitional emulation takes. */
export const LEGACY_COMMANDS: readonly number[] = [
  VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_WRITE,
  VIRTIO_ADMIN_CMD_LEGACY_COMMON_CFG_READ,
  VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_WRITE,
  VIRTIO_ADMIN_CMD_LEGACY_DEV_CFG_READ,
  VIRTIO_ADMIN_CMD_LEGACY_NOTIFY_INFO,
];

/** What migration takes. */
export const DEV_PARTS_COMMANDS: readonly number[] = [
  VIRTIO_ADMIN_CMD_RESOURCE_OBJ_CREATE,
  VIRTIO_ADMIN_CMD_RESOURCE_OBJ_DESTROY,
  VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_GET,
  VIRTIO_ADMIN_CMD_DEV_PARTS_GET,
  VIRTIO_ADMIN_CMD_DEV_PARTS_SET,
  VIRTIO_ADMIN_CMD_DEV_MODE_SET,
];

/** A place where a legacy driver's queue notifications go. */
export const notifyInfo = struct('virtio_admin_cmd_notify_info_data', {
  /** VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_*; 0 ends the list. */
  flags: u8,
  bar: u8,
  padding: array(u8, 6),
  /** In the BAR, in bytes. */
  offset: u64,
});
export const NOTIFY_INFO_ENTRIES = 4;
/** In memory of the VF. */
export const VIRTIO_ADMIN_CMD_NOTIFY_INFO_FLAGS_OWNER_MEM = 0x2;

/** Names an object on the device. */
export const resourceObjectHeader = struct('virtio_admin_cmd_resource_obj_cmd_hdr', {
  type: u16,
  reserved: u16,
  id: u32,
});
export const VIRTIO_RESOURCE_OBJ_DEV_PARTS = 0;

export const devPartsCreate = struct('virtio_admin_cmd_resource_obj_create_data', {
  object: resourceObjectHeader,
  flags: u64,
  /** VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_* */
  type: u8,
  reserved: array(u8, 7),
});
export const VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_GET = 0;
export const VIRTIO_RESOURCE_OBJ_DEV_PARTS_TYPE_SET = 1;

/** Asks for the size of all parts, or for the parts themselves. */
export const devPartsQuery = struct('virtio_admin_cmd_dev_parts_get_data', {
  object: resourceObjectHeader,
  type: u8,
  reserved: array(u8, 7),
});
export const VIRTIO_ADMIN_CMD_DEV_PARTS_METADATA_TYPE_SIZE = 0;
export const VIRTIO_ADMIN_CMD_DEV_PARTS_GET_TYPE_ALL = 1;

export const devPartsSize = struct('virtio_admin_cmd_dev_parts_metadata_result', { size: u64 });

/** What precedes a part of a device's state; its value follows. */
export const devPartHeader = struct('virtio_dev_part_hdr', {
  type: u16,
  flags: u8,
  reserved: u8,
  selector: array(u8, 8),
  /** Bytes of the value. */
  length: u32,
});
/** A device that does not know the part may skip it. */
export const VIRTIO_DEV_PART_F_OPTIONAL = 0x1;

/** DEV_MODE_SET: the device neither reads nor writes guest memory, and keeps its state. */
export const VIRTIO_ADMIN_CMD_DEV_MODE_F_STOPPED = 0x1;
