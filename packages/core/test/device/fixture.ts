import {
  type DeviceNodeFile,
  DevVfio,
  GENERIC_IOMMU,
  type GroupFile,
  type Iommufd,
  IommuGroups,
  registerIommu,
  VfioGroups,
} from '@vfiokit/iommu';
import {
  type AddOptions,
  type FunctionDescription,
  type PciDevice,
  type PciPlatform,
  PciTopology,
  type PciTopologyOptions,
} from '@vfiokit/pci';
import { TracedConfig } from '@vfiokit/testing';
import { DeviceClient, type IoctlArgument, Process, type VfioDevice } from '@vfiokit/uapi';
import { type DependencyContainer, container as root } from 'tsyringe';
import type { VfioPciCoreDevice } from '../../src/core-device.js';
import { type CoreOptions, registerCore } from '../../src/register.js';
import { VFIO_PCI_DRIVERS } from '../../src/tokens.js';
import { VfioPci } from '../../src/vfio-pci.js';
import type { VfioPciDriver } from '../../src/vfio-pci-driver.js';

const TYPE1V2 = 3;

/** Registers by offset, width in bytes and value. */
export type Registers = readonly (readonly [offset: number, size: 1 | 2 | 4, value: number])[];

/** A network adapter with INTx, 8 MSI vectors, 8 MSI-X vectors in BAR 0, power management, and a function level reset. */
export const ADAPTER: Registers = [
  [0x00, 4, 0x10d38086],
  [0x04, 2, 0x0007],
  [0x06, 2, 0x0010],
  [0x08, 4, 0x02000000],
  [0x2c, 4, 0x00018086],
  [0x34, 1, 0x40],
  [0x3c, 1, 11],
  [0x3d, 1, 1],
  // Power management, version 3, No_Soft_Reset; D1, D2 and PME from every state.
  [0x40, 2, 0x5001],
  [0x42, 2, 0xfe03],
  [0x44, 2, 0x0008],
  // MSI, 64 bits, 8 vectors.
  [0x50, 2, 0x7005],
  [0x52, 2, 0x0086],
  // PCI Express version 2, endpoint, function level reset.
  [0x70, 2, 0xb010],
  [0x72, 2, 0x0002],
  [0x74, 4, 0x10008000],
  // MSI-X, 8 vectors, table at 0x2000 and pending bits at 0x3000 of BAR 0.
  [0xb0, 2, 0x0011],
  [0xb2, 2, 0x0007],
  [0xb4, 4, 0x00002000],
  [0xb8, 4, 0x00003000],
];

/** SR-IOV at 0x100: four VFs right behind their PF. */
export const SRIOV: Registers = [
  [0x100, 4, 0x00010010],
  [0x10c, 2, 4],
  [0x10e, 2, 4],
  [0x114, 2, 1],
  [0x116, 2, 1],
  [0x11a, 2, 0x10ca],
  [0x11c, 4, 0x0553],
  [0x120, 4, 1],
];

/** A PCI-to-PCI bridge, a PCI Express root port, to the buses from `secondary` to `subordinate`. */
export function bridge(secondary: number, subordinate = secondary): Registers {
  return [
    [0x00, 4, 0x000c1b36],
    [0x04, 2, 0x0007],
    [0x06, 2, 0x0010],
    [0x08, 4, 0x06040000],
    [0x0e, 1, 0x01],
    [0x18, 4, (subordinate << 16) | (secondary << 8)],
    [0x34, 1, 0x40],
    [0x40, 2, 0x0010],
    [0x42, 2, 0x0042],
  ];
}

export interface MachineOptions extends CoreOptions, Omit<PciTopologyOptions, 'platform'> {
  readonly platform?: PciPlatform;
  /** Beside plain vfio-pci. */
  readonly drivers?: readonly VfioPciDriver[];
  /** Puts more on the host's container: platform hooks, say. */
  readonly register?: (container: DependencyContainer) => void;
}

export interface FunctionOptions {
  /** In place of, or in addition to, what `base` says. */
  readonly config?: Registers;
  /** {@link ADAPTER} unless told. */
  readonly base?: Registers;
  /** What else the silicon is; a memory BAR 0 of 64 KiB unless told. */
  readonly description?: Partial<FunctionDescription>;
  /** What the host knows of it beside its registers. */
  readonly facts?: AddOptions;
}

/** A machine to put functions into, bind and open them. Every configuration access is noted. */
export class Machine implements Disposable {
  readonly topology: PciTopology;
  readonly container = root.createChildContainer();
  readonly process = new Process();
  readonly #traces = new Map<string, TracedConfig>();
  readonly #undos: (() => void)[] = [];

  constructor(options: MachineOptions = {}) {
    const { platform = {}, idlePolicy, drivers = [], register, ...core } = options;
    this.topology = new PciTopology({
      ...(idlePolicy && { idlePolicy }),
      platform: {
        ...platform,
        configAccess: (config, name) => {
          const traced = new TracedConfig(platform.configAccess?.(config, name) ?? config);
          this.#traces.set(name, traced);
          return traced;
        },
      },
    });
    registerIommu(this.container);
    registerCore(this.container, core);
    for (const driver of drivers) this.container.register(VFIO_PCI_DRIVERS, { useValue: driver });
    register?.(this.container);
  }

  get vfio(): VfioPci {
    return this.container.resolve(VfioPci);
  }

  get groups(): VfioGroups {
    return this.container.resolve(VfioGroups);
  }

  /** Puts a function in. */
  add(address: string, options: FunctionOptions = {}): PciDevice {
    const { config = [], base = ADAPTER, description = {}, facts } = options;
    const bars = [{ kind: 'memory', size: 0x10000 }] as const;
    const bytes = configBytes([...base, ...config], description.configSize ?? 4096);
    return this.topology.add(address, { bars, ...description, config: bytes }, facts);
  }

  /** Binds a function, in an IOMMU group of its own or together with others. */
  bind(
    pdev: PciDevice,
    driver?: string,
    group = this.container.resolve(IommuGroups).create({ iommu: GENERIC_IOMMU }),
  ): VfioPciCoreDevice {
    group.members.add(pdev.name);
    return this.vfio.bind(pdev, group, driver);
  }

  /** Opens the group of a bound device and gives it a type1 container. */
  openGroup(core: VfioPciCoreDevice): GroupFile {
    const file = this.groups.openGroup(core.iommuGroup!.id, this.process);
    const iommu = this.container.resolve(DevVfio).openContainer();
    file.group.setContainer(iommu, this.process);
    iommu.setIommu(TYPE1V2, this.process);
    this.#undos.push(() => {
      file.close();
      iommu.close();
    });
    return file;
  }

  /** Opens a bound device through its group. */
  open(core: VfioPciCoreDevice, group = this.openGroup(core)): VfioDevice {
    const device = group.getDevice(core.name, this.process);
    this.#undos.push(() => device.close());
    return device;
  }

  /** Opens the own node of a bound device, and leaves it unbound. */
  openNode(core: VfioPciCoreDevice): DeviceNodeFile {
    const file = this.groups.deviceNodes.find(({ device }) => device === core)!.open();
    this.#undos.push(() => file.close());
    return file;
  }

  /** Opens `/dev/iommu`. */
  openIommufd(): Iommufd {
    const iommufd = this.container.resolve(DevVfio).openIommufd();
    this.#undos.push(() => iommufd.close());
    return iommufd;
  }

  /** The configuration accesses to a function; `take()` returns those since it was last called. */
  trace(pdev: PciDevice): TracedConfig {
    return this.#traces.get(pdev.name)!;
  }

  [Symbol.dispose](): void {
    for (const undo of this.#undos.splice(0).reverse()) undo();
  }
}

/** One open function and what belongs to it. */
export interface Adapter extends Disposable {
  readonly machine: Machine;
  readonly pdev: PciDevice;
  readonly core: VfioPciCoreDevice;
  readonly group: GroupFile;
  readonly process: Process;
  readonly device: VfioDevice;
  readonly client: DeviceClient;
  readonly trace: TracedConfig;
  /** An ioctl whose argument is little-endian words, of which it returns the result and the words afterwards. */
  ioctl(command: number, ...words: number[]): readonly [result: number, ...after: number[]];
}

export interface AdapterOptions extends MachineOptions, FunctionOptions {
  readonly driver?: VfioPciDriver;
}

/** Puts one function into a machine of its own, binds and opens it. */
export function openAdapter(options: AdapterOptions = {}): Adapter {
  const { driver, drivers = [] } = options;
  const machine = new Machine({ ...options, drivers: driver ? [...drivers, driver] : drivers });
  const pdev = machine.add('0000:00:03.0', options);
  const core = machine.bind(pdev, driver?.name);
  const group = machine.openGroup(core);
  const device = machine.open(core, group);
  const { process } = machine;
  return {
    machine,
    pdev,
    core,
    group,
    process,
    device,
    client: new DeviceClient(device, process),
    trace: machine.trace(pdev),
    ioctl: (command, ...values) => ioctl(device, process, command, ...values),
    [Symbol.dispose]: () => machine[Symbol.dispose](),
  };
}

/** An ioctl whose argument is little-endian words: its result, and the words afterwards. */
export function ioctl(
  file: Pick<VfioDevice, 'ioctl'>,
  process: Process,
  command: number,
  ...values: number[]
): readonly [result: number, ...after: number[]] {
  const argument = words(...values);
  const result = file.ioctl(command, argument, process);
  return [result, ...wordsOf(argument)];
}

/** Numbers as little-endian 32-bit words. */
export function words(...values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  for (const [index, value] of values.entries()) view.setUint32(4 * index, value, true);
  return new Uint8Array(view.buffer);
}

/** Bytes as little-endian 32-bit words. */
export function wordsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length >> 2 }, (_, index) => view.getUint32(4 * index, true));
}

/** An argument that can't be copied. */
export const BAD_POINTER: IoctlArgument = undefined;

function configBytes(registers: Registers, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (const [offset, width, value] of registers)
    for (let i = 0; i < width; i += 1) bytes[offset + i] = value >>> (8 * i);
  return bytes;
}
