import {
  type ConfigAccess,
  HT_3BIT_CAP_MASK,
  PCI_ACS_CAP,
  PCI_ACS_EC,
  PCI_ACS_EGRESS_BITS,
  PCI_CAP_ID_AF,
  PCI_CAP_ID_AGP,
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_HT,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_CAP_ID_PCIX,
  PCI_CAP_ID_PM,
  PCI_CAP_ID_SATA,
  PCI_CAP_ID_VNDR,
  PCI_CAP_ID_VPD,
  PCI_CFG_SPACE_SIZE,
  PCI_DPA_CAP,
  PCI_DPA_CAP_SUBSTATE_MASK,
  PCI_EXP_FLAGS,
  PCI_EXP_FLAGS_TYPE,
  PCI_EXP_FLAGS_VERS,
  PCI_EXP_TYPE_RC_END,
  PCI_EXT_CAP_ID_ACS,
  PCI_EXT_CAP_ID_ARI,
  PCI_EXT_CAP_ID_ATS,
  PCI_EXT_CAP_ID_DPA,
  PCI_EXT_CAP_ID_DSN,
  PCI_EXT_CAP_ID_DVSEC,
  PCI_EXT_CAP_ID_ERR,
  PCI_EXT_CAP_ID_LTR,
  PCI_EXT_CAP_ID_MCAST,
  PCI_EXT_CAP_ID_MFVC,
  PCI_EXT_CAP_ID_PRI,
  PCI_EXT_CAP_ID_PWR,
  PCI_EXT_CAP_ID_REBAR,
  PCI_EXT_CAP_ID_SRIOV,
  PCI_EXT_CAP_ID_TPH,
  PCI_EXT_CAP_ID_VC,
  PCI_EXT_CAP_ID_VC9,
  PCI_EXT_CAP_ID_VNDR,
  PCI_HT_CMD_TYPE,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_64BIT,
  PCI_MSI_FLAGS_MASKBIT,
  PCI_REBAR_CTRL,
  PCI_REBAR_CTRL_NBAR_MASK,
  PCI_SATA_REGS,
  PCI_SATA_REGS_INLINE,
  PCI_SATA_REGS_MASK,
  PCI_TPH_CAP,
  PCI_TPH_CAP_LOC_MASK,
  PCI_TPH_CAP_ST_MASK,
  PCI_TPH_LOC_CAP,
  PCI_VC_CAP1_EVCC,
  PCI_VC_CAP2_32_PHASE,
  PCI_VC_CAP2_64_PHASE,
  PCI_VC_CAP2_128_PHASE,
  PCI_VC_PORT_CAP1,
  PCI_VC_PORT_CAP2,
  PCI_VNDR_HEADER,
  PCI_VNDR_LENGTH,
  PCI_X_CMD,
} from '@vfiokit/pci';

/**
 * How many bytes of each standard capability the user sees under its own rules (vfio_pci_config.c: pci_cap_length).
 * A capability without an entry is hidden; a function reads the length from the device.
 */
export const CAPABILITY_LENGTH: Readonly<Record<number, number | LengthRule>> = {
  [PCI_CAP_ID_PM]: 8,
  [PCI_CAP_ID_AGP]: 12,
  [PCI_CAP_ID_VPD]: 8,
  [PCI_CAP_ID_MSI]: msiLength,
  [PCI_CAP_ID_PCIX]: pcixLength,
  [PCI_CAP_ID_HT]: hypertransportLength,
  [PCI_CAP_ID_VNDR]: vendorLength,
  [PCI_CAP_ID_EXP]: expressLength,
  [PCI_CAP_ID_MSIX]: 12,
  [PCI_CAP_ID_SATA]: sataLength,
  [PCI_CAP_ID_AF]: 6,
};

/** The same for extended capabilities (vfio_pci_config.c: pci_ext_cap_length). */
export const EXTENDED_CAPABILITY_LENGTH: Readonly<Record<number, number | LengthRule>> = {
  [PCI_EXT_CAP_ID_ERR]: 0x2c,
  [PCI_EXT_CAP_ID_VC]: virtualChannelLength,
  [PCI_EXT_CAP_ID_DSN]: 12,
  [PCI_EXT_CAP_ID_PWR]: 16,
  [PCI_EXT_CAP_ID_MFVC]: virtualChannelLength,
  [PCI_EXT_CAP_ID_VC9]: virtualChannelLength,
  [PCI_EXT_CAP_ID_VNDR]: vendorSpecificLength,
  [PCI_EXT_CAP_ID_ACS]: acsLength,
  [PCI_EXT_CAP_ID_ARI]: 8,
  [PCI_EXT_CAP_ID_ATS]: 8,
  [PCI_EXT_CAP_ID_SRIOV]: 64,
  [PCI_EXT_CAP_ID_MCAST]: 40,
  [PCI_EXT_CAP_ID_PRI]: 16,
  [PCI_EXT_CAP_ID_REBAR]: resizableBarLength,
  [PCI_EXT_CAP_ID_DPA]: dpaLength,
  [PCI_EXT_CAP_ID_TPH]: tphLength,
  [PCI_EXT_CAP_ID_LTR]: 8,
  [PCI_EXT_CAP_ID_DVSEC]: vendorSpecificLength,
};

/** Reads a length from the device: bytes, 0 to hide the capability, or a negated errno from the access. */
export type LengthRule = (config: ConfigAccess, position: number) => number;

/**
 * Whether a capability that reveals extended configuration space says that the list there is to be parsed
 * (PCI-X from version 1 and PCI Express do; vfio_pci_config.c: vfio_cap_len).
 */
export function revealsExtendedSpace(config: ConfigAccess, id: number, position: number): boolean {
  if (config.size <= PCI_CFG_SPACE_SIZE) return false;
  const reveals =
    id === PCI_CAP_ID_EXP ||
    (id === PCI_CAP_ID_PCIX && pcixVersion(config.read(position + PCI_X_CMD, 2)) !== 0);
  return reveals && config.read(PCI_CFG_SPACE_SIZE, 4) !== 0;
}

function msiLength(config: ConfigAccess, position: number): number {
  const flags = config.read(position + PCI_MSI_FLAGS, 2);
  if (flags < 0) return flags;
  return 10 + (flags & PCI_MSI_FLAGS_64BIT ? 4 : 0) + (flags & PCI_MSI_FLAGS_MASKBIT ? 10 : 0);
}

function pcixVersion(command: number): number {
  return (command >>> 12) & 3;
}

function pcixLength(config: ConfigAccess, position: number): number {
  const command = config.read(position + PCI_X_CMD, 2);
  if (command < 0) return command;
  return pcixVersion(command) === 0 ? 8 : 24;
}

function vendorLength(config: ConfigAccess, position: number): number {
  return config.read(position + PCI_VNDR_LENGTH, 1);
}

function expressLength(config: ConfigAccess, position: number): number {
  const flags = config.read(position + PCI_EXP_FLAGS, 2);
  if (flags < 0) return flags;
  const integratedEndpoint = (flags & PCI_EXP_FLAGS_TYPE) >>> 4 === PCI_EXP_TYPE_RC_END;
  if ((flags & PCI_EXP_FLAGS_VERS) === 1) return integratedEndpoint ? 12 : 20;
  return integratedEndpoint ? 44 : 52;
}

function hypertransportLength(config: ConfigAccess, position: number): number {
  const type = config.read(position + PCI_HT_CMD_TYPE, 1);
  if (type < 0) return type;
  return type & HT_3BIT_CAP_MASK ? 24 : 28;
}

function sataLength(config: ConfigAccess, position: number): number {
  const registers = config.read(position + PCI_SATA_REGS, 1);
  if (registers < 0) return registers;
  return (registers & PCI_SATA_REGS_MASK) === PCI_SATA_REGS_INLINE ? 16 : 8;
}

function vendorSpecificLength(config: ConfigAccess, position: number): number {
  const header = config.read(position + PCI_VNDR_HEADER, 4);
  return header < 0 ? header : header >>> 20;
}

/** How many phases the largest arbitration table has. */
const PHASES = [
  { bit: PCI_VC_CAP2_128_PHASE, count: 128 },
  { bit: PCI_VC_CAP2_64_PHASE, count: 64 },
  { bit: PCI_VC_CAP2_32_PHASE, count: 32 },
] as const;

function virtualChannelLength(config: ConfigAccess, position: number): number {
  const capability1 = config.read(position + PCI_VC_PORT_CAP1, 4);
  if (capability1 < 0) return capability1;
  const capability2 = config.read(position + PCI_VC_PORT_CAP2, 4);
  if (capability2 < 0) return capability2;
  const extraChannels = capability1 & PCI_VC_CAP1_EVCC;
  const phases = PHASES.find(({ bit }) => (capability2 & bit) !== 0)?.count ?? 0;
  const registers = 16 + 12 * (1 + extraChannels);
  return phases === 0 ? registers : Math.ceil(registers / 16) * 16 + phases / 2;
}

function acsLength(config: ConfigAccess, position: number): number {
  const capabilities = config.read(position + PCI_ACS_CAP, 1);
  if (capabilities < 0) return capabilities;
  if ((capabilities & PCI_ACS_EC) === 0) return 8;
  const vectorSize = config.read(position + PCI_ACS_EGRESS_BITS, 1);
  if (vectorSize < 0) return vectorSize;
  const bits = vectorSize === 0 ? 256 : Math.ceil(vectorSize / 32) * 32;
  return 8 + bits / 8;
}

function resizableBarLength(config: ConfigAccess, position: number): number {
  const control = config.read(position + PCI_REBAR_CTRL, 1);
  return control < 0 ? control : 4 + 8 * ((control & PCI_REBAR_CTRL_NBAR_MASK) >>> 5);
}

function dpaLength(config: ConfigAccess, position: number): number {
  const substates = config.read(position + PCI_DPA_CAP, 1);
  return substates < 0 ? substates : 16 + (substates & PCI_DPA_CAP_SUBSTATE_MASK) + 1;
}

function tphLength(config: ConfigAccess, position: number): number {
  const capabilities = config.read(position + PCI_TPH_CAP, 4);
  if (capabilities < 0) return capabilities;
  const tableInCapability = (capabilities & PCI_TPH_CAP_LOC_MASK) === PCI_TPH_LOC_CAP;
  return tableInCapability ? 12 + 2 * ((capabilities & PCI_TPH_CAP_ST_MASK) >>> 16) + 2 : 12;
}
