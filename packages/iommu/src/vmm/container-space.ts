import {
  EINVAL,
  type IoctlArgument,
  type Process,
  VFIO_DMA_UNMAP_FLAG_ALL,
  VFIO_IOMMU_ENABLE,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_SPAPR_REGISTER_MEMORY,
  VFIO_IOMMU_SPAPR_TCE_CREATE,
  VFIO_IOMMU_SPAPR_TCE_REMOVE,
  VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY,
  VFIO_IOMMU_UNMAP_DMA,
  VFIO_NOIOMMU_IOMMU,
  VFIO_SET_IOMMU,
  VFIO_SPAPR_TCE_IOMMU,
  VFIO_SPAPR_TCE_v2_IOMMU,
  VFIO_TYPE1_IOMMU,
  VFIO_TYPE1v2_IOMMU,
  VfioError,
  vfioIommuSpaprRegisterMemory,
  vfioIommuSpaprTceCreate,
  vfioIommuSpaprTceRemove,
  vfioIommuType1DmaMap,
  vfioIommuType1DmaUnmap,
} from '@vfiokit/uapi';
import { ADDRESS_END, type AddressRange } from '../address/address.js';
import type { DmaSnapshot } from '../address/dma-snapshot.js';
import type { Container } from '../container/container.js';
import type { IommuParameters } from '../container/parameters.js';
import type { DevVfio } from '../dev-vfio.js';
import type { GroupFile } from '../group/group-file.js';
import type { VfioGroup } from '../group/vfio-group.js';
import type { DmaAccess } from '../hardware/dma.js';
import type { DmaSpace, SpaceCapabilities, SpaceProvider, WindowRequest } from './dma-space.js';

/** The kinds of IOMMU that a container can be given, by what VFIO_SET_IOMMU calls them. */
const CONTAINER_TYPES = {
  'type1 v1': VFIO_TYPE1_IOMMU,
  'type1 v2': VFIO_TYPE1v2_IOMMU,
  'spapr-tce v1': VFIO_SPAPR_TCE_IOMMU,
  'spapr-tce v2': VFIO_SPAPR_TCE_v2_IOMMU,
  noiommu: VFIO_NOIOMMU_IOMMU,
} as const;

/** A kind of container's name. */
export type ContainerType = keyof typeof CONTAINER_TYPES;

/** Bytes of an entry of a window's table. */
const TCE_SIZE = 8;

const EMPTY: DmaSnapshot = {
  kind: 'no IOMMU yet',
  pageSizes: 0n,
  available: 0,
  ranges: [],
  mappings: [],
};

/** Containers as spaces, driven by their ioctls as user space drives them. */
export class ContainerProvider implements SpaceProvider {
  #made = 0;

  constructor(
    private readonly dev: DevVfio,
    private readonly parameters: IommuParameters,
    private readonly process: Process,
    readonly type: ContainerType,
  ) {}

  /** Bytes of a page of the host. */
  get hostPage(): number {
    return this.parameters.pageSize;
  }

  capabilities({ iommuGroup }: VfioGroup): SpaceCapabilities {
    const { iommu } = iommuGroup;
    const tce = iommu?.tce;
    const dynamic = this.type === 'spapr-tce v2' && (tce?.maxDynamicWindows ?? 0) > 0;
    const type1 = this.type === 'type1 v1' || this.type === 'type1 v2';
    return {
      name: this.type,
      protects: this.type !== 'noiommu',
      pageSizes: type1 ? (iommu?.pageSizes ?? 0n) : BigInt(tce?.pageSizes ?? 0) || 0x1000n,
      ranges: type1 ? [...iommuGroup.usable] : tceRanges(tce, dynamic),
      maxMappings: type1 ? this.parameters.dmaEntryLimit : null,
      maxGroups: this.type === 'spapr-tce v1' ? 1 : null,
      dynamicWindows: dynamic,
      registersMemory: this.type === 'spapr-tce v2',
      mapsDeviceMemory: type1,
      nesting: false,
      outlivesGroups: false,
    };
  }

  create(): DmaSpace {
    this.#made += 1;
    return new ContainerSpace(
      this,
      `container ${this.#made} (${this.type})`,
      this.dev.openContainer(),
      this.process,
    );
  }
}

/** Opens a group's file; a negated errno if it cannot be. */
function openGroup(group: VfioGroup, process: Process): GroupFile | number {
  try {
    return group.open(process);
  } catch (error) {
    if (error instanceof VfioError) return error.errno;
    throw error;
  }
}

/** Where windows can be: v1 has the default one, v2 one of any size at each of two places. */
function tceRanges(
  tce:
    | {
        readonly dma32: { readonly start: number; readonly size: number };
        readonly secondStart: number;
      }
    | undefined,
  dynamic: boolean,
): readonly AddressRange[] {
  if (tce === undefined) return [];
  const { start, size } = tce.dma32;
  return dynamic
    ? [
        { start, end: tce.secondStart },
        { start: tce.secondStart, end: ADDRESS_END },
      ]
    : [{ start, end: start + size }];
}

/** A container, as a monitor uses it. */
class ContainerSpace implements DmaSpace {
  /** The groups in it, and the descriptor of each. */
  readonly #files = new Map<VfioGroup, number>();
  readonly #fd: number;
  #capabilities: SpaceCapabilities | undefined;

  constructor(
    private readonly provider: ContainerProvider,
    readonly label: string,
    private readonly container: Container,
    private readonly process: Process,
  ) {
    this.#fd = process.fds.install(container);
  }

  get capabilities(): SpaceCapabilities {
    if (this.#capabilities === undefined) throw new Error(`${this.label}: it has had no group yet`);
    return this.#capabilities;
  }

  get groups(): readonly VfioGroup[] {
    return [...this.#files.keys()];
  }

  accept(group: VfioGroup): number {
    const file = openGroup(group, this.process);
    if (typeof file === 'number') return file;
    const first = this.#files.size === 0;
    const set = group.setContainer(this.container, this.process);
    this.#capabilities ??= this.provider.capabilities(group);
    const result = set !== 0 || !first ? set : this.#start();
    if (result === 0) this.#files.set(group, this.process.fds.install(file));
    else file.close();
    return result;
  }

  expel(group: VfioGroup): number {
    const fd = this.#files.get(group);
    if (fd === undefined) return -EINVAL;
    const result = group.unsetContainer();
    if (result !== 0) return result;
    this.#files.delete(group);
    return this.process.fds.close(fd);
  }

  groupFd(group: VfioGroup): number | undefined {
    return this.#files.get(group);
  }

  map(iova: number, address: number, size: number, access: DmaAccess): number {
    return this.#call(
      VFIO_IOMMU_MAP_DMA,
      vfioIommuType1DmaMap.encode({
        argsz: vfioIommuType1DmaMap.size,
        flags: access,
        vaddr: BigInt(address),
        iova: BigInt(iova),
        size: BigInt(size),
      }),
    );
  }

  unmap(iova: number, size: number): number {
    const all = iova === 0 && size === ADDRESS_END;
    const argument = vfioIommuType1DmaUnmap.encode({
      argsz: vfioIommuType1DmaUnmap.size,
      flags: all ? VFIO_DMA_UNMAP_FLAG_ALL : 0,
      iova: BigInt(iova),
      size: all ? 0n : BigInt(size),
    });
    const result = this.#call(VFIO_IOMMU_UNMAP_DMA, argument);
    return result < 0 ? result : Number(vfioIommuType1DmaUnmap.decode(argument).size);
  }

  /** Tables of more levels are tried as long as fewer will not do. */
  addWindow({ size, pageShift }: WindowRequest): { readonly start: number } | number {
    const pageBits = Math.log2(this.provider.hostPage);
    const tableBits = Math.log2((size / 2 ** pageShift) * TCE_SIZE);
    const most = Math.floor((64 - pageShift) / pageBits);
    let result: number = -EINVAL;
    for (let levels = Math.ceil(tableBits / (pageBits + 8)); levels <= most; levels += 1) {
      const argument = vfioIommuSpaprTceCreate.encode({
        argsz: vfioIommuSpaprTceCreate.size,
        pageShift,
        windowSize: BigInt(size),
        levels,
      });
      result = this.#call(VFIO_IOMMU_SPAPR_TCE_CREATE, argument);
      if (result === 0)
        return { start: Number(vfioIommuSpaprTceCreate.decode(argument).startAddr) };
    }
    return result;
  }

  removeWindow(start: number): number {
    return this.#call(
      VFIO_IOMMU_SPAPR_TCE_REMOVE,
      vfioIommuSpaprTceRemove.encode({
        argsz: vfioIommuSpaprTceRemove.size,
        startAddr: BigInt(start),
      }),
    );
  }

  register(address: number, size: number): number {
    return this.#memory(VFIO_IOMMU_SPAPR_REGISTER_MEMORY, address, size);
  }

  unregister(address: number, size: number): number {
    return this.#memory(VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY, address, size);
  }

  windows(): readonly AddressRange[] {
    return this.snapshot().ranges.map(({ start, last }) => ({
      start: Number(start),
      end: Number(last + 1n),
    }));
  }

  snapshot(): DmaSnapshot {
    return this.container.iommu?.snapshot() ?? EMPTY;
  }

  close(): void {
    this.process.fds.close(this.#fd);
  }

  /** Gives the container its IOMMU, and brings that to where a monitor wants to start. */
  #start(): number {
    const type = CONTAINER_TYPES[this.provider.type];
    const result = this.#call(VFIO_SET_IOMMU, type);
    if (result !== 0) return result;
    // The whole window counts as locked from here on; without this nothing can be mapped.
    if (type === VFIO_SPAPR_TCE_IOMMU) return this.#call(VFIO_IOMMU_ENABLE, 0);
    // The default window is given up before it exists: the guest's own windows come instead.
    return this.capabilities.dynamicWindows ? this.removeWindow(0) : 0;
  }

  #memory(command: number, address: number, size: number): number {
    const layout = vfioIommuSpaprRegisterMemory;
    return this.#call(
      command,
      layout.encode({ argsz: layout.size, vaddr: BigInt(address), size: BigInt(size) }),
    );
  }

  #call(command: number, argument: IoctlArgument): number {
    return this.container.ioctl(command, argument, this.process);
  }
}
