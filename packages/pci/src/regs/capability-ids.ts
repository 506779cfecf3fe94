/** Ids of capabilities, and what to call them (PCI code and id assignment specification 1.16). */

export const PCI_CAP_ID_NULL = 0x00;
export const PCI_CAP_ID_PM = 0x01;
export const PCI_CAP_ID_AGP = 0x02;
export const PCI_CAP_ID_VPD = 0x03;
export const PCI_CAP_ID_SLOTID = 0x04;
export const PCI_CAP_ID_MSI = 0x05;
export const PCI_CAP_ID_CHSWP = 0x06;
export const PCI_CAP_ID_PCIX = 0x07;
export const PCI_CAP_ID_HT = 0x08;
export const PCI_CAP_ID_VNDR = 0x09;
export const PCI_CAP_ID_DBG = 0x0a;
export const PCI_CAP_ID_CCRC = 0x0b;
export const PCI_CAP_ID_SHPC = 0x0c;
export const PCI_CAP_ID_SSVID = 0x0d;
export const PCI_CAP_ID_AGP3 = 0x0e;
export const PCI_CAP_ID_SECDEV = 0x0f;
export const PCI_CAP_ID_EXP = 0x10;
export const PCI_CAP_ID_MSIX = 0x11;
export const PCI_CAP_ID_SATA = 0x12;
export const PCI_CAP_ID_AF = 0x13;
export const PCI_CAP_ID_EA = 0x14;

export const PCI_EXT_CAP_ID_NULL = 0x00;
export const PCI_EXT_CAP_ID_ERR = 0x01;
export const PCI_EXT_CAP_ID_VC = 0x02;
export const PCI_EXT_CAP_ID_DSN = 0x03;
export const PCI_EXT_CAP_ID_PWR = 0x04;
export const PCI_EXT_CAP_ID_RCLD = 0x05;
export const PCI_EXT_CAP_ID_RCILC = 0x06;
export const PCI_EXT_CAP_ID_RCEC = 0x07;
export const PCI_EXT_CAP_ID_MFVC = 0x08;
export const PCI_EXT_CAP_ID_VC9 = 0x09;
export const PCI_EXT_CAP_ID_RCRB = 0x0a;
export const PCI_EXT_CAP_ID_VNDR = 0x0b;
export const PCI_EXT_CAP_ID_CAC = 0x0c;
export const PCI_EXT_CAP_ID_ACS = 0x0d;
export const PCI_EXT_CAP_ID_ARI = 0x0e;
export const PCI_EXT_CAP_ID_ATS = 0x0f;
export const PCI_EXT_CAP_ID_SRIOV = 0x10;
export const PCI_EXT_CAP_ID_MRIOV = 0x11;
export const PCI_EXT_CAP_ID_MCAST = 0x12;
export const PCI_EXT_CAP_ID_PRI = 0x13;
export const PCI_EXT_CAP_ID_AMD_XXX = 0x14;
export const PCI_EXT_CAP_ID_REBAR = 0x15;
export const PCI_EXT_CAP_ID_DPA = 0x16;
export const PCI_EXT_CAP_ID_TPH = 0x17;
export const PCI_EXT_CAP_ID_LTR = 0x18;
export const PCI_EXT_CAP_ID_SECPCI = 0x19;
export const PCI_EXT_CAP_ID_PMUX = 0x1a;
export const PCI_EXT_CAP_ID_PASID = 0x1b;
export const PCI_EXT_CAP_ID_LNR = 0x1c;
export const PCI_EXT_CAP_ID_DPC = 0x1d;
export const PCI_EXT_CAP_ID_L1SS = 0x1e;
export const PCI_EXT_CAP_ID_PTM = 0x1f;
export const PCI_EXT_CAP_ID_DVSEC = 0x23;
export const PCI_EXT_CAP_ID_VF_REBAR = 0x24;
export const PCI_EXT_CAP_ID_DLF = 0x25;
export const PCI_EXT_CAP_ID_PL_16GT = 0x26;
export const PCI_EXT_CAP_ID_LMR = 0x27;
export const PCI_EXT_CAP_ID_HID = 0x28;
export const PCI_EXT_CAP_ID_NPEM = 0x29;
export const PCI_EXT_CAP_ID_PL_32GT = 0x2a;
export const PCI_EXT_CAP_ID_AP = 0x2b;
export const PCI_EXT_CAP_ID_SFI = 0x2c;
export const PCI_EXT_CAP_ID_SF = 0x2d;
export const PCI_EXT_CAP_ID_DOE = 0x2e;
export const PCI_EXT_CAP_ID_DEV3 = 0x2f;
export const PCI_EXT_CAP_ID_IDE = 0x30;
export const PCI_EXT_CAP_ID_PL_64GT = 0x31;
/** The highest that the kernel knows. */
export const PCI_EXT_CAP_ID_MAX = PCI_EXT_CAP_ID_PL_64GT;

const CAPABILITY_NAMES: readonly string[] = [
  'Null',
  'Power Management',
  'AGP',
  'VPD',
  'Slot Identification',
  'MSI',
  'CompactPCI Hot Swap',
  'PCI-X',
  'HyperTransport',
  'Vendor Specific',
  'Debug Port',
  'CompactPCI Resource Control',
  'Hot-Plug',
  'Bridge Subsystem Id',
  'AGP 8x',
  'Secure Device',
  'PCI Express',
  'MSI-X',
  'SATA',
  'Advanced Features',
  'Enhanced Allocation',
  'Flattening Portal Bridge',
];

const EXTENDED_CAPABILITY_NAMES: Readonly<Record<number, string>> = {
  [PCI_EXT_CAP_ID_NULL]: 'Null',
  [PCI_EXT_CAP_ID_ERR]: 'Advanced Error Reporting',
  [PCI_EXT_CAP_ID_VC]: 'Virtual Channel',
  [PCI_EXT_CAP_ID_DSN]: 'Device Serial Number',
  [PCI_EXT_CAP_ID_PWR]: 'Power Budgeting',
  [PCI_EXT_CAP_ID_RCLD]: 'Root Complex Link Declaration',
  [PCI_EXT_CAP_ID_RCILC]: 'Root Complex Internal Link Control',
  [PCI_EXT_CAP_ID_RCEC]: 'Root Complex Event Collector',
  [PCI_EXT_CAP_ID_MFVC]: 'Multi-Function Virtual Channel',
  [PCI_EXT_CAP_ID_VC9]: 'Virtual Channel (MFVC)',
  [PCI_EXT_CAP_ID_RCRB]: 'Root Complex Register Block',
  [PCI_EXT_CAP_ID_VNDR]: 'Vendor Specific Extended',
  [PCI_EXT_CAP_ID_CAC]: 'Configuration Access Correlation',
  [PCI_EXT_CAP_ID_ACS]: 'Access Control Services',
  [PCI_EXT_CAP_ID_ARI]: 'Alternative Routing-Id',
  [PCI_EXT_CAP_ID_ATS]: 'Address Translation Services',
  [PCI_EXT_CAP_ID_SRIOV]: 'SR-IOV',
  [PCI_EXT_CAP_ID_MRIOV]: 'MR-IOV',
  [PCI_EXT_CAP_ID_MCAST]: 'Multicast',
  [PCI_EXT_CAP_ID_PRI]: 'Page Request Interface',
  [PCI_EXT_CAP_ID_AMD_XXX]: 'AMD reserved',
  [PCI_EXT_CAP_ID_REBAR]: 'Resizable BAR',
  [PCI_EXT_CAP_ID_DPA]: 'Dynamic Power Allocation',
  [PCI_EXT_CAP_ID_TPH]: 'TPH Requester',
  [PCI_EXT_CAP_ID_LTR]: 'Latency Tolerance Reporting',
  [PCI_EXT_CAP_ID_SECPCI]: 'Secondary PCI Express',
  [PCI_EXT_CAP_ID_PMUX]: 'Protocol Multiplexing',
  [PCI_EXT_CAP_ID_PASID]: 'Process Address Space Id',
  [PCI_EXT_CAP_ID_LNR]: 'LN Requester',
  [PCI_EXT_CAP_ID_DPC]: 'Downstream Port Containment',
  [PCI_EXT_CAP_ID_L1SS]: 'L1 PM Substates',
  [PCI_EXT_CAP_ID_PTM]: 'Precision Time Measurement',
  [PCI_EXT_CAP_ID_DVSEC]: 'Designated Vendor Specific',
  [PCI_EXT_CAP_ID_VF_REBAR]: 'VF Resizable BAR',
  [PCI_EXT_CAP_ID_DLF]: 'Data Link Feature',
  [PCI_EXT_CAP_ID_PL_16GT]: 'Physical Layer 16.0 GT/s',
  [PCI_EXT_CAP_ID_LMR]: 'Lane Margining',
  [PCI_EXT_CAP_ID_HID]: 'Hierarchy Id',
  [PCI_EXT_CAP_ID_NPEM]: 'Native PCIe Enclosure Management',
  [PCI_EXT_CAP_ID_PL_32GT]: 'Physical Layer 32.0 GT/s',
  [PCI_EXT_CAP_ID_AP]: 'Alternate Protocol',
  [PCI_EXT_CAP_ID_SFI]: 'System Firmware Intermediary',
  [PCI_EXT_CAP_ID_SF]: 'Shadow Functions',
  [PCI_EXT_CAP_ID_DOE]: 'Data Object Exchange',
  [PCI_EXT_CAP_ID_DEV3]: 'Device 3',
  [PCI_EXT_CAP_ID_IDE]: 'Integrity and Data Encryption',
  [PCI_EXT_CAP_ID_PL_64GT]: 'Physical Layer 64.0 GT/s',
};

/** What a standard capability is called; `Unknown 0x2a` for an id without a name. */
export function capabilityName(id: number): string {
  return CAPABILITY_NAMES[id] ?? unknown(id);
}

/** What an extended capability is called; `Unknown 0xabcd` for an id without a name. */
export function extendedCapabilityName(id: number): string {
  return EXTENDED_CAPABILITY_NAMES[id] ?? unknown(id);
}

function unknown(id: number): string {
  return `Unknown 0x${id.toString(16).padStart(2, '0')}`;
}
