import {
  PCI_CAP_ID_MSIX,
  PCI_CLASS_DISPLAY_VGA,
  PCI_MSIX_ENTRY_SIZE,
  PCI_MSIX_FLAGS,
  PCI_MSIX_FLAGS_QSIZE,
  PCI_MSIX_TABLE,
  PCI_MSIX_TABLE_BIR,
  type PciDevice,
} from '@vfiokit/pci';
import { ENODEV } from '@vfiokit/uapi';
import type { VirtualConfig } from '../config/virtual-config.js';
import type { KernelConfig } from '../parameters.js';
import type { UndoStack } from '../undo-stack.js';
import { BarRegion, type MsixTable } from './bar-region.js';
import { ConfigRegion } from './config-region.js';
import type { Mappings } from './mappings.js';
import type { MemoryGate } from './memory-gate.js';
import type { Region } from './region.js';
import { RomRegion } from './rom-region.js';
import { VgaRegion } from './vga-region.js';

const BARS = [0, 1, 2, 3, 4, 5] as const;

/** What {@link FixedRegions} is made from at the first open. */
export interface FixedRegionsOptions {
  readonly pdev: PciDevice;
  readonly kernel: KernelConfig;
  readonly space: VirtualConfig;
  readonly gate: MemoryGate;
  readonly mappings: Mappings;
  /** The parameter `disable_vga`. */
  readonly disableVga: boolean;
  /** What I/O BARs ask; nothing in the kernel (quirk W17). */
  readonly portGate: MemoryGate | undefined;
  /** Where reservations are noted, to be given back at the last close. */
  readonly undos: UndoStack;
}

/** The nine regions that every PCI device has, by index: six BARs, ROM, configuration, VGA. */
export class FixedRegions {
  readonly bars: readonly BarRegion[];
  readonly regions: readonly Region[];
  /** Why a BAR can't be accessed: 0 or a negated errno each. */
  readonly barErrors: readonly number[];
  readonly msixTable: MsixTable | undefined;

  constructor(options: FixedRegionsOptions) {
    const { pdev, kernel, space, gate, mappings, undos } = options;
    const msixTable = findMsixTable(pdev);
    this.msixTable = msixTable;
    this.barErrors = BARS.map((bar) => reserveBar(pdev, bar, undos));
    this.bars = BARS.map(
      (index) =>
        new BarRegion({
          pdev,
          index,
          error: this.barErrors[index]!,
          mappable: canMap(pdev, index, kernel, undos),
          msixTable,
          gate,
          mappings,
          portGate: options.portGate,
        }),
    );
    const hasVga = kernel.vga && !options.disableVga && pdev.class >>> 8 === PCI_CLASS_DISPLAY_VGA;
    this.regions = [
      ...this.bars,
      new RomRegion(pdev, gate),
      new ConfigRegion(space),
      new VgaRegion(pdev, hasVga),
    ];
  }
}

function findMsixTable(pdev: PciDevice): MsixTable | undefined {
  const position = pdev.findCapability(PCI_CAP_ID_MSIX);
  if (position === 0) return undefined;
  const flags = pdev.config.read(position + PCI_MSIX_FLAGS, 2);
  const table = pdev.config.read(position + PCI_MSIX_TABLE, 4);
  return {
    bar: table & PCI_MSIX_TABLE_BIR,
    offset: (table & ~PCI_MSIX_TABLE_BIR) >>> 0,
    size: ((flags & PCI_MSIX_FLAGS_QSIZE) + 1) * PCI_MSIX_ENTRY_SIZE,
  };
}

/** A BAR that somebody else holds does not fail the open; it fails its own accesses (vfio_pci_core_map_bars). */
function reserveBar(pdev: PciDevice, bar: number, undos: UndoStack): number {
  if (pdev.nonMappableBars || pdev.resources[bar]!.length === 0) return -ENODEV;
  const error = pdev.reservations.reserve(bar);
  if (error === 0) undos.push(() => pdev.reservations.release(bar));
  return error;
}

/** Whole pages can be mapped; a smaller BAR only if nothing else can come to lie in its page (vfio_pci_probe_mmaps). */
function canMap(pdev: PciDevice, index: number, kernel: KernelConfig, undos: UndoStack): boolean {
  const resource = pdev.resources[index]!;
  const never = !kernel.mmap || pdev.nonMappableBars;
  if (never || !resource.isMemory || resource.length === 0) return false;
  if (resource.length >= kernel.pageSize) return true;
  if (resource.start % BigInt(kernel.pageSize) !== 0n) return false;
  if (!pdev.reservations.reserveRemainder(index)) return false;
  undos.push(() => pdev.reservations.releaseRemainder(index));
  return true;
}
