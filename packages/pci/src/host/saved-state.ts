import { EINVAL } from '@vfiokit/uapi';
import {
  PCI_ACS_CTRL,
  PCI_ATS_CTRL,
  PCI_CAP_ID_PCIX,
  PCI_ERR_CAP,
  PCI_ERR_COR_MASK,
  PCI_ERR_COR_STATUS,
  PCI_ERR_UNCOR_MASK,
  PCI_ERR_UNCOR_SEVER,
  PCI_ERR_UNCOR_STATUS,
  PCI_EXP_DEVCTL,
  PCI_EXP_DEVCTL2,
  PCI_EXP_LNKCTL,
  PCI_EXP_LNKCTL2,
  PCI_EXP_RTCTL,
  PCI_EXP_SLTCTL,
  PCI_EXP_SLTCTL2,
  PCI_EXT_CAP_ID_ACS,
  PCI_EXT_CAP_ID_ATS,
  PCI_EXT_CAP_ID_ERR,
  PCI_EXT_CAP_ID_LTR,
  PCI_EXT_CAP_ID_PASID,
  PCI_EXT_CAP_ID_PRI,
  PCI_EXT_CAP_ID_PTM,
  PCI_X_CMD,
} from '../regs/index.js';
import type { PciDevice } from './pci-device.js';

/** One register that is saved and restored. */
interface SavedRegister {
  readonly at: number;
  readonly size: 2 | 4;
  readonly value: number;
}

/** Configuration space as the PCI core keeps it over resets and power states (struct pci_saved_state). */
export interface SavedState {
  /** The header, 16 dwords. */
  readonly header: readonly number[];
  /** Capability registers, in the order in which they are read. */
  readonly registers: readonly SavedRegister[];
}

/** PCI Express control registers, in the order of pci_save_pcie_state. */
const EXPRESS = [
  PCI_EXP_DEVCTL,
  PCI_EXP_LNKCTL,
  PCI_EXP_SLTCTL,
  PCI_EXP_RTCTL,
  PCI_EXP_DEVCTL2,
  PCI_EXP_LNKCTL2,
  PCI_EXP_SLTCTL2,
] as const;

/**
 * Registers of extended capabilities. The kernel keeps some of them as saved state and rebuilds others from what it
 * knows (pci_restore_ats_state, pci_enable_acs …); either way they come back.
 */
const EXTENDED: readonly (readonly [id: number, size: 2 | 4, offsets: readonly number[]])[] = [
  [PCI_EXT_CAP_ID_LTR, 4, [4]],
  [PCI_EXT_CAP_ID_ERR, 4, [PCI_ERR_UNCOR_MASK, PCI_ERR_UNCOR_SEVER, PCI_ERR_COR_MASK, PCI_ERR_CAP]],
  [PCI_EXT_CAP_ID_PTM, 2, [8]],
  [PCI_EXT_CAP_ID_PASID, 2, [6]],
  [PCI_EXT_CAP_ID_PRI, 2, [4]],
  [PCI_EXT_CAP_ID_ATS, 2, [PCI_ATS_CTRL]],
  [PCI_EXT_CAP_ID_ACS, 2, [PCI_ACS_CTRL]],
];

/** Reads what has to come back: the header, then control registers of the capabilities (pci_save_state). */
export function saveState(device: PciDevice): SavedState {
  const { config } = device;
  const header = Array.from({ length: 16 }, (_, dword) => config.read(4 * dword, 4));
  const registers = savedRegisters(device).map(({ at, size }) => ({
    at,
    size,
    value: config.read(at, size),
  }));
  return { header, registers };
}

/** Writes it back: capabilities first, BARs before COMMAND (pci_restore_state). */
export function restoreState(device: PciDevice, state: SavedState): void {
  const { config } = device;
  const pcix = device.findCapability(PCI_CAP_ID_PCIX);
  clearErrorStatus(device);
  for (const { at, size, value } of state.registers)
    if (at !== pcix + PCI_X_CMD || pcix === 0) config.write(at, size, value);
  restoreHeader(device, state.header);
  for (const { at, size, value } of state.registers)
    if (at === pcix + PCI_X_CMD && pcix !== 0) config.write(at, size, value);
}

/** Checks that a saved state belongs to this device; 0 or `-EINVAL` (pci_load_saved_state). */
export function fitsDevice(device: PciDevice, state: SavedState): number {
  const own = savedRegisters(device);
  const same =
    own.length === state.registers.length &&
    own.every(({ at, size }, index) => {
      const other = state.registers[index]!;
      return other.at === at && other.size === size;
    });
  return same ? 0 : -EINVAL;
}

function savedRegisters(device: PciDevice): readonly Omit<SavedRegister, 'value'>[] {
  const registers: Omit<SavedRegister, 'value'>[] = [];
  for (const offset of EXPRESS)
    if (device.express.implements(offset))
      registers.push({ at: device.express.at + offset, size: 2 });
  const pcix = device.findCapability(PCI_CAP_ID_PCIX);
  if (pcix !== 0) registers.push({ at: pcix + PCI_X_CMD, size: 2 });
  for (const [id, size, offsets] of EXTENDED) {
    const at = device.findExtendedCapability(id);
    if (at !== 0) for (const offset of offsets) registers.push({ at: at + offset, size });
  }
  return registers;
}

/** Errors from before the reset say nothing about the time after it (pci_aer_clear_status). */
function clearErrorStatus(device: PciDevice): void {
  const at = device.findExtendedCapability(PCI_EXT_CAP_ID_ERR);
  if (at === 0) return;
  for (const offset of [PCI_ERR_COR_STATUS, PCI_ERR_UNCOR_STATUS]) {
    const status = device.config.read(at + offset, 4);
    if (status > 0) device.config.write(at + offset, 4, status);
  }
}

/** Dwords of the header in the order of pci_restore_config_space, each written only if it differs. */
function restoreHeader({ config, headerType }: PciDevice, header: readonly number[]): void {
  const ranges = headerType === 0 ? NORMAL : headerType === 1 ? BRIDGE : WHOLE;
  for (const { first, last, force } of ranges)
    for (let dword = last; dword >= first; dword -= 1) {
      const saved = header[dword]!;
      // A dword that could not be read cannot be restored either.
      if (saved < 0 || (config.read(4 * dword, 4) === saved && !force)) continue;
      config.write(4 * dword, 4, saved);
    }
}

const NORMAL = [
  { first: 10, last: 15, force: false },
  // BARs before the command register, so that nothing is decoded at a stale address.
  { first: 4, last: 9, force: false },
  { first: 0, last: 3, force: false },
] as const;

const BRIDGE = [
  { first: 12, last: 15, force: false },
  // The upper halves of the windows go together with the lower ones, whether they differ or not.
  { first: 9, last: 11, force: true },
  { first: 0, last: 8, force: false },
] as const;

const WHOLE = [{ first: 0, last: 15, force: false }] as const;
