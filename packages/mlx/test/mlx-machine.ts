import { type OpenedFunction, openFunction, type VfioPciDriver } from '@vfiokit/core';
import { type PciDevice, PciTopology } from '@vfiokit/pci';
import { buildConfig } from '@vfiokit/testing';
import { DeviceClient, type MigrationFile } from '@vfiokit/uapi';
import {
  ByteMemory,
  FakeFirmware,
  FakeVhca,
  MLX5_CMD_OP,
  MLX5_VFIO_PCI,
  type Mlx5Capabilities,
  Mlx5Core,
} from '../src/index.js';

export interface MlxMachineOptions {
  readonly capabilities?: Partial<Mlx5Capabilities>;
  readonly migratable?: boolean;
  /** Bytes of the device's state. */
  readonly stateSize?: number;
  readonly chunkSize?: number;
  /** The PF is bound to something else. */
  readonly foreignPf?: boolean;
}

/** MLX5_CMD_STAT_INT_ERR. */
const INTERNAL_ERR = 1;

/** Names of commands in tests: opcode and op_mod as the driver's authors speak of them. */
const NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(MLX5_CMD_OP).map(([name, opcode]) => [opcode, name]),
);

/** A ConnectX PF with its native driver and firmware, and its first VF. */
export class MlxMachine {
  readonly topology = new PciTopology();
  readonly firmware = new FakeFirmware();
  readonly core: Mlx5Core;
  readonly vf: PciDevice;
  readonly state: Uint8Array;
  readonly vhca: FakeVhca;
  /** Interrupts that reached the host. */
  readonly interrupts: number[] = [];
  /** Pages of the host's memory that the device wrote, each with its last byte. */
  readonly memory = new Map<bigint, number>();

  constructor(options: MlxMachineOptions = {}) {
    const { stateSize = 10_000, migratable = true, chunkSize, capabilities } = options;
    this.state = Uint8Array.from({ length: stateSize }, (_, i) => (i < 8 ? 0 : (i * 31) & 0xff));
    this.vhca = new FakeVhca({
      memory: new ByteMemory(this.state),
      migratable,
      ...(chunkSize !== undefined && { chunkSize }),
      wires: {
        dma: (iova, bytes) => this.memory.set(iova >> 12n, bytes.at(-1)!),
        interrupt: (vector) => this.interrupts.push(vector),
      },
    });
    this.firmware.addFunction(1, this.vhca);
    this.core = new Mlx5Core({
      commands: this.firmware,
      ...(capabilities && { capabilities }),
    });
    const physfn = this.topology.add('0000:03:00.0', {
      config: buildConfig({
        vendor: 0x15b3,
        device: 0x101d,
        class: 0x020000,
        sriov: { totalVfs: 4, numVfs: 1, vfDevice: 0x101e },
      }),
    });
    physfn.driverData = options.foreignPf ? {} : this.core;
    this.vf = this.topology.add(
      '0000:03:00.1',
      { config: buildConfig({ vendor: 0x15b3, device: 0x101e, class: 0x020000 }) },
      { physfn, ids: { vendor: 0x15b3, device: 0x101e } },
    );
  }

  /** The command after so many more fails, and only that; whether it has come. */
  failAfter(count: number): () => boolean {
    let left = count;
    const { firmware } = this;
    firmware.execute = (input, memory) => {
      left -= 1;
      return left === -1
        ? Uint8Array.of(INTERNAL_ERR, ...new Uint8Array(15))
        : FakeFirmware.prototype.execute.call(firmware, input, memory);
    };
    return () => left < 0;
  }

  /** Commands since the last call, as `NAME` or `NAME/op_mod`, without those for memory. */
  commands(): string[] {
    const memory = /MKEY|_PD$|HCA_CAP/;
    return this.firmware.log
      .splice(0)
      .map(([opcode, opMod]) => `${NAMES[opcode]}${opMod === 0 ? '' : `/${opMod}`}`)
      .filter((name) => !memory.test(name));
  }

  open(driver: VfioPciDriver = MLX5_VFIO_PCI): OpenedVf {
    const opened = openFunction(this.vf, { driver });
    const client = new DeviceClient(opened.device, opened.process);
    this.firmware.log.length = 0;
    return {
      ...opened,
      client,
      machine: this,
      [Symbol.dispose]() {
        client.close();
        opened[Symbol.dispose]();
      },
    };
  }
}

export interface OpenedVf extends OpenedFunction {
  readonly client: DeviceClient;
  readonly machine: MlxMachine;
}

/** Reads in pieces until there is nothing more; the bytes, and what the last read said. */
export function drain(file: MigrationFile, piece = 4096): { bytes: Uint8Array; end: number } {
  const parts: Uint8Array[] = [];
  for (;;) {
    const buffer = new Uint8Array(piece);
    const count = file.read(buffer);
    if (count <= 0) return { bytes: Buffer.concat(parts), end: count };
    parts.push(buffer.subarray(0, count));
  }
}

/** A record of a stream. */
export interface StreamRecord {
  readonly size: number;
  readonly flags: number;
  readonly tag: number;
  readonly payload: Uint8Array;
}

/** Takes a stream apart, as its format says. */
export function records(stream: Uint8Array): StreamRecord[] {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const found: StreamRecord[] = [];
  for (let at = 0; at < stream.length; ) {
    const size = Number(view.getBigUint64(at, true));
    found.push({
      size,
      flags: view.getUint32(at + 8, true),
      tag: view.getUint32(at + 12, true),
      payload: stream.subarray(at + 16, at + 16 + size),
    });
    at += 16 + size;
  }
  return found;
}
