/**
 * Which configuration bits a user may read as they are, write, or sees a virtual copy of
 * (vfio_pci_config.c: init_pci_cap_basic_perm and its siblings).
 *
 * A row is a register: its offset from the start of the capability, its size in bytes, and two masks. A bit of `virt` is
 * kept in the virtual configuration space, the others are the hardware's; a bit of `write` may be changed by the user,
 * the others are dropped. A register without a row has neither: the hardware's value, read-only.
 */
export interface RegisterPermission {
  readonly name: string;
  readonly offset: number;
  readonly size: 1 | 2 | 4;
  readonly virt: number;
  readonly write: number;
}

/** The registers of one capability, or of the header. */
export type PermissionTable = readonly RegisterPermission[];

const row = (
  offset: number,
  size: 1 | 2 | 4,
  name: string,
  virt: number,
  write: number,
): RegisterPermission => ({ name, offset, size, virt, write });

const ALL = 0xffffffff;

/** The type 0 header, bytes 0x00 to 0x3f (PCI 3.0 6.1). */
export const HEADER_PERMISSIONS: PermissionTable = [
  row(0x00, 2, 'vendor id', 0xffff, 0),
  row(0x02, 2, 'device id', 0xffff, 0),
  row(0x04, 2, 'command', 0x0400, 0xffff),
  row(0x06, 2, 'status', 0x0010, 0),
  row(0x0c, 1, 'cache line size', 0, 0xff),
  row(0x0d, 1, 'latency timer', 0, 0xff),
  row(0x0f, 1, 'BIST', 0, 0xff),
  row(0x10, 4, 'BAR 0', ALL, ALL),
  row(0x14, 4, 'BAR 1', ALL, ALL),
  row(0x18, 4, 'BAR 2', ALL, ALL),
  row(0x1c, 4, 'BAR 3', ALL, ALL),
  row(0x20, 4, 'BAR 4', ALL, ALL),
  row(0x24, 4, 'BAR 5', ALL, ALL),
  row(0x30, 4, 'ROM BAR', ALL, ALL),
  row(0x34, 1, 'capability pointer', 0xff, 0),
  row(0x3c, 1, 'interrupt line', 0xff, 0xff),
  row(0x3d, 1, 'interrupt pin', 0xff, 0),
];

/** The next pointer of a standard capability, which hides what the user is not to see. */
const NEXT = row(0x01, 1, 'next capability', 0xff, 0);

/** Power Management (PM 1.2 3.2). PME is the host's: a user can neither see nor arm it. */
export const PM_PERMISSIONS: PermissionTable = [
  NEXT,
  row(0x02, 2, 'PMC', 0xf800, 0),
  row(0x04, 4, 'PMCSR', 0x00008100, 0xffff7efc),
];

/** Vital Product Data (PCI 3.0 appendix I): both registers are virtual, the host's VPD service does the work. */
export const VPD_PERMISSIONS: PermissionTable = [
  NEXT,
  row(0x02, 2, 'VPD address', 0xffff, 0xffff),
  row(0x04, 4, 'VPD data', ALL, ALL),
];

/** PCI-X (PCI-X 2.0 7.2). */
export const PCIX_PERMISSIONS: PermissionTable = [
  NEXT,
  row(0x02, 2, 'PCI-X command', 0, 0xffff),
  row(0x08, 4, 'ECC control', 0, ALL),
];

/**
 * PCI Express (PCIe 6.0 7.5.3). Payload sizes and FLR are virtual; phantom functions and ARI forwarding stay as the host
 * set them.
 */
export const EXPRESS_PERMISSIONS: PermissionTable = [
  NEXT,
  row(0x08, 2, 'device control', 0xf0e0, 0xfdff),
  row(0x28, 2, 'device control 2', 0, 0xffdf),
];

/** Advanced Features (PCI AF ECN): the FLR bit is virtual, the status register is the hardware's. */
export const AF_PERMISSIONS: PermissionTable = [NEXT, row(0x04, 1, 'AF control', 0x01, 0x01)];

/** Message Signaled Interrupts: the layout follows from the flags that the hardware shows (vfio_pci_config.c: init_pci_cap_msi_perm). */
export function msiPermissions(flags: number): PermissionTable {
  const is64Bit = (flags & 0x0080) !== 0;
  const maskable = (flags & 0x0100) !== 0;
  const data = is64Bit ? 0x0c : 0x08;
  return [
    NEXT,
    row(0x02, 1, 'MSI flags', 0xff, 0xff),
    row(0x04, 4, 'MSI address', ALL, ALL),
    ...(is64Bit ? [row(0x08, 4, 'MSI upper address', ALL, ALL)] : []),
    row(data, 2, 'MSI data', 0xffff, 0xffff),
    ...(maskable
      ? [row(data + 4, 4, 'MSI mask bits', 0, ALL), row(data + 8, 4, 'MSI pending bits', 0, ALL)]
      : []),
  ];
}

/** The header of an extended capability, id, version and next pointer in one. */
const EXTENDED_HEADER = row(0x00, 4, 'extended capability header', ALL, 0);

const UNCORRECTABLE = 0x03fff031;
const CORRECTABLE = 0x0000f1c1;

/** Advanced Error Reporting (PCIe 6.0 7.8.4). */
export const AER_PERMISSIONS: PermissionTable = [
  EXTENDED_HEADER,
  row(0x04, 4, 'uncorrectable error status', 0, UNCORRECTABLE),
  row(0x08, 4, 'uncorrectable error mask', 0, UNCORRECTABLE),
  row(0x0c, 4, 'uncorrectable error severity', 0, UNCORRECTABLE),
  row(0x10, 4, 'correctable error status', 0, CORRECTABLE),
  row(0x14, 4, 'correctable error mask', 0, CORRECTABLE),
  row(0x18, 4, 'error capabilities and control', 0, 0x00000140),
];

/**
 * Power Budgeting (PCIe 6.0 7.8.1).
 *
 * The kernel opens the data register at 8, though it is the data select register at 4 that wants writing (quirk W2).
 */
export function powerBudgetingPermissions(openSelect: boolean): PermissionTable {
  return [EXTENDED_HEADER, row(openSelect ? 0x04 : 0x08, 1, 'power budgeting', 0, 0xff)];
}
