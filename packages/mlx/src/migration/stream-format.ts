/** Records of a migration stream: 16 bytes of header and what follows (drivers/vfio/pci/mlx5/cmd.h: mlx5_vf_migration_header). */

/** An image of the firmware. */
export const TAG_FW_DATA = 0;
/** How many bytes of buffer the destination should have ready (u64). Whoever does not know it may skip it. */
export const TAG_STOP_COPY_SIZE = 1;
