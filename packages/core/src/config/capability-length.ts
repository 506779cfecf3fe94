import type { ConfigAccess } from '@vfiokit/pci';

/**
 * How many bytes of each standard capability the user sees under its own rules (vfio_pci_config.c: pci_cap_length).
 * A capability without an entry is hidden; a function reads the length from the device.
 */
export const CAPABILITY_LENGTH: Readonly<Record<number, number | LengthRule>> = {
  1: 8, // power management
  2: 12, // AGP
  3: 8, // vital product data
  5: msiLength,
  7: pcixLength,
  8: hypertransportLength,
  9: vendorLength,
  16: expressLength,
  17: 12, // MSI-X
  18: sataLength,
  19: 6, // advanced features
};

/** The same for extended capabilities (vfio_pci_config.c: pci_ext_cap_length). */
export const EXTENDED_CAPABILITY_LENGTH: Readonly<Record<number, number | LengthRule>> = {
  1: 0x2c, // advanced error reporting
  2: virtualChannelLength,
  3: 12, // serial number
  4: 16, // power budgeting
  8: virtualChannelLength, // multi-function virtual channel
  9: virtualChannelLength, // virtual channel beside MFVC
  11: vendorSpecificLength,
  13: acsLength,
  14: 8, // ARI
  15: 8, // ATS
  16: 64, // SR-IOV
  18: 40, // multicast
  19: 16, // page request
  21: resizableBarLength,
  22: dpaLength,
  23: tphLength,
  24: 8, // latency tolerance
  35: vendorSpecificLength, // DVSEC
};

/** The highest extended capability id that the kernel knows by name (PCI_EXT_CAP_ID_MAX). */
export const EXTENDED_CAPABILITY_MAX = 0x31;

/** Reads a length from the device: bytes, 0 to hide the capability, or a negated errno from the access. */
export type LengthRule = (config: ConfigAccess, position: number) => number;

/**
 * Whether a capability that reveals extended configuration space says that the list there is to be parsed
 * (PCI-X from version 1 and PCI Express do; vfio_pci_config.c: vfio_cap_len).
 */
export function revealsExtendedSpace(config: ConfigAccess, id: number, position: number): boolean {
  if (config.size <= 0x100) return false;
  if (id === 0x07 && pcixVersion(config.read(position + 2, 2)) === 0) return false;
  return (id === 0x07 || id === 0x10) && config.read(0x100, 4) !== 0;
}

function msiLength(config: ConfigAccess, position: number): number {
  const flags = config.read(position + 2, 2);
  if (flags < 0) return flags;
  return 10 + (flags & 0x80 ? 4 : 0) + (flags & 0x100 ? 10 : 0);
}

function pcixVersion(command: number): number {
  return (command >>> 12) & 3;
}

function pcixLength(config: ConfigAccess, position: number): number {
  const command = config.read(position + 2, 2);
  if (command < 0) return command;
  return pcixVersion(command) === 0 ? 8 : 24;
}

function vendorLength(config: ConfigAccess, position: number): number {
  return config.read(position + 2, 1);
}

function expressLength(config: ConfigAccess, position: number): number {
  const flags = config.read(position + 2, 2);
  if (flags < 0) return flags;
  const integratedEndpoint = (flags & 0xf0) >>> 4 === 9;
  if ((flags & 0x0f) === 1) return integratedEndpoint ? 12 : 20;
  return integratedEndpoint ? 44 : 52;
}

function hypertransportLength(config: ConfigAccess, position: number): number {
  const command = config.read(position + 3, 1);
  if (command < 0) return command;
  return command & 0xe0 ? 24 : 28;
}

function sataLength(config: ConfigAccess, position: number): number {
  const revision = config.read(position + 4, 1);
  if (revision < 0) return revision;
  return (revision & 0x0f) === 0x0f ? 16 : 8;
}

function vendorSpecificLength(config: ConfigAccess, position: number): number {
  const header = config.read(position + 4, 4);
  return header < 0 ? header : header >>> 20;
}

function virtualChannelLength(config: ConfigAccess, position: number): number {
  const capability1 = config.read(position + 4, 4);
  if (capability1 < 0) return capability1;
  const capability2 = config.read(position + 8, 4);
  if (capability2 < 0) return capability2;
  const extraChannels = capability1 & 7;
  const phases = capability2 & 8 ? 128 : capability2 & 4 ? 64 : capability2 & 2 ? 32 : 0;
  const registers = 16 + 12 * (1 + extraChannels);
  return phases === 0 ? registers : Math.ceil(registers / 16) * 16 + phases / 2;
}

function acsLength(config: ConfigAccess, position: number): number {
  const capabilities = config.read(position + 4, 1);
  if (capabilities < 0) return capabilities;
  if ((capabilities & 0x20) === 0) return 8;
  const vectorSize = config.read(position + 5, 1);
  if (vectorSize < 0) return vectorSize;
  const bits = vectorSize === 0 ? 256 : Math.ceil(vectorSize / 32) * 32;
  return 8 + bits / 8;
}

function resizableBarLength(config: ConfigAccess, position: number): number {
  const control = config.read(position + 8, 1);
  return control < 0 ? control : 4 + 8 * ((control & 0xe0) >>> 5);
}

function dpaLength(config: ConfigAccess, position: number): number {
  const substates = config.read(position + 4, 1);
  return substates < 0 ? substates : 16 + (substates & 0x1f) + 1;
}

function tphLength(config: ConfigAccess, position: number): number {
  const capabilities = config.read(position + 4, 4);
  if (capabilities < 0) return capabilities;
  const tableInCapability = (capabilities & 0x600) === 0x200;
  return tableInCapability ? 12 + 2 * ((capabilities & 0x07ff0000) >>> 16) + 2 : 12;
}
