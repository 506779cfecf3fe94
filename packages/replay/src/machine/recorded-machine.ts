import { VfioPci, type VfioPciCoreDevice } from '@vfiokit/core';
import {
  type Container,
  DevVfio,
  type IommuGroup,
  IommuGroups,
  iommuFromRegisters,
  parseReservedRegions,
  VfioGroups,
} from '@vfiokit/iommu';
import { type PciDevice, PciTopology } from '@vfiokit/pci';
import {
  ENOENT,
  type Process,
  VFIO_TYPE1v2_IOMMU,
  type VfioDevice,
  VfioError,
} from '@vfiokit/uapi';
import type { DependencyContainer } from 'tsyringe';
import type { RecordedDevice, Trace, TraceMeta, TraceOp } from '../trace/trace.js';
import { type FunctionPlan, planFunction } from './function-plan.js';
import { busesBehind, planNeighbour } from './neighbour.js';
import { recordedContainer } from './recorded-container.js';
import { RecordedPlatform } from './recorded-platform.js';
import { unhex } from './unhex.js';

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

/**
 * The machine that a trace was recorded on, rebuilt out of its first two lines.
 *
 * Making one throws VfioError EINVAL for a machine that can't be: BARs of impossible sizes, malformed addresses.
 */
export class RecordedMachine {
  readonly platform: RecordedPlatform;
  readonly topology: PciTopology;
  readonly devices: readonly MachineDevice[];
  readonly dev: DevVfio;
  readonly vfio: VfioPci;
  readonly #container: DependencyContainer;
  /** The kernel was built with runtime PM. */
  readonly #runtimePm: boolean;
  readonly #groups = new Map<string, IommuGroup>();

  constructor(readonly trace: Trace) {
    const { meta } = trace;
    this.#container = recordedContainer(trace);
    this.#runtimePm = meta.devices.some((device) => device['power/runtime_status'] !== undefined);
    const probed = new Set(trace.probes.map(({ bdf }) => bdf));
    this.platform = new RecordedPlatform({
      arch: meta.arch,
      unprobed: new Set(meta.devices.map(({ bdf }) => bdf).filter((bdf) => !probed.has(bdf))),
      slots: new Set(Object.values(meta.slots)),
    });
    this.topology = new PciTopology({ platform: this.platform, idlePolicy: 'deferred' });
    this.dev = this.#container.resolve(DevVfio);
    this.vfio = this.#container.resolve(VfioPci);
    try {
      this.#createGroups(meta);
      this.devices = this.#createFunctions(trace);
      this.#bindInitial();
    } catch (cause) {
      if (!(cause instanceof VfioError)) throw cause;
      throw new VfioError(
        'EINVAL',
        `${trace.path}: its machine can't be rebuilt: ${cause.message}`,
        { cause },
      );
    }
  }

  /**
   * How much was taken from the record that the first lines do not hold: bytes behind BARs, bits of masks, answers of
   * the machine. Each was taken once and predicted from then on.
   */
  get learned(): number {
    let facts = this.platform.answers;
    for (const masks of this.platform.masks.values()) facts += masks.learned;
    for (const { plan } of this.devices)
      for (const block of plan.blocks) facts += block?.learned ?? 0;
    return facts;
  }

  /** An operation is about to be played. */
  begin(op: TraceOp): void {
    this.platform.op = op;
    for (const masks of this.platform.masks.values()) masks.begin();
    for (const { plan } of this.devices) plan.wasReset = false;
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

  /**
   * Opens a device as a user does: its group, a type1 container, a descriptor. Binds it to vfio-pci if nothing is bound.
   *
   * @throws VfioError EINVAL for a device that vfio-pci does not take, and whatever opening fails with.
   */
  open(index: number, process: Process): VfioDevice {
    const { pdev, bound } = this.devices[index]!;
    const group = this.groupOf(pdev);
    if (group === undefined)
      throw new VfioError('EINVAL', `${pdev.name}: in no IOMMU group; the machine has no IOMMU`);
    if (bound === undefined && !this.bind(index, VFIO_DRIVER))
      throw new VfioError('EINVAL', `${pdev.name}: vfio-pci does not take it; is it a bridge?`);
    const file = this.#container.resolve(VfioGroups).openGroup(group.id, process);
    const memory = this.dev.openContainer();
    file.group.setContainer(memory, process);
    memory.setIommu(VFIO_TYPE1v2_IOMMU, process);
    const device = file.getDevice(pdev.name, process);
    // An open device keeps its group and its container.
    file.close();
    memory.close();
    return device;
  }

  /** Takes a device from its driver; calls back when that has happened. */
  unbind(index: number, done: () => void = () => {}): void {
    const device = this.devices[index]!;
    const { unbinding } = this.platform;
    unbinding.add(device.pdev);
    const finish = () => {
      unbinding.delete(device.pdev);
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
    if (!this.#runtimePm) return;
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
      group.members.add(bdf);
      this.#groups.set(bdf, group);
      if (driver !== undefined && !DMA_MANAGED.has(driver))
        group.useDefaultDomain(`${bdf} (${driver})`);
    }
  }

  /**
   * Adds every function of the machine, bridges first. VFs of a PF that was recorded together with them are left out:
   * they appear when the PF's driver enables them.
   */
  #createFunctions({ meta, probes }: Trace): MachineDevice[] {
    const behind = busesBehind(meta.devices);
    const bridges = new Map(meta.bridges.map((recorded) => [recorded.bdf, recorded]));
    const plans: readonly FunctionPlan[] = meta.devices.map((recorded, i) => {
      const vfs = meta.devices.flatMap(({ physfn }, vf) => (physfn === recorded.bdf ? [vf] : []));
      const probe = probes.find((other) => other.bdf === recorded.bdf);
      return planFunction(recorded, {
        probe,
        rom: meta.rom[i],
        ...(Number(recorded.sriov_totalvfs ?? 0) > 0 && {
          virtualFunction: (vf: number) =>
            plans[vfs[vf]!]?.description ?? { config: new Uint8Array(256) },
        }),
      });
    });
    const made: MachineDevice[] = [];
    for (const neighbour of meta.system) {
      const { bdf, physfn } = neighbour;
      const index = meta.devices.findIndex((device) => device.bdf === bdf);
      const recorded = meta.devices[index];
      if (recorded === undefined) {
        const bridge = bridges.get(bdf);
        const hasVfs = meta.devices.some((device) => device.physfn === bdf);
        const plan =
          bridge === undefined
            ? planNeighbour(neighbour, { secondary: behind.get(bdf), hasVfs })
            : planFunction(bridge);
        this.#add(bdf, plan, physfn);
        continue;
      }
      const plan = plans[index]!;
      const appearsLater = meta.devices.some((device) => device.bdf === physfn);
      const pdev = appearsLater ? undefined : this.#add(bdf, plan, physfn);
      made[index] = { pdev: pdev!, plan, recorded, driver: undefined, bound: undefined };
    }
    return made;
  }

  #add(bdf: string, plan: FunctionPlan, physfn: string | undefined): PciDevice {
    const pf = physfn === undefined ? undefined : this.topology.find(physfn);
    const pdev = this.topology.add(bdf, plan.description, {
      ...plan.facts,
      ...(pf === undefined ? {} : { physfn: pf }),
    });
    plan.attach(pdev);
    return pdev;
  }

  /** What was bound before the recording began, and the VFs that there were. */
  #bindInitial(): void {
    for (const [i, device] of this.devices.entries()) {
      const { recorded } = device;
      device.pdev ??= this.topology.find(recorded.bdf)!;
      device.plan.attach(device.pdev);
      if (recorded.driver !== undefined) this.bind(i, recorded.driver);
      const vfs = Number(recorded.sriov_numvfs ?? 0);
      if (vfs > 0) this.setNumVfs(i, vfs);
    }
    this.settle();
    for (const { pdev, recorded } of this.devices) {
      const { config } = pdev.function;
      config.bytes.fill(0);
      config.poke(0, unhex(recorded.config));
      pdev.function.updateDecoding();
    }
  }
}
