import {
  type BarDescription,
  type FunctionDescription,
  PCI_D0,
  PCI_D1,
  PCI_D2,
  PCI_D3cold,
  PCI_D3hot,
  PCI_ROM_RESOURCE,
  PCI_UNKNOWN,
  type PciDevice,
  type PciDeviceFacts,
  type PciResource,
  powerStateName,
  readSysfsResource,
  resourceBars,
  resourceVfBars,
} from '@vfiokit/pci';
import type { HwProbe, RecordedDevice, RecordedFunction, RecordedRom } from '../trace/trace.js';
import { LearnedBlock, type RecordedBytes } from './learned-block.js';
import { learnRom, romContents } from './option-rom.js';
import { probedMasks } from './probed-masks.js';
import { type LiveRegisters, resetImages } from './reset-images.js';
import { disableVfs } from './sriov-registers.js';
import { unhex } from './unhex.js';

const BARS = 6;

/** A recorded function as the model builds it. */
export interface FunctionPlan {
  readonly description: FunctionDescription;
  readonly facts: PciDeviceFacts;
  /** What lies behind its BARs, by register number. */
  readonly blocks: readonly (LearnedBlock | undefined)[];
  /** A reset of any kind has gone over the function since this was last set to false. */
  wasReset: boolean;
  /** The function was made of this. */
  attach(pdev: PciDevice): void;
  /** Takes bytes of the option ROM over that were not recorded with the machine. */
  learnRom(recorded: RecordedBytes): void;
}

/** What belongs to a recorded function beside its attributes. */
export interface PlanOptions {
  readonly probe?: HwProbe | undefined;
  readonly rom?: RecordedRom | null | undefined;
  /** Describes a VF of a physical function, counted from 0. */
  readonly virtualFunction?: (vf: number) => FunctionDescription;
}

/** Describes a function that was recorded with its configuration space. */
export function planFunction(
  recorded: RecordedDevice,
  { probe, rom, virtualFunction }: PlanOptions = {},
): FunctionPlan {
  const resources = resourcesOf(recorded);
  const blocks = resources
    .slice(0, BARS)
    .map(({ length }) => (length === 0 ? undefined : new LearnedBlock()));
  const contents = romContents(rom);
  const registers: LiveRegisters = {};
  const config = new Uint8Array(recorded.cfg_size);
  config.set(unhex(recorded.config));
  const plan: FunctionPlan = {
    wasReset: false,
    description: {
      config: disableVfs(config.slice()),
      configSize: recorded.cfg_size,
      ...probedMasks(probe, config),
      bars: resourceBars(resources).map((bar, i) => withBlock(bar, blocks[i])),
      ...(virtualFunction && { vfBars: vfBars(resources, recorded), virtualFunction }),
      rom: contents ?? resources[PCI_ROM_RESOURCE]?.length ?? 0,
      resets: resetImages(probe, registers),
      onReset: () => {
        plan.wasReset = true;
      },
    },
    facts: {
      resources,
      resetMethods: (recorded.reset_method ?? '').split(' ').filter((name) => name !== ''),
      irq: Number(recorded.irq ?? 0),
      ids: idsOf(recorded),
      powerState: powerStateOf(recorded.power_state),
      ...(probe === undefined ? {} : { intxMaskable: probe.intx_mask_supported }),
    },
    blocks,
    attach: (pdev) => {
      registers.bytes = pdev.function.config.bytes;
    },
    learnRom: (bytes) => {
      if (contents !== undefined) learnRom(contents, bytes);
    },
  };
  return plan;
}

/** Ids as sysfs has them, which are right for a VF too. */
export function idsOf(recorded: RecordedFunction): NonNullable<PciDeviceFacts['ids']> {
  return {
    vendor: Number(recorded.vendor),
    device: Number(recorded.device),
    subsystemVendor: Number(recorded.subsystem_vendor ?? 0),
    subsystemDevice: Number(recorded.subsystem_device ?? 0),
    class: Number(recorded.class),
  };
}

/** Of the BARs, the ROM, and on a PF of the VFs' BARs. */
function resourcesOf({ resource, bdf }: RecordedDevice): readonly PciResource[] {
  return readSysfsResource(resource.join('\n'), bdf);
}

/** A D-state by its name in sysfs's `power_state`; D0 where the recorder found none. */
function powerStateOf(name = powerStateName(PCI_D0)): number {
  const states = [PCI_D0, PCI_D1, PCI_D2, PCI_D3hot, PCI_D3cold, PCI_UNKNOWN];
  return states.find((state) => powerStateName(state) === name) ?? PCI_D0;
}

function withBlock(
  bar: BarDescription | undefined,
  block: LearnedBlock | undefined,
): BarDescription | undefined {
  return bar && block && { ...bar, block };
}

/** The windows of one VF each, out of the resources that all VFs of a PF have together. */
function vfBars(
  resources: readonly PciResource[],
  { sriov_totalvfs }: RecordedDevice,
): readonly (BarDescription | undefined)[] {
  const total = Number(sriov_totalvfs ?? 0);
  return total === 0 ? [] : resourceVfBars(resources, total);
}
