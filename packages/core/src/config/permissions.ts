import {
  PCI_AF_CTRL,
  PCI_AF_CTRL_FLR,
  PCI_BASE_ADDRESS_0,
  PCI_BASE_ADDRESS_1,
  PCI_BASE_ADDRESS_2,
  PCI_BASE_ADDRESS_3,
  PCI_BASE_ADDRESS_4,
  PCI_BASE_ADDRESS_5,
  PCI_BIST,
  PCI_CACHE_LINE_SIZE,
  PCI_CAP_LIST_NEXT,
  PCI_CAPABILITY_LIST,
  PCI_COMMAND,
  PCI_COMMAND_INTX_DISABLE,
  PCI_DEVICE_ID,
  PCI_ERR_CAP,
  PCI_ERR_CAP_ECRC_CHKE,
  PCI_ERR_CAP_ECRC_GENE,
  PCI_ERR_COR_MASK,
  PCI_ERR_COR_STATUS,
  PCI_ERR_UNCOR_MASK,
  PCI_ERR_UNCOR_SEVER,
  PCI_ERR_UNCOR_STATUS,
  PCI_EXP_DEVCTL,
  PCI_EXP_DEVCTL_BCR_FLR,
  PCI_EXP_DEVCTL_PAYLOAD,
  PCI_EXP_DEVCTL_PHANTOM,
  PCI_EXP_DEVCTL_READRQ,
  PCI_EXP_DEVCTL2,
  PCI_EXP_DEVCTL2_ARI,
  PCI_INTERRUPT_LINE,
  PCI_INTERRUPT_PIN,
  PCI_LATENCY_TIMER,
  PCI_MSI_ADDRESS_HI,
  PCI_MSI_ADDRESS_LO,
  PCI_MSI_DATA_32,
  PCI_MSI_DATA_64,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_64BIT,
  PCI_MSI_FLAGS_MASKBIT,
  PCI_MSI_MASK_32,
  PCI_MSI_MASK_64,
  PCI_MSI_PENDING_32,
  PCI_MSI_PENDING_64,
  PCI_PM_CAP_PME_MASK,
  PCI_PM_CTRL,
  PCI_PM_CTRL_PME_ENABLE,
  PCI_PM_CTRL_PME_STATUS,
  PCI_PM_CTRL_STATE_MASK,
  PCI_PM_PMC,
  PCI_PWR_DATA,
  PCI_PWR_DSR,
  PCI_ROM_ADDRESS,
  PCI_STATUS,
  PCI_STATUS_CAP_LIST,
  PCI_VENDOR_ID,
  PCI_VPD_ADDR,
  PCI_VPD_DATA,
  PCI_X_CMD,
  PCI_X_ECC_CSR,
} from '@vfiokit/pci';

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
  row(PCI_VENDOR_ID, 2, 'vendor id', 0xffff, 0),
  row(PCI_DEVICE_ID, 2, 'device id', 0xffff, 0),
  row(PCI_COMMAND, 2, 'command', PCI_COMMAND_INTX_DISABLE, 0xffff),
  row(PCI_STATUS, 2, 'status', PCI_STATUS_CAP_LIST, 0),
  row(PCI_CACHE_LINE_SIZE, 1, 'cache line size', 0, 0xff),
  row(PCI_LATENCY_TIMER, 1, 'latency timer', 0, 0xff),
  row(PCI_BIST, 1, 'BIST', 0, 0xff),
  row(PCI_BASE_ADDRESS_0, 4, 'BAR 0', ALL, ALL),
  row(PCI_BASE_ADDRESS_1, 4, 'BAR 1', ALL, ALL),
  row(PCI_BASE_ADDRESS_2, 4, 'BAR 2', ALL, ALL),
  row(PCI_BASE_ADDRESS_3, 4, 'BAR 3', ALL, ALL),
  row(PCI_BASE_ADDRESS_4, 4, 'BAR 4', ALL, ALL),
  row(PCI_BASE_ADDRESS_5, 4, 'BAR 5', ALL, ALL),
  row(PCI_ROM_ADDRESS, 4, 'ROM BAR', ALL, ALL),
  row(PCI_CAPABILITY_LIST, 1, 'capability pointer', 0xff, 0),
  row(PCI_INTERRUPT_LINE, 1, 'interrupt line', 0xff, 0xff),
  row(PCI_INTERRUPT_PIN, 1, 'interrupt pin', 0xff, 0),
];

/** The next pointer of a standard capability, which hides what the user is not to see. */
const NEXT = row(PCI_CAP_LIST_NEXT, 1, 'next capability', 0xff, 0);

const PME_CONTROL = PCI_PM_CTRL_PME_ENABLE | PCI_PM_CTRL_PME_STATUS;

/** Power Management (PM 1.2 3.2). PME is the host's: a user can neither see nor arm it. */
export const PM_PERMISSIONS: PermissionTable = [
  NEXT,
  row(PCI_PM_PMC, 2, 'PMC', PCI_PM_CAP_PME_MASK, 0),
  row(PCI_PM_CTRL, 4, 'PMCSR', PME_CONTROL, (ALL & ~(PME_CONTROL | PCI_PM_CTRL_STATE_MASK)) >>> 0),
];

/** Vital Product Data (PCI 3.0 appendix I): both registers are virtual, the host's VPD service does the work. */
export const VPD_PERMISSIONS: PermissionTable = [
  NEXT,
  row(PCI_VPD_ADDR, 2, 'VPD address', 0xffff, 0xffff),
  row(PCI_VPD_DATA, 4, 'VPD data', ALL, ALL),
];

/** PCI-X (PCI-X 2.0 7.2). */
export const PCIX_PERMISSIONS: PermissionTable = [
  NEXT,
  row(PCI_X_CMD, 2, 'PCI-X command', 0, 0xffff),
  row(PCI_X_ECC_CSR, 4, 'ECC control', 0, ALL),
];

/**
 * PCI Express (PCIe 6.0 7.5.3). Payload sizes and FLR are virtual; phantom functions and ARI forwarding stay as the host
 * set them.
 */
export const EXPRESS_PERMISSIONS: PermissionTable = [
  NEXT,
  row(
    PCI_EXP_DEVCTL,
    2,
    'device control',
    PCI_EXP_DEVCTL_BCR_FLR | PCI_EXP_DEVCTL_READRQ | PCI_EXP_DEVCTL_PAYLOAD,
    0xffff & ~PCI_EXP_DEVCTL_PHANTOM,
  ),
  row(PCI_EXP_DEVCTL2, 2, 'device control 2', 0, 0xffff & ~PCI_EXP_DEVCTL2_ARI),
];

/** Advanced Features (PCI AF ECN): the FLR bit is virtual, the status register is the hardware's. */
export const AF_PERMISSIONS: PermissionTable = [
  NEXT,
  row(PCI_AF_CTRL, 1, 'AF control', PCI_AF_CTRL_FLR, PCI_AF_CTRL_FLR),
];

/** Message Signaled Interrupts: the layout follows from the flags that the hardware shows (vfio_pci_config.c: init_pci_cap_msi_perm). */
export function msiPermissions(flags: number): PermissionTable {
  const is64Bit = (flags & PCI_MSI_FLAGS_64BIT) !== 0;
  const maskable = (flags & PCI_MSI_FLAGS_MASKBIT) !== 0;
  const data = is64Bit ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32;
  const mask = is64Bit ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32;
  const pending = is64Bit ? PCI_MSI_PENDING_64 : PCI_MSI_PENDING_32;
  return [
    NEXT,
    row(PCI_MSI_FLAGS, 1, 'MSI flags', 0xff, 0xff),
    row(PCI_MSI_ADDRESS_LO, 4, 'MSI address', ALL, ALL),
    ...(is64Bit ? [row(PCI_MSI_ADDRESS_HI, 4, 'MSI upper address', ALL, ALL)] : []),
    row(data, 2, 'MSI data', 0xffff, 0xffff),
    ...(maskable
      ? [row(mask, 4, 'MSI mask bits', 0, ALL), row(pending, 4, 'MSI pending bits', 0, ALL)]
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
  row(PCI_ERR_UNCOR_STATUS, 4, 'uncorrectable error status', 0, UNCORRECTABLE),
  row(PCI_ERR_UNCOR_MASK, 4, 'uncorrectable error mask', 0, UNCORRECTABLE),
  row(PCI_ERR_UNCOR_SEVER, 4, 'uncorrectable error severity', 0, UNCORRECTABLE),
  row(PCI_ERR_COR_STATUS, 4, 'correctable error status', 0, CORRECTABLE),
  row(PCI_ERR_COR_MASK, 4, 'correctable error mask', 0, CORRECTABLE),
  row(
    PCI_ERR_CAP,
    4,
    'error capabilities and control',
    0,
    PCI_ERR_CAP_ECRC_GENE | PCI_ERR_CAP_ECRC_CHKE,
  ),
];

/**
 * Power Budgeting (PCIe 6.0 7.8.1).
 *
 * The kernel opens the data register at 8, though it is the data select register at 4 that wants writing (quirk W2).
 */
export function powerBudgetingPermissions(openSelect: boolean): PermissionTable {
  return [
    EXTENDED_HEADER,
    row(openSelect ? PCI_PWR_DSR : PCI_PWR_DATA, 1, 'power budgeting', 0, 0xff),
  ];
}
