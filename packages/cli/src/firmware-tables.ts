import type { DeviceExtension } from '@vfiokit/core';
import type { MachineDescription } from '@vfiokit/host';
import { Igd } from '@vfiokit/igd';
import type { NvlinkPlatform } from '@vfiokit/nvlink';
import { MemoryBlock, type PciDevice } from '@vfiokit/pci';
import {
  type ClpFunction,
  type ClpFunctionGroup,
  ZpciFunction,
  type ZpciFunctions,
} from '@vfiokit/zpci';

/** A table of a machine's firmware by the names of functions; undefined where the machine has none. */
function table<T>(
  { firmware }: MachineDescription,
  name: string,
): Readonly<Record<string, T>> | undefined {
  return firmware?.[name] as Readonly<Record<string, T>> | undefined;
}

const OPREGION_AT = 0x6f00_0000;
const OPREGION_SIZE = 0x2000;
const VBT_SIZE = 0x1800;
const ASLS = 0xfc;

/** Graphics whose firmware left an OpRegion in memory, with its VBT behind it if the machine says so. */
export function opregionExtension(machine: MachineDescription): DeviceExtension | undefined {
  const options = machine.firmware?.opregion as { readonly vbt?: boolean } | undefined;
  if (options === undefined) return undefined;
  const memory = opregion(options.vbt === true);
  return {
    probe(pdev, container) {
      // Firmware left the address there when the machine started, and no reset takes it away.
      if (pdev.vendor === 0x8086 && pdev.class >>> 16 === 3)
        pdev.function.config.attach(ASLS, { read: () => OPREGION_AT });
      const platform = {
        map: (address: number, length: number) =>
          address < OPREGION_AT || address + length > OPREGION_AT + memory.length
            ? undefined
            : memory.subarray(address - OPREGION_AT, address - OPREGION_AT + length),
        getDevice: (name: string) => pdev.bus.topology.find(name),
      };
      new Igd(platform, { aslsShowsOpRegion: false }).probe(pdev, container);
    },
  };
}

function opregion(vbt: boolean): Uint8Array {
  const memory = new Uint8Array(OPREGION_SIZE + (vbt ? VBT_SIZE : 0));
  const view = new DataView(memory.buffer);
  memory.set(new TextEncoder().encode('IntelGraphicsMem'));
  view.setUint32(0x10, OPREGION_SIZE / 1024, true);
  view.setUint16(0x16, 0x0201, true);
  if (!vbt) return memory;
  view.setBigUint64(0x3ba, BigInt(OPREGION_SIZE), true);
  view.setUint32(0x3c2, VBT_SIZE, true);
  memory.set(new TextEncoder().encode('$VBT'), OPREGION_SIZE);
  return memory;
}

/** What a machine's description says of a PCI function of s390. */
interface ZpciEntry {
  readonly fid: number;
  readonly uid: number;
  readonly pchid: number;
  readonly pft: number;
  readonly groupId: number;
}

const ZPCI_GROUP: ClpFunctionGroup = {
  dasm: 0xffff_ffff_ffff_0000n,
  msiAddr: 0xfe00_0000_0000_0000n,
  mui: 4000,
  noi: 128,
  maxstbl: 4096,
  version: 1,
  refresh: true,
};

/** CLP's answers for the functions of an s390 machine. */
export function zpciFunctions(machine: MachineDescription): ZpciFunctions | undefined {
  const entries = table<ZpciEntry>(machine, 'zpci');
  if (entries === undefined) return undefined;
  const functions = new Map(
    Object.entries(entries).map(([name, entry], index) => [name, zpciFunction(entry, index)]),
  );
  return (pdev) => functions.get(pdev.name);
}

function zpciFunction({ fid, uid, pchid, pft, groupId }: ZpciEntry, index: number): ZpciFunction {
  const clp: ClpFunction = {
    fid,
    uid,
    fh: 0x80000000 + index + 1,
    startDma: 0x1_0000_0000n,
    endDma: 0x1_ffff_ffff_ffffn,
    pchid,
    vfn: 0,
    gid: groupId,
    pft,
    fmbLength: 32,
    pfip: new Uint8Array(4),
  };
  return new ZpciFunction(clp, ZPCI_GROUP);
}

interface NvlinkEntry {
  readonly bridges: readonly string[];
  readonly linkSpeed: number;
}

const GPU_WINDOW = 128 * 2 ** 30;
const NVLINK_PAGE = 65536;

/** The device tree of a POWER9 machine, as far as its links go. */
export function nvlinkPlatform(machine: MachineDescription): NvlinkPlatform | undefined {
  const entries = table<NvlinkEntry>(machine, 'nvlink');
  if (entries === undefined) return undefined;
  const links = Object.entries(entries);
  const nodeAt = (index: number) => ({
    properties: {
      'ibm,device-tgt-addr': [BigInt(index + 1) << 35n],
      'ibm,npu-link-index': [BigInt(index)],
      'ibm,nvlink-speed': [BigInt(links[index]![1].linkSpeed)],
    },
    references: {
      'memory-region': {
        properties: { reg: [(0x2400n + BigInt(index) * 0x20n) << 32n, BigInt(GPU_WINDOW)] },
      },
    },
  });
  const hostBridge = {
    properties: {
      'ibm,mmio-atsd': links.map((_, i) => 0x6030_0000_0000n + BigInt(i * NVLINK_PAGE)),
    },
  };
  const indexOf = (holds: (entry: [string, NvlinkEntry]) => boolean) => links.findIndex(holds);
  return {
    pageSize: NVLINK_PAGE,
    npuOf: ({ name }: PciDevice) => {
      const index = indexOf(([gpu]) => gpu === name);
      return index < 0 ? undefined : nodeAt(index);
    },
    bridge: ({ name }) => {
      const index = indexOf(([, { bridges }]) => bridges.includes(name));
      return index < 0 ? undefined : { node: nodeAt(index), hostBridge };
    },
    memory: (_, length) => new MemoryBlock(length),
  };
}
