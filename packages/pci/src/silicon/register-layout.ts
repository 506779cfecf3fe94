import {
  PCI_ACS_CAP,
  PCI_BRIDGE_CONTROL,
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_CAP_ID_PCIX,
  PCI_CAP_ID_PM,
  PCI_CAP_ID_VPD,
  PCI_COMMAND,
  PCI_ERR_CAP,
  PCI_ERR_CAP_ECRC_CHKC,
  PCI_ERR_CAP_ECRC_CHKE,
  PCI_ERR_CAP_ECRC_GENC,
  PCI_ERR_CAP_ECRC_GENE,
  PCI_EXP_DEVCAP,
  PCI_EXP_DEVCAP_EXT_TAG,
  PCI_EXP_DEVCAP_PHANTOM,
  PCI_EXP_DEVCAP2,
  PCI_EXP_DEVCAP2_COMP_TMOUT,
  PCI_EXP_DEVCAP2_EE_PREFIX,
  PCI_EXP_DEVCAP2_LTR,
  PCI_EXP_FLAGS,
  PCI_EXP_FLAGS_SLOT,
  PCI_EXP_FLAGS_VERS,
  PCI_EXP_LNKCAP,
  PCI_EXP_LNKCAP_CLKPM,
  PCI_EXP_TYPE_DOWNSTREAM,
  PCI_EXP_TYPE_PCIE_BRIDGE,
  PCI_EXP_TYPE_RC_EC,
  PCI_EXP_TYPE_RC_END,
  PCI_EXP_TYPE_ROOT_PORT,
  PCI_EXT_CAP_ID_ACS,
  PCI_EXT_CAP_ID_ATS,
  PCI_EXT_CAP_ID_ERR,
  PCI_EXT_CAP_ID_LTR,
  PCI_EXT_CAP_ID_PASID,
  PCI_EXT_CAP_ID_PRI,
  PCI_EXT_CAP_ID_PTM,
  PCI_EXT_CAP_ID_SRIOV,
  PCI_HEADER_TYPE,
  PCI_HEADER_TYPE_BRIDGE,
  PCI_HEADER_TYPE_MASK,
  PCI_INTERRUPT_LINE,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_64BIT,
  PCI_MSI_FLAGS_MASKBIT,
  PCI_MSI_FLAGS_QMASK,
  PCI_PM_CAP_PME_MASK,
  PCI_PM_PMC,
  PCI_SRIOV_SUP_PGSIZE,
} from '../regs/index.js';
import type { Capability } from './capability-walk.js';

/** What the bits of one dword do. Bits in none of the masks are read-only. */
export interface RegisterBits {
  /** A multiple of 4. */
  readonly at: number;
  /** Bits that follow writes. */
  readonly write?: number;
  /** Bits that writing 1 clears. */
  readonly clear?: number;
  /** Bits of the two above that every reset but the loss of power leaves alone (PCIe 6.0 7.4: RWS, RW1CS). */
  readonly sticky?: number;
  /** What the bits that are not zero after a reset have. */
  readonly reset?: number;
  /** Bits of `write` that a function level reset leaves alone (PCIe 6.0 6.6.2). */
  readonly keptByFlr?: number;
  /** Bits of `write` that switch a modelled mechanism on; whoever probes write masks has to leave them alone. */
  readonly control?: number;
}

/** What a layout may ask about the function. */
interface Registers {
  readonly isVirtual: boolean;
  u16(offset: number): number;
  u32(offset: number): number;
}

/** The header, apart from its base address registers. */
export function headerLayout(config: Uint8Array, isPcie: boolean): RegisterBits[] {
  const isBridge = (config[PCI_HEADER_TYPE]! & PCI_HEADER_TYPE_MASK) === PCI_HEADER_TYPE_BRIDGE;
  // A VF has bus mastering of its own; decoding and INTx are its PF's or don't exist (PCIe 6.0 9.3.4.1).
  if (isVirtualFunction(config)) return [{ at: PCI_COMMAND, write: 0x0004, clear: 0xf9000000 }];
  const layout: RegisterBits[] = [
    // Conventional functions may also have Memory Write and Invalidate; status bits are all write-1-to-clear.
    { at: PCI_COMMAND, write: isPcie ? 0x0547 : 0x0557, clear: 0xf9000000 },
    { at: 0x0c, write: isPcie ? 0x00ff : 0xf8ff },
  ];
  if (!isBridge) return [...layout, { at: PCI_INTERRUPT_LINE, write: 0x000000ff }];
  return [
    ...layout,
    { at: 0x18, write: isPcie ? 0x00ffffff : 0xf8ffffff },
    { at: 0x1c, write: 0x0000f0f0, clear: 0xf9000000 },
    { at: 0x20, write: 0xfff0fff0 },
    { at: 0x24, write: 0xfff0fff0 },
    { at: 0x28, write: 0xffffffff },
    { at: 0x2c, write: 0xffffffff },
    { at: 0x30, write: 0xffffffff },
    { at: PCI_BRIDGE_CONTROL & ~3, write: 0x0b5f00ff, clear: 0x04000000 },
  ];
}

/** A VF shows no ids of its own: all-ones (PCIe 6.0 9.3.4.1.1). */
export function isVirtualFunction(config: Uint8Array): boolean {
  return config[0] === 0xff && config[1] === 0xff && config[2] === 0xff && config[3] === 0xff;
}

type Layout = (at: number, registers: Registers) => readonly RegisterBits[];

const STANDARD: Readonly<Record<number, Layout>> = {
  [PCI_CAP_ID_PM]: (at, { u16 }) => {
    // Without any PME support the enable and status bits are hardwired to zero.
    const pme = (u16(at + PCI_PM_PMC) & PCI_PM_CAP_PME_MASK) !== 0;
    return [
      {
        at: at + 4,
        write: 0x0003 | (pme ? 0x0100 : 0),
        clear: pme ? 0x8000 : 0,
        sticky: pme ? 0x8100 : 0,
        control: 0x0003,
      },
    ];
  },
  [PCI_CAP_ID_VPD]: (at) => [
    { at, write: 0xffff0000, control: 0xffff0000 },
    { at: at + 4, write: 0xffffffff, control: 0xffffffff },
  ],
  [PCI_CAP_ID_MSI]: (at, { u16 }) => {
    const flags = u16(at + PCI_MSI_FLAGS);
    const wide = (flags & PCI_MSI_FLAGS_64BIT) !== 0 ? 4 : 0;
    const vectors = 1 << ((flags & PCI_MSI_FLAGS_QMASK) >>> 1);
    const layout: RegisterBits[] = [
      { at, write: 0x00710000, control: 0x00010000 },
      { at: at + 4, write: 0xfffffffc },
      { at: at + 8 + wide, write: 0x0000ffff },
    ];
    if (wide !== 0) layout.push({ at: at + 8, write: 0xffffffff });
    if ((flags & PCI_MSI_FLAGS_MASKBIT) !== 0)
      layout.push({ at: at + 12 + wide, write: (2 ** Math.min(vectors, 32) - 1) >>> 0 });
    return layout;
  },
  [PCI_CAP_ID_PCIX]: (at) => [{ at, write: 0x007f0000, reset: 0x00300000 }],
  [PCI_CAP_ID_MSIX]: (at) => [{ at, write: 0xc0000000, control: 0xc0000000 }],
  [PCI_CAP_ID_EXP]: expressLayout,
};

const EXTENDED: Readonly<Record<number, Layout>> = {
  [PCI_EXT_CAP_ID_ERR]: errorLayout,
  [PCI_EXT_CAP_ID_ACS]: (at, { u16 }) => [
    { at: at + 4, write: (u16(at + PCI_ACS_CAP) & 0x7f) << 16 },
  ],
  [PCI_EXT_CAP_ID_ATS]: (at) => [{ at: at + 4, write: 0x801f0000 }],
  [PCI_EXT_CAP_ID_SRIOV]: (at, { u32 }) => [
    { at: at + 8, write: 0x0019, control: 0x0019 },
    { at: at + 0x10, write: 0xffff, control: 0xffff },
    { at: at + 0x20, write: u32(at + PCI_SRIOV_SUP_PGSIZE), reset: 1 },
  ],
  [PCI_EXT_CAP_ID_PRI]: (at) => [
    { at: at + 4, write: 0x0003, clear: 0x00030000 },
    { at: at + 12, write: 0xffffffff },
  ],
  [PCI_EXT_CAP_ID_LTR]: (at) => [{ at: at + 4, write: 0x1fff1fff }],
  [PCI_EXT_CAP_ID_PASID]: (at, { u16 }) => [{ at: at + 4, write: (1 | (u16(at + 4) & 0x6)) << 16 }],
  [PCI_EXT_CAP_ID_PTM]: (at) => [{ at: at + 8, write: 0xff03 }],
};

/** The registers of one capability that are more than read-only; empty for a capability that is not known. */
export function capabilityLayout(
  capability: Capability,
  extended: boolean,
  config: Uint8Array,
): readonly RegisterBits[] {
  const layout = (extended ? EXTENDED : STANDARD)[capability.id];
  if (layout === undefined) return [];
  const view = new DataView(config.buffer, config.byteOffset, config.byteLength);
  const registers: Registers = {
    isVirtual: isVirtualFunction(config),
    u16: (offset) => (offset + 2 <= config.length ? view.getUint16(offset, true) : 0),
    u32: (offset) => (offset + 4 <= config.length ? view.getUint32(offset, true) : 0),
  };
  return layout(capability.at, registers).filter(({ at }) => at + 4 <= config.length);
}

/** PCIe 6.0 7.5.3. What a register can do follows from the capability register beside it. */
function expressLayout(at: number, { isVirtual, u16, u32 }: Registers): readonly RegisterBits[] {
  // What a VF may do its PF controls; only errors are its own (PCIe 6.0 9.3.5).
  if (isVirtual) return [{ at: at + 0x08, clear: 0x000f0000 }];
  const flags = u16(at + PCI_EXP_FLAGS);
  const type = (flags >>> 4) & 0xf;
  const devcap = u32(at + PCI_EXP_DEVCAP);
  const control =
    0x7cff |
    ((devcap & PCI_EXP_DEVCAP_EXT_TAG) !== 0 ? 0x0100 : 0) |
    ((devcap & PCI_EXP_DEVCAP_PHANTOM) !== 0 ? 0x0200 : 0);
  const layout: RegisterBits[] = [
    // Relaxed ordering and no snoop on, 512 byte reads. The payload size belongs to the whole path, so an FLR keeps it.
    { at: at + 0x08, write: control, clear: 0x000f0000, reset: 0x2810, keptByFlr: 0x00e0 },
  ];
  const isRootComplexPart = type === PCI_EXP_TYPE_RC_END || type === PCI_EXP_TYPE_RC_EC;
  const isDownstream = type === PCI_EXP_TYPE_ROOT_PORT || type === PCI_EXP_TYPE_DOWNSTREAM;
  if (!isRootComplexPart) {
    const clockPm = (u32(at + PCI_EXP_LNKCAP) & PCI_EXP_LNKCAP_CLKPM) !== 0 ? 0x0100 : 0;
    layout.push({
      at: at + 0x10,
      write: 0x02cb | clockPm | (isDownstream ? 0x0c30 : 0),
      clear: isDownstream ? 0xc0000000 : 0,
      keptByFlr: 0x03cb,
    });
  }
  if (isDownstream && (flags & PCI_EXP_FLAGS_SLOT) !== 0)
    layout.push({ at: at + 0x18, write: 0x1fff, clear: 0x011f0000, reset: 0x03c0 });
  if (type === PCI_EXP_TYPE_ROOT_PORT) {
    layout.push({ at: at + 0x1c, write: 0x001f });
    layout.push({ at: at + 0x20, clear: 0x00010000 });
  }
  if ((flags & PCI_EXP_FLAGS_VERS) < 2) return layout;
  const devcap2 = u32(at + PCI_EXP_DEVCAP2);
  const isPort = type >= PCI_EXP_TYPE_ROOT_PORT && type <= PCI_EXP_TYPE_PCIE_BRIDGE;
  layout.push({
    at: at + 0x28,
    write:
      ((devcap2 & PCI_EXP_DEVCAP2_COMP_TMOUT) !== 0 ? 0x001f : 0) |
      0x0340 |
      ((devcap2 & PCI_EXP_DEVCAP2_LTR) !== 0 ? 0x0400 : 0) |
      (isPort ? 0x00a0 : 0) |
      ((devcap2 & PCI_EXP_DEVCAP2_EE_PREFIX) !== 0 ? 0x8000 : 0),
  });
  if (!isRootComplexPart) layout.push({ at: at + 0x30, write: 0xffbf, sticky: 0xffbf });
  return layout;
}

/** PCIe 6.0 7.8.4. All of it survives every reset, so that software can read after one what led to it. */
function errorLayout(at: number, { u32 }: Registers): readonly RegisterBits[] {
  const uncorrectable = 0x03fff030;
  const correctable = 0xf1c1;
  const capabilities = u32(at + PCI_ERR_CAP);
  const control =
    ((capabilities & PCI_ERR_CAP_ECRC_GENC) !== 0 ? PCI_ERR_CAP_ECRC_GENE : 0) |
    ((capabilities & PCI_ERR_CAP_ECRC_CHKC) !== 0 ? PCI_ERR_CAP_ECRC_CHKE : 0);
  return [
    { at: at + 0x04, clear: uncorrectable, sticky: uncorrectable },
    { at: at + 0x08, write: uncorrectable, sticky: uncorrectable, reset: 0x02400000 },
    { at: at + 0x0c, write: uncorrectable, sticky: uncorrectable, reset: 0x00462030 },
    { at: at + 0x10, clear: correctable, sticky: correctable },
    { at: at + 0x14, write: correctable, sticky: correctable, reset: 0xe000 },
    { at: at + PCI_ERR_CAP, write: control, sticky: control },
  ];
}
