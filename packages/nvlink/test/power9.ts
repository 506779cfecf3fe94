import { openFunction } from '@vfiokit/core';
import { MemoryBlock, PciTopology, type RegisterBlock } from '@vfiokit/pci';
import { DeviceClient } from '@vfiokit/uapi';
import { type DeviceTreeNode, type NvlinkPlatform, registerNvlink } from '../src/index.js';

export const GPU = '0004:04:00.0';
export const BRIDGE = '0006:00:00.0';
export const GPU_RAM_AT = 0x2400_0000_0000n;
export const ATSD_AT = 0x6030_2000_0000n;
export const TARGET = 0x8_0000_0000n;
export const WINDOW = 128 * 2 ** 30;
const PAGE = 0x10000;

/** A V100 and its bridge on a POWER9, whose firmware may be told to keep something back. */
export class Power9 implements NvlinkPlatform {
  readonly pageSize = PAGE;
  readonly topology = new PciTopology();
  readonly log: string[] = [];
  readonly ram = new MemoryBlock(WINDOW);
  readonly atsd = new MemoryBlock(PAGE);
  /** What registering GPU memory with the IOMMU answers. */
  registerError = 0;
  linked = true;
  npuNode: DeviceTreeNode = {
    properties: {
      'ibm,device-tgt-addr': [TARGET],
      'ibm,npu-link-index': [1n],
      'ibm,nvlink-speed': [9n],
    },
    references: {
      'memory-region': { properties: { reg: [GPU_RAM_AT, BigInt(WINDOW)] } },
    },
  };
  hostBridge: DeviceTreeNode = { properties: { 'ibm,mmio-atsd': [0n, ATSD_AT] } };

  constructor() {
    this.topology.add(GPU, { config: header(0x10de, 0x1db1, 0x030200) });
    this.topology.add(BRIDGE, { config: header(0x1014, 0x04ea, 0x068000) });
  }

  npuOf(): DeviceTreeNode | undefined {
    return this.linked ? this.npuNode : undefined;
  }

  bridge() {
    return this.linked ? { node: this.npuNode, hostBridge: this.hostBridge } : undefined;
  }

  memory(address: bigint): RegisterBlock | undefined {
    if (address === GPU_RAM_AT) return this.ram;
    return address === ATSD_AT ? this.atsd : undefined;
  }

  registerDeviceMemory(base: bigint, length: number): number {
    this.log.push(`register ${base.toString(16)}+${length.toString(16)}`);
    return this.registerError;
  }

  unregisterDeviceMemory(base: bigint): void {
    this.log.push(`unregister ${base.toString(16)}`);
  }

  open(name: string) {
    const opened = openFunction(this.topology.find(name)!, {
      register: (host) => registerNvlink(host, { platform: this }),
    });
    const client = new DeviceClient(opened.device, opened.process);
    return {
      ...opened,
      client,
      [Symbol.dispose]() {
        client.close();
        opened[Symbol.dispose]();
      },
    };
  }
}

function header(vendor: number, device: number, code: number): Uint8Array {
  const config = new Uint8Array(256);
  const view = new DataView(config.buffer);
  view.setUint16(0, vendor, true);
  view.setUint16(2, device, true);
  view.setUint32(8, code * 0x100, true);
  return config;
}
