import {
  type BarDescription,
  type FunctionDescription,
  PCI_CAP_ID_MSI,
  PCI_CAP_ID_MSIX,
  PCI_CAP_ID_PM,
  PCI_EXT_CAP_ID_SRIOV,
  PCI_MSI_FLAGS,
  PCI_MSI_FLAGS_ENABLE,
  PCI_MSI_FLAGS_QSIZE,
  PCI_MSIX_FLAGS,
  PCI_PM_CTRL,
  PCI_SRIOV_CTRL,
  PCI_SRIOV_NUM_VF,
  PciAddress,
  type PciDevice,
  type PciDeviceFacts,
  PciResource,
  walkCapabilities,
  walkExtendedCapabilities,
} from '@vfiokit/pci';
import { LearnedBlock, type RecordedBytes } from './learned-block.js';
import type { HwProbe, RecordedDevice, RecordedFunction, RecordedRom } from './trace.js';

const BARS = 6;
const ROM = 6;
const FIRST_VF_RESOURCE = 7;
/** Bytes of an option ROM that a trace's first line holds. */
const ROM_RECORDED = 4096;
const ROM_DATA_POINTER = 0x18;
const ROM_DATA_SIZE = 0x18;
/** "PCIR". */
const ROM_DATA_SIGNATURE = 0x52494350;
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

/** Hex to bytes. */
export function unhex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

/** Lines of sysfs's `resource`: start, last address and flags of the BARs, the ROM, and on a PF of the VFs' BARs. */
export function parseResources(lines: readonly string[]): PciResource[] {
  return lines.map((line) => {
    const [start = '0', end = '0', flags = '0'] = line.split(' ');
    const length = BigInt(end) === 0n ? 0 : Number(BigInt(end) - BigInt(start) + 1n);
    return new PciResource(BigInt(start), length, Number(flags));
  });
}

export interface PlanOptions {
  /** Describes a VF of a physical function, counted from 0. */
  readonly virtualFunction?: (vf: number) => FunctionDescription;
}

/** Describes a function that was recorded with its configuration space. */
export function planFunction(
  recorded: RecordedDevice,
  probe: HwProbe | undefined,
  rom: RecordedRom | null | undefined,
  options: PlanOptions = {},
): FunctionPlan {
  const resources = parseResources(recorded.resource);
  const blocks = resources
    .slice(0, BARS)
    .map(({ length }) => (length === 0 ? undefined : new LearnedBlock()));
  const contents = romContents(rom);
  const registers: Registers = {};
  const config = new Uint8Array(recorded.cfg_size);
  config.set(unhex(recorded.config));
  const resets = resetImages(probe, registers);
  const plan: FunctionPlan = {
    wasReset: false,
    description: {
      config: disableVfs(config.slice()),
      configSize: recorded.cfg_size,
      ...(probe === undefined
        ? {}
        : {
            writeMask: unhex(probe.wmask),
            write1ToClear: clearedByOne(probe, config),
            hardwired: hardwired(probe, recorded.cfg_size),
          }),
      bars: resources.slice(0, BARS).map((resource, i) => describeBar(resource, blocks[i])),
      ...(Number(recorded.sriov_totalvfs ?? 0) > 0
        ? {
            vfBars: vfBars(recorded),
            ...(options.virtualFunction && { virtualFunction: options.virtualFunction }),
          }
        : {}),
      rom: contents ?? resources[ROM]?.length ?? 0,
      resets,
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
      registers.live = pdev.function.config.bytes;
    },
    learnRom: ({ offset, hex }) => {
      // What a read of the ROM shows beyond the recorded part is known from then on.
      const from = Math.max(offset, ROM_RECORDED);
      if (contents !== undefined && from < contents.length)
        contents.set(unhex(hex).subarray(from - offset, contents.length - offset), from);
    },
  };
  return plan;
}

function idsOf(recorded: RecordedFunction): NonNullable<PciDeviceFacts['ids']> {
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

function romContents(rom: RecordedRom | null | undefined): Uint8Array | undefined {
  if (rom === null || rom === undefined || rom.len === 0) return undefined;
  const contents = new Uint8Array(rom.len);
  contents.set(unhex(rom.hex));
  const view = new DataView(contents.buffer);
  const data = rom.len > ROM_RECORDED ? view.getUint16(ROM_DATA_POINTER, true) : 0;
  if (data >= ROM_RECORDED && data + ROM_DATA_SIZE <= rom.len) {
    // The kernel found images of this length, so the data structure that was not recorded has to say so.
    view.setUint32(data, ROM_DATA_SIGNATURE, true);
    view.setUint16(data + 0x0a, ROM_DATA_SIZE, true);
    view.setUint16(data + 0x10, rom.len / 512, true);
    contents[data + 0x15] = 0x80;
  }
  return contents;
}

/** The registers of a function once it exists. */
interface Registers {
  live?: Uint8Array;
}

/**
 * What resets do to the registers. The probe reset the function once by each method, with nothing saved or restored:
 * registers that changed then take that value in every reset, all others stay as they are. A method that was not probed
 * does what another does; without any probe the registers are switched off.
 */
function resetImages(
  probe: HwProbe | undefined,
  registers: Registers,
): NonNullable<FunctionDescription['resets']> {
  const before = unhex(probe?.config ?? '');
  const image = (after: string) => {
    const bytes = unhex(after);
    const changed: number[] = [];
    for (let i = 0; i < Math.max(bytes.length, before.length); i += 1)
      if ((bytes[i] ?? 0) !== (before[i] ?? 0)) changed.push(i);
    return () => {
      const now = registers.live!.slice();
      for (const i of changed) now[i] = bytes[i] ?? 0;
      return disableVfs(now);
    };
  };
  const flr = probe?.after_raw_flr ?? probe?.after_raw_af;
  const soft = probe?.after_raw_d3_d0;
  const lazily = (after: string | undefined) => ({
    get: after === undefined ? () => switchedOff(registers.live!) : image(after),
  });
  return Object.defineProperties(
    {},
    { flr: lazily(flr ?? soft), soft: lazily(soft ?? flr), bus: lazily(soft ?? flr) },
  );
}

const COMMAND = 0x04;
const CACHE_LINE = 0x0c;
const LATENCY = 0x0d;
const BAR_REGISTERS = [0x10, 0x14, 0x18, 0x1c, 0x20, 0x24] as const;
const ROM_REGISTER = 0x30;

/** The least that any reset does: nothing is decoded any more, no message is sent, the function is awake. */
function switchedOff(live: Uint8Array): Uint8Array {
  const bytes = live.slice();
  const view = new DataView(bytes.buffer);
  view.setUint16(COMMAND, 0, true);
  bytes[CACHE_LINE] = 0;
  bytes[LATENCY] = 0;
  for (const at of BAR_REGISTERS) {
    const typeBits = (bytes[at]! & 1) !== 0 ? 0x3 : 0xf;
    view.setUint32(at, view.getUint32(at, true) & typeBits, true);
  }
  view.setUint32(ROM_REGISTER, 0, true);
  for (const { id, at } of walkCapabilities(bytes).capabilities) {
    if (id === PCI_CAP_ID_MSI)
      bytes[at + PCI_MSI_FLAGS]! &= ~(PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE);
    if (id === PCI_CAP_ID_MSIX) bytes[at + PCI_MSIX_FLAGS + 1]! &= 0x3f;
    if (id === PCI_CAP_ID_PM) bytes[at + PCI_PM_CTRL]! &= ~D_STATE;
  }
  return disableVfs(bytes);
}

/** Where the SR-IOV capability is; undefined without one. */
function sriovOf(config: Uint8Array): number | undefined {
  return walkExtendedCapabilities(config).capabilities.find(({ id }) => id === PCI_EXT_CAP_ID_SRIOV)
    ?.at;
}

/** Takes the VFs of a PF away, in its registers: what any reset does, and how the PF was before they were enabled. */
function disableVfs(config: Uint8Array): Uint8Array {
  const sriov = sriovOf(config);
  if (sriov === undefined) return config;
  config[sriov + PCI_SRIOV_CTRL]! &= ~SRIOV_ENABLED;
  config.fill(0, sriov + PCI_SRIOV_NUM_VF, sriov + PCI_SRIOV_NUM_VF + 2);
  return config;
}

/** What the probe saw being cleared by 1. It wrote 0 to the SR-IOV control register, which tells nothing. */
function clearedByOne({ w1c_seen }: HwProbe, config: Uint8Array): Uint8Array {
  const bits = unhex(w1c_seen);
  const sriov = sriovOf(config);
  if (sriov !== undefined) bits.fill(0, sriov + PCI_SRIOV_CTRL, sriov + PCI_SRIOV_CTRL + 2);
  return bits;
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

const D_STATE = 0x03;

/** Bits that do not follow writes although their capability says so: D-states of a function that has only D0. */
function hardwired({ in_raw_d3hot }: HwProbe, size: number): Uint8Array {
  const bits = new Uint8Array(size);
  if (in_raw_d3hot === undefined) return bits;
  const asleep = new Uint8Array(size);
  asleep.set(unhex(in_raw_d3hot));
  const pm = walkCapabilities(asleep).capabilities.find(({ id }) => id === PCI_CAP_ID_PM);
  if (pm !== undefined && (asleep[pm.at + PCI_PM_CTRL]! & D_STATE) !== D_STATE)
    bits[pm.at + PCI_PM_CTRL] = D_STATE;
  return bits;
}

const HEADER_TYPE = 0x0e;
const SECONDARY_BUS = 0x19;
const CLASS_BRIDGE = 0x0604;
const EXPRESS = 0x40;
const EXPRESS_ROOT_PORT = 0x42;

/** Where a bridge leads, seen from the paths of the functions that were recorded: by its address. */
export function busesBehind(devices: readonly RecordedDevice[]): ReadonlyMap<string, number> {
  const behind = new Map<string, number>();
  for (const { path = '' } of devices) {
    const addresses = path.split('/').map((part) => PciAddress.tryParse(part));
    for (const [i, bridge] of addresses.entries()) {
      const below = addresses[i + 1];
      if (bridge !== undefined && below !== undefined) behind.set(bridge.toString(), below.bus);
    }
  }
  return behind;
}

const SRIOV = 0x100;
/** VF Enable and VF Memory Space Enable. */
const SRIOV_ENABLED = 0x09;

/** What is known of a function that was not recorded itself, from those that were. */
export interface NeighbourFacts {
  /** The bus behind it, if it is a bridge. */
  readonly secondary: number | undefined;
  /** It is the PF of a function that was recorded. */
  readonly hasVfs: boolean;
}

/** A function of which only ids and class were recorded: enough to be found on its bus. */
export function planNeighbour(
  recorded: RecordedFunction,
  { secondary, hasVfs }: NeighbourFacts,
): FunctionPlan {
  const config = new Uint8Array(4096);
  const view = new DataView(config.buffer);
  const ids = idsOf(recorded);
  view.setUint16(0x00, ids.vendor!, true);
  view.setUint16(0x02, ids.device!, true);
  view.setUint32(0x08, (ids.class! << 8) | Number(recorded.revision ?? 0), true);
  if (hasVfs) {
    // SR-IOV with its VFs enabled and their memory decoded.
    view.setUint32(SRIOV, 0x00010010, true);
    config[SRIOV + 8] = SRIOV_ENABLED;
  }
  if (ids.class! >>> 8 === CLASS_BRIDGE && secondary !== undefined) {
    config[HEADER_TYPE] = 1;
    config[SECONDARY_BUS] = secondary;
    config[SECONDARY_BUS + 1] = secondary;
    // Ports of PCI Express are the only bridges that a machine has several of; its links work.
    config[0x06] = 0x10;
    config[0x34] = EXPRESS;
    config.set([0x10, 0x00, EXPRESS_ROOT_PORT, 0x00], EXPRESS);
  }
  return {
    wasReset: false,
    description: { config },
    facts: { ids, resetMethods: [] },
    blocks: [],
    attach() {},
    learnRom() {},
  };
}
