import {
  type BarDescription,
  type FunctionDescription,
  type PciDevice,
  type PciDeviceFacts,
  PciResource,
} from '@vfiokit/pci';
import type { HwProbe, RecordedDevice, RecordedFunction, RecordedRom } from '../trace/trace.js';
import { LearnedBlock, type RecordedBytes } from './learned-block.js';
import { learnRom, romContents } from './option-rom.js';
import { probedMasks } from './probed-masks.js';
import { type LiveRegisters, resetImages } from './reset-images.js';
import { disableVfs } from './sriov-registers.js';
import { unhex } from './unhex.js';

const BARS = 6;
const ROM = 6;
const FIRST_VF_RESOURCE = 7;
const POWER_STATES = ['D0', 'D1', 'D2', 'D3hot', 'D3cold', 'unknown'];

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

/** Lines of sysfs's `resource`: start, last address and flags of the BARs, the ROM, and on a PF of the VFs' BARs. */
export function parseResources(lines: readonly string[]): PciResource[] {
  return lines.map((line) => {
    const [start = '0', end = '0', flags = '0'] = line.split(' ');
    const length = BigInt(end) === 0n ? 0 : Number(BigInt(end) - BigInt(start) + 1n);
    return new PciResource(BigInt(start), length, Number(flags));
  });
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
  const resources = parseResources(recorded.resource);
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
      bars: resources.slice(0, BARS).map((resource, i) => describeBar(resource, blocks[i])),
      ...(virtualFunction && { vfBars: vfBars(recorded), virtualFunction }),
      rom: contents ?? resources[ROM]?.length ?? 0,
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
      powerState: Math.max(0, POWER_STATES.indexOf(recorded.power_state ?? 'D0')),
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

function describeBar(
  resource: PciResource,
  block: LearnedBlock | undefined,
): BarDescription | undefined {
  if (block === undefined) return undefined;
  return {
    size: resource.length,
    kind: resource.isIo ? 'io' : 'memory',
    is64Bit: resource.is64Bit,
    prefetchable: resource.isPrefetchable,
    block,
  };
}

/** The windows of one VF each, out of the resources that all VFs of a PF have together. */
function vfBars({
  resource,
  sriov_totalvfs,
}: RecordedDevice): readonly (BarDescription | undefined)[] {
  const total = Number(sriov_totalvfs ?? 0);
  return parseResources(resource.slice(FIRST_VF_RESOURCE))
    .slice(0, BARS)
    .map(({ length, isIo, is64Bit, isPrefetchable }) =>
      length === 0 || total === 0
        ? undefined
        : {
            size: length / total,
            kind: isIo ? 'io' : 'memory',
            is64Bit,
            prefetchable: isPrefetchable,
          },
    );
}
