import { type OpenedFunction, openFunction, type VfioPciDriver } from '@vfiokit/core';
import { type PciDevice, PciTopology } from '@vfiokit/pci';
import { DeviceClient } from '@vfiokit/uapi';
import { type IgdOptions, type IgdPlatform, registerIgd } from '../src/index.js';

const PAGE = 4096;
export const OPREGION_AT = 0x6f00_0000;
export const VBT_AT = 0x6f10_0000;
export const OPREGION_BYTES = 0x2000;

/** Physical memory with a few pieces in it, which notes what is mapped and given back. */
export class TestMachine implements IgdPlatform {
  readonly topology = new PciTopology();
  readonly memory = new Map<number, Uint8Array>();
  /** `map 6f000000+2000`, `unmap 6f000000`, `get 0000:00:00.0`, `put …`. */
  readonly log: string[] = [];

  map(address: number, length: number): Uint8Array | undefined {
    const bytes = this.memory.get(address);
    if (bytes === undefined || bytes.length < length) return undefined;
    this.log.push(`map ${address.toString(16)}+${length.toString(16)}`);
    return bytes.subarray(0, length);
  }

  unmap(memory: Uint8Array): void {
    for (const [address, bytes] of this.memory)
      if (bytes.buffer === memory.buffer) this.log.push(`unmap ${address.toString(16)}`);
  }

  getDevice(name: string): PciDevice | undefined {
    const device = this.topology.find(name);
    if (device !== undefined) this.log.push(`get ${name}`);
    return device;
  }

  putDevice(device: PciDevice): void {
    this.log.push(`put ${device.name}`);
  }

  add(
    name: string,
    ids: { vendor?: number; device: number; class: number; asls?: number; size?: number },
  ) {
    const config = new Uint8Array(ids.size ?? 256);
    const view = new DataView(config.buffer);
    view.setUint16(0, ids.vendor ?? 0x8086, true);
    view.setUint16(2, ids.device, true);
    view.setUint32(8, ids.class * 0x100 + 0x0c, true);
    view.setUint32(0xfc, ids.asls ?? 0, true);
    for (let at = 0x40; at < 0x80; at += 1) config[at] = at ^ 0x5a;
    const writeMask = new Uint8Array(config.length).fill(0xff, 0xf8);
    return this.topology.add(name, { config, configSize: config.length, writeMask });
  }
}

export interface Firmware {
  /** Version as its 16 bits. */
  readonly version?: number;
  readonly kib?: number;
  readonly signature?: string;
  readonly rvda?: bigint;
  readonly rvds?: number;
}

/** An OpRegion whose bytes can be told apart. */
export function opregion({ version = 0x0200, kib = 8, signature, rvda, rvds }: Firmware = {}) {
  const bytes = Uint8Array.from({ length: OPREGION_BYTES }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode(signature ?? 'IntelGraphicsMem'));
  view.setUint32(0x10, kib, true);
  view.setUint16(0x16, version, true);
  view.setBigUint64(0x3ba, rvda ?? 0n, true);
  view.setUint32(0x3c2, rvds ?? 0, true);
  return bytes;
}

/** Graphics, host bridge and LPC bridge as a laptop has them. */
export function laptop(firmware: Firmware = {}): TestMachine {
  const machine = new TestMachine();
  machine.add('0000:00:00.0', { device: 0x4621, class: 0x060000, size: PAGE });
  machine.add('0000:00:02.0', { device: 0x46a6, class: 0x030000, asls: OPREGION_AT });
  machine.add('0000:00:1f.0', { device: 0x5182, class: 0x060100 });
  machine.memory.set(OPREGION_AT, opregion(firmware));
  return machine;
}

/** A VBT outside of the OpRegion. */
export function withVbt(machine: TestMachine, address = VBT_AT, length = 0x2400): Uint8Array {
  const vbt = Uint8Array.from({ length }, (_, i) => (i * 13 + 5) & 0xff);
  machine.memory.set(address, vbt);
  return vbt;
}

export interface OpenedIgd extends Disposable {
  readonly opened: OpenedFunction;
  readonly client: DeviceClient;
}

export function open(
  machine: TestMachine,
  options: Partial<IgdOptions> & { driver?: VfioPciDriver } = {},
  name = '0000:00:02.0',
): OpenedIgd {
  const { driver, ...igd } = options;
  const opened = openFunction(machine.topology.find(name)!, {
    ...(driver && { driver }),
    register: (host) => registerIgd(host, { platform: machine, ...igd }),
  });
  const client = new DeviceClient(opened.device, opened.process);
  return {
    opened,
    client,
    [Symbol.dispose]() {
      client.close();
      opened[Symbol.dispose]();
    },
  };
}
