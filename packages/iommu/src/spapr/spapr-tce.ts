import {
  copyArgszIn,
  copyIn,
  copyStructOut,
  EBUSY,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOENT,
  ENOMEM,
  ENOTTY,
  ENXIO,
  EPERM,
  type IoctlArgument,
  type Process,
  VFIO_EEH_PE_OP,
  VFIO_IOMMU_DISABLE,
  VFIO_IOMMU_ENABLE,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_SPAPR_INFO_DDW,
  VFIO_IOMMU_SPAPR_REGISTER_MEMORY,
  VFIO_IOMMU_SPAPR_TCE_CREATE,
  VFIO_IOMMU_SPAPR_TCE_GET_INFO,
  VFIO_IOMMU_SPAPR_TCE_REMOVE,
  VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY,
  VFIO_IOMMU_UNMAP_DMA,
  vfioIommuSpaprRegisterMemory,
  vfioIommuSpaprTceCreate,
  vfioIommuSpaprTceInfo,
  vfioIommuSpaprTceRemove,
} from '@vfiokit/uapi';
import { wraps } from '../address/address.js';
import type { DmaSnapshot } from '../address/dma-snapshot.js';
import type { ContainerIommu, IommuBackend } from '../container/backend.js';
import type { IommuParameters } from '../container/parameters.js';
import type { IommuGroup } from '../group/iommu-group.js';
import type { VfioGroup } from '../group/vfio-group.js';
import type { DmaAccess, DmaDomain } from '../hardware/dma.js';
import type { TcePlatform } from '../hardware/tce-platform.js';
import { lockBytes, unlockBytes } from '../memory/locked-memory.js';
import { type EehPe, eehPeOp } from './eeh.js';
import type { RegisteredMemory, RegisteredRegion } from './registered-memory.js';
import { TceMapper, tceSnapshot } from './tce-mapper.js';
import type { TceTable } from './tce-table.js';
import { TceWindows } from './tce-windows.js';

/** The TCE tables of a container, v1 or v2 (vfio_iommu_spapr_tce.c: struct tce_container). */
export class SpaprTce implements ContainerIommu {
  readonly #windows: TceWindows;
  readonly #groups: VfioGroup[] = [];
  readonly #regions: RegisteredRegion[] = [];
  readonly #mapper: TceMapper;
  /** The process whose memory is mapped: whoever used it first. */
  #owner: Process | undefined;
  #enabled = false;
  /** What ENABLE has counted as locked. */
  #windowLock: { readonly process: Process; readonly bytes: number } | undefined;

  constructor(
    readonly backend: IommuBackend,
    private readonly parameters: IommuParameters,
    readonly v2: boolean,
    private readonly memory: RegisteredMemory,
    private readonly endpoint: (group: IommuGroup) => EehPe | undefined,
  ) {
    this.#windows = new TceWindows(
      parameters,
      () => this.#platform,
      (table) => this.#mapper.clearAll(table),
    );
    this.#mapper = new TceMapper(this.#windows, memory, v2, parameters);
  }

  /** The windows by slot: the 32-bit one, the high one. */
  get tables(): readonly (TceTable | undefined)[] {
    return this.#windows.tables;
  }

  get groups(): readonly VfioGroup[] {
    return this.#groups;
  }

  checkExtension(extension: number): number {
    return this.backend.checkExtension(extension);
  }

  /** vfio_iommu_spapr_tce.c: tce_iommu_attach_group */
  attachGroup(group: VfioGroup): number {
    if (group.kind === 'emulated') return -EINVAL;
    const platform = group.iommuGroup.iommu?.tce;
    if (platform === undefined) return -ENODEV;
    if (this.v2 && platform.maxDynamicWindows === 0) return -EINVAL;
    const first = this.#groups[0];
    if (first && (!this.v2 || this.#groups.includes(group))) return -EBUSY;
    if (first && first.iommuGroup.iommu?.tce !== platform) return -EPERM;
    if (first === undefined) this.#windows.promiseDefault();
    this.#groups.push(group);
    group.iommuGroup.attach(this.#domainFor(group.iommuGroup));
    return 0;
  }

  /** vfio_iommu_spapr_tce.c: tce_iommu_detach_group */
  detachGroup(group: VfioGroup): void {
    const index = this.#groups.indexOf(group);
    if (index === -1) return;
    if (this.parameters.quirks.detachClearsTables || this.#groups.length === 1)
      this.#windows.clearAll();
    this.#groups.splice(index, 1);
    group.iommuGroup.attach();
  }

  ioctl(command: number, argument: IoctlArgument, caller: Process): number {
    if (this.#owner !== undefined && this.#owner !== caller) return -EPERM;
    switch (command) {
      case VFIO_IOMMU_SPAPR_TCE_GET_INFO:
        return this.#getInfo(argument);
      case VFIO_IOMMU_MAP_DMA:
        return this.#enabled ? this.#mapper.map(argument, caller) : -EPERM;
      case VFIO_IOMMU_UNMAP_DMA:
        return this.#enabled ? this.#mapper.unmap(argument, caller) : -EPERM;
      case VFIO_IOMMU_ENABLE:
        return this.v2 ? -ENOTTY : this.#enable(caller);
      case VFIO_IOMMU_DISABLE:
        return this.v2 ? -ENOTTY : this.#disable();
      case VFIO_IOMMU_SPAPR_REGISTER_MEMORY:
        return this.v2 ? this.#register(argument, caller) : -ENOTTY;
      case VFIO_IOMMU_SPAPR_UNREGISTER_MEMORY:
        return this.v2 ? this.#unregister(argument) : -ENOTTY;
      case VFIO_IOMMU_SPAPR_TCE_CREATE:
        return this.v2 ? this.#create(argument, caller) : -ENOTTY;
      case VFIO_IOMMU_SPAPR_TCE_REMOVE:
        return this.v2 ? this.#remove(argument, caller) : -ENOTTY;
      case VFIO_EEH_PE_OP:
        return this.#eeh(argument);
      default:
        return -ENOTTY;
    }
  }

  /** Whether a page of the owner's memory is registered: what the kernel wants before it sets entries itself. */
  registered(address: number, size: number): boolean {
    return (
      this.#owner !== undefined && this.memory.holding(this.#owner, address, size) !== undefined
    );
  }

  /** Sets one entry on the guest's behalf; without access it is cleared. 0 or a negated errno. */
  putTce(table: TceTable, at: number, address: number, access: DmaAccess): number {
    return this.#mapper.put(table, at, address, access, this.#owner);
  }

  snapshot(): DmaSnapshot {
    return tceSnapshot(this.v2, this.#platform, this.tables);
  }

  /** Everything is given back: windows, registrations, what ENABLE counted. */
  release(): void {
    this.#windows.removeAll();
    for (const region of this.#regions.splice(0)) this.memory.put(region);
    this.#disable();
    this.#owner = undefined;
  }

  get #platform(): TcePlatform | undefined {
    return this.#groups[0]?.iommuGroup.iommu?.tce;
  }

  #domainFor(group: IommuGroup): DmaDomain {
    const pe = this.endpoint(group);
    return {
      name: this.v2 ? 'spapr-tce v2' : 'spapr-tce v1',
      translate: (iova, access, hit) =>
        pe?.dmaWorks !== false &&
        this.#windows.holding(iova)?.translate(iova, access, hit) === true,
    };
  }

  // --- v1 ---

  /** VFIO_IOMMU_ENABLE: the whole window counts as locked, because the guest fills it without being able to fail. */
  #enable(caller: Process): number {
    if (this.#enabled) return -EBUSY;
    const platform = this.#platform;
    if (platform === undefined) return -ENODEV;
    const bytes = platform.dma32.size;
    if (bytes === 0) return -EPERM;
    const { pageSize } = this.parameters;
    if (!lockBytes(caller, caller.credentials.ipcLock, bytes, pageSize)) return -ENOMEM;
    this.#owner = caller;
    this.#windowLock = { process: caller, bytes };
    this.#enabled = true;
    return 0;
  }

  #disable(): number {
    if (this.#windowLock) unlockBytes(this.#windowLock.process, this.#windowLock.bytes);
    this.#windowLock = undefined;
    this.#enabled = false;
    return 0;
  }

  // --- v2: memory ---

  #register(argument: IoctlArgument, caller: Process): number {
    const request = this.#regionRequest(argument);
    if (typeof request === 'number') return request;
    const { address, size } = request;
    const known = this.memory.get(caller, address, size);
    if (known && this.#regions.includes(known)) return -EBUSY;
    if (known) known.users += 1;
    const region = known ?? this.memory.create(caller, address, size);
    if (typeof region === 'number') return region;
    this.#owner = caller;
    this.#regions.push(region);
    this.#enabled = true;
    return 0;
  }

  #unregister(argument: IoctlArgument): number {
    if (this.#owner === undefined) return -EPERM;
    const request = this.#regionRequest(argument);
    if (typeof request === 'number') return request;
    const region = this.memory.get(this.#owner, request.address, request.size);
    const index = region ? this.#regions.indexOf(region) : -1;
    if (region === undefined || index === -1) return -ENOENT;
    const result = this.memory.put(region);
    if (result !== 0 && !this.parameters.quirks.unregisterWhileMapped) return result;
    this.#regions.splice(index, 1);
    return 0;
  }

  #regionRequest(argument: IoctlArgument): { address: number; size: number } | number {
    const request = copyArgszIn(argument, vfioIommuSpaprRegisterMemory);
    if (typeof request === 'number') return request;
    const { flags, vaddr, size } = request;
    if (flags !== 0 || (vaddr | size) & BigInt(this.parameters.pageSize - 1)) return -EINVAL;
    return wraps(vaddr, size) ? -EINVAL : { address: Number(vaddr), size: Number(size) };
  }

  // --- v2: windows ---

  #create(argument: IoctlArgument, caller: Process): number {
    if (this.#platform === undefined) return -ENXIO;
    const create = copyArgszIn(argument, vfioIommuSpaprTceCreate);
    if (typeof create === 'number') return create;
    if (create.flags !== 0) return -EINVAL;
    this.#owner = caller;
    const { pageShift, windowSize, levels } = create;
    const table = this.#windows.create({ pageShift, size: Number(windowSize), levels }, caller);
    if (typeof table === 'number') return table;
    return copyStructOut(argument, vfioIommuSpaprTceCreate, { startAddr: BigInt(table.start) });
  }

  #remove(argument: IoctlArgument, caller: Process): number {
    if (this.#platform === undefined) return -ENXIO;
    const remove = copyArgszIn(argument, vfioIommuSpaprTceRemove);
    if (typeof remove === 'number') return remove;
    if (remove.flags !== 0) return -EINVAL;
    this.#owner = caller;
    return this.#windows.remove(Number(remove.startAddr));
  }

  // --- both ---

  #getInfo(argument: IoctlArgument): number {
    const platform = this.#platform;
    if (platform === undefined) return -ENXIO;
    const { dma32WindowSize } = vfioIommuSpaprTceInfo.ends;
    const info = copyArgszIn(argument, vfioIommuSpaprTceInfo, dma32WindowSize);
    if (typeof info === 'number') return info;
    const ddw = this.v2 && platform.maxDynamicWindows > 0;
    const room =
      info.argsz >= vfioIommuSpaprTceInfo.size ? vfioIommuSpaprTceInfo.size : dma32WindowSize;
    if (copyIn(argument, room) === undefined) return -EFAULT;
    return copyStructOut(
      argument,
      vfioIommuSpaprTceInfo,
      {
        flags: ddw ? VFIO_IOMMU_SPAPR_INFO_DDW : 0,
        dma32WindowStart: platform.dma32.start,
        dma32WindowSize: platform.dma32.size,
        ddw: {
          pgsizes: ddw ? BigInt(platform.pageSizes) : 0n,
          maxDynamicWindowsSupported: ddw ? platform.maxDynamicWindows : 0,
          levels: ddw ? platform.levels : 0,
        },
      },
      room,
    );
  }

  /** Group by group, up to the first answer that is not 0. */
  #eeh(argument: IoctlArgument): number {
    for (const { iommuGroup } of this.#groups) {
      const result = eehPeOp(this.endpoint(iommuGroup), argument);
      if (result !== 0) return result;
    }
    return 0;
  }
}
