import { registerCore, VfioPci, type VfioPciCoreDevice } from '@vfiokit/core';
import {
  type Container,
  DevVfio,
  type IommuGroup,
  IommuGroups,
  iommuFromRegisters,
  parseReservedRegions,
  registerIommu,
} from '@vfiokit/iommu';
import { type PciDevice, PciTopology } from '@vfiokit/pci';
import { ENOENT, VfioError } from '@vfiokit/uapi';
import { container, type DependencyContainer } from 'tsyringe';
import {
  busesBehind,
  type FunctionPlan,
  planFunction,
  planNeighbour,
} from './recorded-functions.js';
import { RecordedPlatform } from './recorded-platform.js';
import type { RecordedDevice, Trace, TraceMeta } from './trace.js';

const VFIO_DRIVER = 'vfio-pci';
/** Drivers that leave the DMA of their group alone (driver_managed_dma), so that a user may have the rest of it. */
const DMA_MANAGED = new Set([VFIO_DRIVER, 'pci-stub', 'pcieport', 'shpchp']);

/** A device of the trace, by its number in it. */
export interface MachineDevice {
  pdev: PciDevice;
  readonly plan: FunctionPlan;
  readonly recorded: RecordedDevice;
  /** The driver that is bound; undefined for none. */
  driver: string | undefined;
  bound: VfioPciCoreDevice | undefined;
}

/** The machine that a trace was recorded on, rebuilt out of its first two lines. */
export class RecordedMachine {
  readonly platform = new RecordedPlatform();
  readonly topology: PciTopology;
  readonly devices: readonly MachineDevice[];
  readonly dev: DevVfio;
  readonly vfio: VfioPci;
  readonly #container: DependencyContainer;
  readonly #groups = new Map<string, IommuGroup>();

  constructor(readonly trace: Trace) {
    const { meta } = trace;
    this.#container = createContainer(meta);
    this.topology = new PciTopology({ platform: this.platform, idlePolicy: 'deferred' });
    this.dev = this.#container.resolve(DevVfio);
    this.vfio = this.#container.resolve(VfioPci);
    this.#createGroups(meta);
    this.devices = this.#createFunctions(trace);
    this.#bindInitial();
  }

  /** The group of a function; undefined on a machine without an IOMMU. */
  groupOf(pdev: PciDevice): IommuGroup | undefined {
    return this.#groups.get(pdev.name);
  }

  /** Binds a device to a driver of that name; false if the driver refused. */
  bind(index: number, driver: string): boolean {
    const device = this.devices[index]!;
    if (driver === VFIO_DRIVER) {
      try {
        device.bound = this.vfio.bind(device.pdev, this.groupOf(device.pdev), driver);
      } catch (error) {
        if (error instanceof VfioError) return false;
        throw error;
      }
    }
    device.driver = driver;
    return true;
  }

  /** Takes a device from its driver; calls back when that has happened. */
  unbind(index: number, done: () => void = () => {}): void {
    const device = this.devices[index]!;
    const finish = () => {
      device.driver = undefined;
      device.bound = undefined;
      done();
    };
    if (device.bound === undefined) finish();
    else this.vfio.unbind(device.bound, finish);
  }

  /** A write to sriov_numvfs: the number, or a negated errno. */
  setNumVfs(index: number, count: number): number {
    const { bound } = this.devices[index]!;
    return bound === undefined ? -ENOENT : this.vfio.setNumVfs(bound, count);
  }

  /** Lets some device write to memory of the user, if a mapping leads there. */
  writeByDma(containers: readonly Container[], address: number, bytes: Uint8Array): void {
    for (const { iommu, groups } of containers)
      for (const { iova, size, target } of iommu?.snapshot().mappings ?? []) {
        const into = BigInt(address) - target;
        if (into < 0n || into + BigInt(bytes.length) > size) continue;
        groups[0]?.iommuGroup.dma.write(iova + into, bytes);
      }
  }

  /** Lets devices that nobody uses go to sleep, as the kernel does behind the scenes. */
  settle(): void {
    for (const { pdev } of this.devices) pdev.runtimePm.settle();
  }

  #createGroups(meta: TraceMeta): void {
    const groups = this.#container.resolve(IommuGroups);
    const registers = meta.iommu[0];
    const iommu = registers === undefined ? undefined : iommuFromRegisters(registers);
    const byId = new Map<number, IommuGroup>();
    for (const { bdf, iommu_group, driver } of meta.system) {
      if (iommu_group === undefined) continue;
      const id = Number(iommu_group);
      const recorded = meta.groups.find((group) => group.id === id);
      let group = byId.get(id);
      if (group === undefined) {
        group = groups.create({
          id,
          ...(iommu === undefined ? {} : { iommu }),
          ...(recorded === undefined
            ? {}
            : { type: recorded.type, reserved: parseReservedRegions(recorded.reserved_regions) }),
        });
        byId.set(id, group);
      }
      this.#groups.set(bdf, group);
      if (driver !== undefined && !DMA_MANAGED.has(driver))
        group.useDefaultDomain(`${bdf} (${driver})`);
    }
  }

  #createFunctions({ meta, probes }: Trace): MachineDevice[] {
    const behind = busesBehind(meta.devices);
    const devices = new Map(meta.devices.map((recorded, i) => [recorded.bdf, { recorded, i }]));
    const bridges = new Map(meta.bridges.map((recorded) => [recorded.bdf, recorded]));
    const made: MachineDevice[] = [];
    const add = (bdf: string, plan: FunctionPlan, physfn?: string) => {
      const pf = physfn === undefined ? undefined : this.topology.find(physfn);
      const pdev = this.topology.add(bdf, plan.description, {
        ...plan.facts,
        ...(pf === undefined ? {} : { physfn: pf }),
      });
      plan.attach(pdev);
      return pdev;
    };
    for (const neighbour of meta.system) {
      const { bdf } = neighbour;
      const device = devices.get(bdf);
      const bridge = bridges.get(bdf);
      if (device === undefined) {
        add(
          bdf,
          bridge === undefined
            ? planNeighbour(neighbour, behind)
            : planFunction(bridge, undefined, null),
          neighbour.physfn,
        );
        continue;
      }
      const { recorded, i } = device;
      const probe = probes.find((other) => other.bdf === bdf);
      const plan = planFunction(recorded, probe, meta.rom[i]);
      made[i] = {
        pdev: add(bdf, plan, recorded.physfn),
        plan,
        recorded,
        driver: undefined,
        bound: undefined,
      };
    }
    return made;
  }

  /** What was bound before the recording began. */
  #bindInitial(): void {
    for (const [i, { recorded }] of this.devices.entries())
      if (recorded.driver !== undefined) this.bind(i, recorded.driver);
  }
}

function createContainer(meta: TraceMeta): DependencyContainer {
  const on = (name: string) => meta.modparams[name] === 'Y';
  const own = container.createChildContainer();
  const limit = Number(meta.modparams['dma_entry_limit'] ?? 65535);
  registerIommu(own, {
    parameters: {
      pageSize: meta.pagesize,
      allowUnsafeInterrupts: on('allow_unsafe_interrupts'),
      dmaEntryLimit: limit,
      deviceCdev: false,
    },
  });
  registerCore(own, {
    parameters: {
      nointxmask: on('nointxmask'),
      disable_vga: on('disable_vga'),
      disable_idle_d3: on('disable_idle_d3'),
      enable_sriov: on('enable_sriov'),
      disable_denylist: on('disable_denylist'),
      ids: meta.modparams['ids'] ?? '',
    },
    kernel: { pageSize: meta.pagesize },
  });
  return own;
}
