import { COLUMN, firmwareTable, type Variant } from '@vfiokit/core';
import { MemoryBlock, type PciDevice } from '@vfiokit/pci';
import type { DeviceTreeNode } from './nvlink-platform.js';
import { registerNvlink } from './register.js';

const COLUMNS = { bridges: COLUMN.names, linkSpeed: COLUMN.natural } as const;

const PAGE = 65536;
const GPU_WINDOW = 128n << 30n;
const GPU_WINDOWS_AT = 0x2400_0000_0000n;
const WINDOW_STRIDE = 0x20_0000_0000n;
const ATSD_AT = 0x6030_0000_0000n;

/**
 * Joins machines whose firmware says which bridges the links of which GPU end in:
 * `firmware: { nvlink: { "0004:04:00.0": { bridges: ["0006:00:00.0"], linkSpeed: 9 } } }`. A GPU has a window of 128 GiB
 * and its bridges one page of ATSD registers.
 */
export const nvlinkVariant: Variant = (host, machine) => {
  const table = firmwareTable(machine, 'nvlink', COLUMNS);
  if (table === undefined) return;
  const links = [...table].map(([gpu, { bridges, linkSpeed }], index) => ({
    gpu,
    bridges,
    node: bridgeNode(index, linkSpeed),
  }));
  const hostBridge = {
    properties: { 'ibm,mmio-atsd': links.map((_, i) => ATSD_AT + BigInt(i * PAGE)) },
  };
  const memory = new Map<bigint, MemoryBlock>();
  registerNvlink(host, {
    platform: {
      pageSize: PAGE,
      npuOf: ({ name }: PciDevice) => links.find(({ gpu }) => gpu === name)?.node,
      bridge: ({ name }) => {
        const link = links.find(({ bridges }) => bridges.includes(name));
        return link && { node: link.node, hostBridge };
      },
      memory: (address, length) => {
        const block = memory.get(address) ?? new MemoryBlock(length);
        memory.set(address, block);
        return block;
      },
    },
  });
};

function bridgeNode(index: number, linkSpeed: number): DeviceTreeNode {
  const window = GPU_WINDOWS_AT + BigInt(index) * WINDOW_STRIDE;
  return {
    properties: {
      'ibm,device-tgt-addr': [BigInt(index + 1) << 35n],
      'ibm,npu-link-index': [BigInt(index)],
      'ibm,nvlink-speed': [BigInt(linkSpeed)],
    },
    references: { 'memory-region': { properties: { reg: [window, GPU_WINDOW] } } },
  };
}
