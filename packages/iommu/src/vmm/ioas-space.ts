import {
  EINVAL,
  ENODEV,
  ENOENT,
  IOMMU_DESTROY,
  IOMMU_HWPT_ALLOC,
  IOMMU_HWPT_ALLOC_NEST_PARENT,
  IOMMU_HWPT_DATA_VTD_S1,
  IOMMU_IOAS_ALLOC,
  IOMMU_IOAS_MAP,
  IOMMU_IOAS_MAP_FIXED_IOVA,
  IOMMU_IOAS_MAP_READABLE,
  IOMMU_IOAS_MAP_WRITEABLE,
  IOMMU_IOAS_UNMAP,
  iommuDestroy,
  iommuHwptAlloc,
  iommuHwptVtdS1,
  iommuIoasAlloc,
  iommuIoasMap,
  iommuIoasUnmap,
  type Process,
  type UserMapping,
  VfioError,
} from '@vfiokit/uapi';
import { ADDRESS_END, type AddressRange } from '../address/address.js';
import type { DmaSnapshot } from '../address/dma-snapshot.js';
import type { DevVfio } from '../dev-vfio.js';
import type { DeviceNodeFile } from '../group/device-node.js';
import type { VfioGroup } from '../group/vfio-group.js';
import type { VfioGroups } from '../group/vfio-groups.js';
import { DMA_READ, DMA_WRITE, type DmaAccess } from '../hardware/dma.js';
import type { Iommufd } from '../iommufd/iommufd.js';
import type { DmaSpace, GuestTableRoot, SpaceCapabilities, SpaceProvider } from './dma-space.js';

/** Somewhere in the monitor's memory for what its calls point to. */
const SCRATCH = 0x7f00_0000_0000;
const SCRATCH_SIZE = 4096;

/** Address spaces of one iommufd, driven by its ioctls. Devices come by their own nodes: group files stay closed. */
export class IoasProvider implements SpaceProvider {
  readonly #iommufd: Iommufd;
  readonly #fd: number;
  readonly #scratch: UserMapping;

  constructor(
    dev: DevVfio,
    private readonly groups: VfioGroups,
    private readonly process: Process,
  ) {
    this.#iommufd = dev.openIommufd();
    this.#fd = process.fds.install(this.#iommufd);
    this.#scratch = process.memory.map({
      address: SCRATCH,
      size: SCRATCH_SIZE,
      writable: true,
      bytes: new Uint8Array(SCRATCH_SIZE),
    });
  }

  capabilities({ iommuGroup }: VfioGroup): SpaceCapabilities {
    const { iommu } = iommuGroup;
    return {
      name: 'iommufd',
      protects: true,
      pageSizes: iommu?.pageSizes ?? 0n,
      ranges: [...iommuGroup.usable],
      maxMappings: null,
      maxGroups: null,
      dynamicWindows: false,
      registersMemory: false,
      mapsDeviceMemory: false,
      nesting: iommu?.nesting !== undefined,
      outlivesGroups: true,
    };
  }

  create(): DmaSpace {
    const alloc = iommuIoasAlloc.encode({ size: iommuIoasAlloc.size });
    const result = this.#iommufd.ioctl(IOMMU_IOAS_ALLOC, alloc, this.process);
    if (result !== 0) throw new VfioError('ENOMEM', '/dev/iommu: no address space could be made');
    const id = iommuIoasAlloc.decode(alloc).outIoasId;
    return new IoasSpace(id, this, this.#iommufd, this.groups, this.process);
  }

  /** Lets go of the iommufd. */
  close(): void {
    this.process.fds.close(this.#fd);
    this.process.memory.unmap(this.#scratch);
  }
}

/** An IOAS, as a monitor uses it. */
class IoasSpace implements DmaSpace {
  /** The groups in it, and the files of their devices. */
  readonly #devices = new Map<VfioGroup, DeviceNodeFile[]>();
  #capabilities: SpaceCapabilities | undefined;
  #parent: number | undefined;

  constructor(
    readonly id: number,
    private readonly provider: IoasProvider,
    private readonly iommufd: Iommufd,
    private readonly vfio: VfioGroups,
    private readonly process: Process,
  ) {}

  get label(): string {
    return `IOAS ${this.id} (iommufd)`;
  }

  get capabilities(): SpaceCapabilities {
    if (this.#capabilities === undefined) throw new Error(`${this.label}: it has had no group yet`);
    return this.#capabilities;
  }

  get groups(): readonly VfioGroup[] {
    return [...this.#devices.keys()];
  }

  /** Binds and attaches every device of the group. */
  accept(group: VfioGroup): number {
    const nodes = this.vfio.deviceNodes.filter((node) => node.group === group);
    if (nodes.length === 0) return -ENODEV;
    const files: DeviceNodeFile[] = [];
    for (const node of nodes) {
      const file = node.open();
      files.push(file);
      const bound = file.bind(this.iommufd);
      const result = bound < 0 ? bound : this.iommufd.attach(node.device, this.id);
      if (result < 0) {
        for (const opened of files) opened.close();
        return result;
      }
    }
    this.#devices.set(group, files);
    this.#capabilities ??= this.provider.capabilities(group);
    return 0;
  }

  expel(group: VfioGroup): number {
    const files = this.#devices.get(group);
    if (files === undefined) return -EINVAL;
    for (const file of files) file.close();
    this.#devices.delete(group);
    return 0;
  }

  map(iova: number, address: number, size: number, access: DmaAccess): number {
    return this.#call(
      IOMMU_IOAS_MAP,
      iommuIoasMap.encode({
        size: iommuIoasMap.size,
        flags:
          IOMMU_IOAS_MAP_FIXED_IOVA |
          (access & DMA_READ ? IOMMU_IOAS_MAP_READABLE : 0) |
          (access & DMA_WRITE ? IOMMU_IOAS_MAP_WRITEABLE : 0),
        ioasId: this.id,
        userVa: BigInt(address),
        length: BigInt(size),
        iova: BigInt(iova),
      }),
    );
  }

  /** A hole is nothing that was mapped, rather than an error. */
  unmap(iova: number, size: number): number {
    const all = iova === 0 && size === ADDRESS_END;
    const argument = iommuIoasUnmap.encode({
      size: iommuIoasUnmap.size,
      ioasId: this.id,
      iova: BigInt(iova),
      length: all ? 2n ** 64n - 1n : BigInt(size),
    });
    const result = this.#call(IOMMU_IOAS_UNMAP, argument);
    if (result === -ENOENT) return 0;
    return result < 0 ? result : Number(iommuIoasUnmap.decode(argument).length);
  }

  /** Puts the guest's page table on top: the devices of the group move to it. */
  nest(group: VfioGroup, { root, width }: GuestTableRoot): number {
    const file = this.#devices.get(group)?.[0];
    const device = file?.node.device;
    const devId = device && this.iommufd.devid(device);
    if (device === undefined || devId === undefined) return -ENODEV;
    const parent = this.#nestParent(devId);
    if (parent < 0) return parent;
    const data = iommuHwptVtdS1.encode({ pgtblAddr: BigInt(root), addrWidth: width });
    this.process.memory.write(SCRATCH, data);
    const hwpt = this.#allocHwpt(devId, parent, 0, data.length);
    if (hwpt < 0) return hwpt;
    return Math.min(0, this.iommufd.attach(device, hwpt));
  }

  windows(): readonly AddressRange[] {
    return this.capabilities.ranges;
  }

  snapshot(): DmaSnapshot {
    return this.iommufd.snapshots().find(({ id }) => id === this.id)!.dma;
  }

  close(): void {
    if (this.#parent !== undefined) this.#destroy(this.#parent);
    this.#destroy(this.id);
  }

  #nestParent(devId: number): number {
    this.#parent ??= this.#allocHwpt(devId, this.id, IOMMU_HWPT_ALLOC_NEST_PARENT, 0);
    return this.#parent;
  }

  #allocHwpt(devId: number, ptId: number, flags: number, dataLen: number): number {
    const argument = iommuHwptAlloc.encode({
      size: iommuHwptAlloc.size,
      flags,
      devId,
      ptId,
      dataType: dataLen > 0 ? IOMMU_HWPT_DATA_VTD_S1 : 0,
      dataLen,
      dataUptr: dataLen > 0 ? BigInt(SCRATCH) : 0n,
    });
    const result = this.#call(IOMMU_HWPT_ALLOC, argument);
    return result < 0 ? result : iommuHwptAlloc.decode(argument).outHwptId;
  }

  #destroy(id: number): void {
    this.#call(IOMMU_DESTROY, iommuDestroy.encode({ size: iommuDestroy.size, id }));
  }

  #call(command: number, argument: Uint8Array): number {
    return this.iommufd.ioctl(command, argument, this.process);
  }
}
