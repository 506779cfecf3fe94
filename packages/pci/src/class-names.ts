/** What kinds of functions there are (PCI code and id assignment specification 1.16, section 1). */

interface BaseClass {
  readonly name: string;
  /** Names by subclass. */
  readonly subclasses: Readonly<Record<number, string>>;
}

const BASE_CLASSES: Readonly<Record<number, BaseClass>> = {
  0: { name: 'Unclassified device', subclasses: { 0: 'Non-VGA device', 1: 'VGA device' } },
  1: {
    name: 'Mass storage controller',
    subclasses: {
      0: 'SCSI controller',
      1: 'IDE controller',
      2: 'Floppy controller',
      3: 'IPI controller',
      4: 'RAID controller',
      5: 'ATA controller',
      6: 'SATA controller',
      7: 'SAS controller',
      8: 'Non-volatile memory controller',
      9: 'UFS controller',
    },
  },
  2: {
    name: 'Network controller',
    subclasses: {
      0: 'Ethernet controller',
      1: 'Token ring controller',
      2: 'FDDI controller',
      3: 'ATM controller',
      4: 'ISDN controller',
      5: 'WorldFip controller',
      6: 'PICMG controller',
      7: 'InfiniBand controller',
      8: 'Fabric controller',
      128: 'Network controller',
    },
  },
  3: {
    name: 'Display controller',
    subclasses: {
      0: 'VGA controller',
      1: 'XGA controller',
      2: '3D controller',
      128: 'Display controller',
    },
  },
  4: {
    name: 'Multimedia controller',
    subclasses: {
      0: 'Video controller',
      1: 'Audio controller',
      2: 'Telephony device',
      3: 'Audio device',
      128: 'Multimedia controller',
    },
  },
  5: {
    name: 'Memory controller',
    subclasses: { 0: 'RAM', 1: 'Flash memory', 2: 'CXL memory' },
  },
  6: {
    name: 'Bridge',
    subclasses: {
      0: 'Host bridge',
      1: 'ISA bridge',
      2: 'EISA bridge',
      3: 'MicroChannel bridge',
      4: 'PCI bridge',
      5: 'PCMCIA bridge',
      6: 'NuBus bridge',
      7: 'CardBus bridge',
      8: 'RACEway bridge',
      9: 'Semi-transparent PCI bridge',
      10: 'InfiniBand bridge',
      11: 'Advanced Switching bridge',
    },
  },
  7: {
    name: 'Communication controller',
    subclasses: {
      0: 'Serial controller',
      1: 'Parallel controller',
      2: 'Multiport serial controller',
      3: 'Modem',
      4: 'GPIB controller',
      5: 'Smart Card controller',
    },
  },
  8: {
    name: 'System peripheral',
    subclasses: {
      0: 'Interrupt controller',
      1: 'DMA controller',
      2: 'Timer',
      3: 'Real-time clock',
      4: 'Hot-plug controller',
      5: 'SD host controller',
      6: 'IOMMU',
      7: 'Root complex event collector',
    },
  },
  9: {
    name: 'Input device controller',
    subclasses: {
      0: 'Keyboard controller',
      1: 'Digitizer',
      2: 'Mouse controller',
      3: 'Scanner controller',
      4: 'Gameport controller',
    },
  },
  10: { name: 'Docking station', subclasses: { 0: 'Generic docking station' } },
  11: {
    name: 'Processor',
    subclasses: {
      0: '386',
      1: '486',
      2: 'Pentium',
      16: 'Alpha',
      32: 'PowerPC',
      48: 'MIPS',
      64: 'Co-processor',
    },
  },
  12: {
    name: 'Serial bus controller',
    subclasses: {
      0: 'FireWire controller',
      1: 'ACCESS bus controller',
      2: 'SSA controller',
      3: 'USB controller',
      4: 'Fibre Channel controller',
      5: 'SMBus controller',
      6: 'InfiniBand controller',
      7: 'IPMI controller',
      8: 'SERCOS controller',
      9: 'CAN bus controller',
      10: 'I3C controller',
    },
  },
  13: {
    name: 'Wireless controller',
    subclasses: {
      0: 'IrDA controller',
      1: 'Consumer infrared controller',
      16: 'RF controller',
      17: 'Bluetooth controller',
      18: 'Broadband controller',
      32: '802.1a controller',
      33: '802.1b controller',
      64: 'Cellular controller',
      65: 'Cellular and Ethernet controller',
    },
  },
  14: { name: 'Intelligent controller', subclasses: { 0: 'I2O controller' } },
  15: {
    name: 'Satellite communications controller',
    subclasses: { 1: 'TV', 2: 'Audio', 3: 'Voice', 4: 'Data' },
  },
  16: {
    name: 'Encryption controller',
    subclasses: { 0: 'Network and computing encryption', 16: 'Entertainment encryption' },
  },
  17: {
    name: 'Signal processing controller',
    subclasses: {
      0: 'DPIO module',
      1: 'Performance counters',
      16: 'Communication synchronizer',
      32: 'Signal processing management',
    },
  },
  18: { name: 'Processing accelerator', subclasses: { 0: 'Processing accelerator' } },
  19: { name: 'Non-essential instrumentation', subclasses: {} },
  64: { name: 'Co-processor', subclasses: {} },
  255: { name: 'Unassigned class', subclasses: {} },
};

/**
 * What a class code stands for: the subclass's name, else the base class's, else `Class 0x2a`.
 *
 * @param code 24 bits: base class, subclass, programming interface.
 */
export function className(code: number): string {
  const base = BASE_CLASSES[(code >>> 16) & 0xff];
  const code16 = ((code >>> 8) & 0xffff).toString(16).padStart(4, '0');
  return base?.subclasses[(code >>> 8) & 0xff] ?? base?.name ?? `Class 0x${code16}`;
}

/** What a base class, the upper 8 of 24 bits, stands for. */
export function baseClassName(base: number): string {
  return BASE_CLASSES[base]?.name ?? `Class 0x${base.toString(16).padStart(2, '0')}`;
}
