import {
  PCI_BASE_ADDRESS_0,
  PCI_CAP_ID_AF,
  PCI_CAP_ID_EXP,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_CAP_ID_PM,
  PCI_CAP_ID_VPD,
  PCI_CFG_SPACE_EXP_SIZE,
  PCI_CFG_SPACE_SIZE,
  PCI_EXT_CAP_ID_ERR,
  PCI_EXT_CAP_ID_SRIOV,
  PCI_SRIOV_BAR,
  PCI_SRIOV_NUM_BARS,
} from '../regs/index.js';
import { type BarDescription, barCount, checkBar, readBars, romRegister } from './base-address.js';
import { type Capability, walkCapabilities, walkExtendedCapabilities } from './capability-walk.js';
import { ConfigSpace } from './config-space.js';
import type { FunctionDescription, ResetKind, ResetOutcome } from './function-description.js';
import { isVirtualFunction } from './register-layout.js';
import { type RegisterMasks, registerMasks, romSizeOfMask, showBars } from './register-masks.js';

/** The registers of a function, made from its description. */
export interface FunctionRegisters {
  readonly config: ConfigSpace;
  readonly bars: readonly (BarDescription | undefined)[];
  readonly vfBars: readonly (BarDescription | undefined)[];
  /** Where the first VF BAR register is; 0 for a function that is no PF. */
  readonly vfBarAt: number;
  readonly romSize: number;
  /** Where the first capability of a kind is that lies completely inside the space; 0 without one. */
  capability(id: number): number;
  extendedCapability(id: number): number;
  reset(kind: ResetKind): void;
}

/** How many bytes a modelled capability must have; one that is cut off is just bytes. */
const NEEDED: Readonly<Record<number, number>> = {
  [PCI_CAP_ID_PM]: 8,
  [PCI_CAP_ID_VPD]: 8,
  [PCI_CAP_ID_MSI]: 0x18,
  [PCI_CAP_ID_EXP]: 0x14,
  [PCI_CAP_ID_MSIX]: 12,
  [PCI_CAP_ID_AF]: 8,
};
const NEEDED_EXTENDED: Readonly<Record<number, number>> = {
  [PCI_EXT_CAP_ID_ERR]: 0x2c,
  [PCI_EXT_CAP_ID_SRIOV]: 0x40,
};

/** Lays out the registers of a function. Throws VfioError EINVAL for BARs that cannot be. */
export function realize(description: FunctionDescription): FunctionRegisters {
  const { config: given, writeMask, write1ToClear, hardwired, rom } = description;
  const size =
    description.configSize ??
    (given.length > PCI_CFG_SPACE_SIZE ? PCI_CFG_SPACE_EXP_SIZE : PCI_CFG_SPACE_SIZE);
  const bytes = new Uint8Array(size);
  bytes.set(given.subarray(0, size));
  const capabilities = walkCapabilities(bytes).capabilities;
  const extendedCapabilities = walkExtendedCapabilities(bytes).capabilities;
  const capability = (id: number) => position(capabilities, id, NEEDED, PCI_CFG_SPACE_SIZE);
  const extendedCapability = (id: number) =>
    position(extendedCapabilities, id, NEEDED_EXTENDED, size);

  // The BARs of a VF are its PF's; its own registers read zero (PCIe 6.0 9.3.4.1.11).
  const isVirtual = isVirtualFunction(bytes);
  const bars =
    description.bars ??
    (isVirtual ? [] : readBars(bytes, PCI_BASE_ADDRESS_0, barCount(bytes), writeMask));
  checkBars(bytes, bars);
  if (!isVirtual) showBars(bytes, PCI_BASE_ADDRESS_0, bars);
  const sriov = extendedCapability(PCI_EXT_CAP_ID_SRIOV);
  const vfBarAt = sriov === 0 ? 0 : sriov + PCI_SRIOV_BAR;
  const vfBars =
    vfBarAt === 0
      ? []
      : (description.vfBars ?? readBars(bytes, vfBarAt, PCI_SRIOV_NUM_BARS, writeMask));
  if (vfBarAt !== 0) showBars(bytes, vfBarAt, vfBars);
  const romSize = sizeOfRom(rom, romRegister(bytes), writeMask);

  const masks = registerMasks({
    config: bytes,
    capabilities,
    extendedCapabilities,
    bars: isVirtual ? [] : bars,
    vfBars,
    romSize,
    writeMask,
    write1ToClear,
    hardwired,
  });
  const config = new ConfigSpace({
    bytes,
    size,
    writeMask: masks.writeMask,
    write1ToClear: masks.write1ToClear,
  });
  return {
    config,
    bars,
    vfBars,
    vfBarAt,
    romSize,
    capability,
    extendedCapability,
    reset: (kind) => resetRegisters(config, masks, kind, description.resets?.[kind]),
  };
}

function position(
  capabilities: readonly Capability[],
  id: number,
  needed: Readonly<Record<number, number>>,
  end: number,
): number {
  const at = capabilities.find((capability) => capability.id === id)?.at ?? 0;
  return at + (needed[id] ?? 4) <= end ? at : 0;
}

function checkBars(config: Uint8Array, bars: readonly (BarDescription | undefined)[]): void {
  const count = barCount(config);
  for (const [index, bar] of bars.entries())
    if (bar !== undefined) checkBar('pci function', index, count, bar);
}

function sizeOfRom(
  rom: Uint8Array | number | undefined,
  register: number,
  writeMask: Uint8Array | undefined,
): number {
  if (register === 0) return 0;
  if (typeof rom === 'number') return rom;
  const probed = writeMask === undefined ? 0 : romSizeOfMask(writeMask, register);
  if (rom === undefined || probed >= rom.length) return probed;
  return Math.max(2048, 2 ** Math.ceil(Math.log2(rom.length)));
}

/** Puts registers back: as was recorded, or to their power-on values but for what this kind of reset spares. */
function resetRegisters(
  config: ConfigSpace,
  masks: RegisterMasks,
  kind: ResetKind,
  outcome: ResetOutcome | undefined,
): void {
  if (outcome !== undefined) {
    const image = typeof outcome === 'function' ? outcome(config.bytes.slice()) : outcome;
    config.bytes.fill(0);
    config.poke(0, image.subarray(0, config.size));
    return;
  }
  const { powerOn, sticky, keptByFlr } = masks;
  for (let i = 0; i < config.size; i += 1) {
    const flr = kind === 'flr' ? keptByFlr[i]! : 0;
    const kept = kind === 'cold' ? 0 : sticky[i]! | flr;
    config.bytes[i] = (config.bytes[i]! & kept) | (powerOn[i]! & ~kept);
  }
}
