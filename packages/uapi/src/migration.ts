export const VFIO_MIGRATION_STOP_COPY = 0x1;
export const VFIO_MIGRATION_P2P = 0x2;
export const VFIO_MIGRATION_PRE_COPY = 0x4;
