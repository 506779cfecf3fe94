import {
  type DeviceNodeFile,
  type DevVfio,
  type GroupFile,
  type Iommufd,
  KVM_DEV_VFIO_FILE,
  KVM_DEV_VFIO_FILE_ADD,
  KVM_DEV_VFIO_FILE_DEL,
  type KvmVfio,
} from '@vfiokit/iommu';
import {
  IOMMU_IOAS_ALLOC,
  IOMMU_IOAS_MAP,
  IOMMU_IOAS_MAP_FIXED_IOVA,
  IOMMU_IOAS_MAP_READABLE,
  IOMMU_IOAS_MAP_WRITEABLE,
  IOMMU_IOAS_UNMAP,
  IoctlCaller,
  iommuIoasAlloc,
  iommuIoasMap,
  iommuIoasUnmap,
  VFIO_DEVICE_ATTACH_IOMMUFD_PT,
  VFIO_DMA_MAP_FLAG_READ,
  VFIO_DMA_MAP_FLAG_WRITE,
  VFIO_GROUP_SET_CONTAINER,
  VFIO_IOMMU_MAP_DMA,
  VFIO_IOMMU_UNMAP_DMA,
  VFIO_SET_IOMMU,
  VFIO_TYPE1v2_IOMMU,
  type VfioDevice,
  VfioError,
  type VfioFile,
  vfioDeviceAttachIommufdPt,
  vfioIommuType1DmaMap,
  vfioIommuType1DmaUnmap,
} from '@vfiokit/uapi';
import { type Kvm, STORAGE } from '../kvm/kvm.js';
import type { EmulatedDevice } from '../vfio/emulated-device.js';

/** By which files a VMM opens a device. */
export type VfioDoor = 'group' | 'cdev';

/** Bytes of a guest's storage that are mapped, and can be unmapped, together. */
export const MAPPING_SIZE = 1 << 20;

/**
 * What a VMM has open for a device, and what it does with it by raw VFIO, one system call after the other: as QEMU does
 * when it realizes a device.
 */
export interface VmmFiles {
  /** Ties the machine to what is open (KVM_DEV_VFIO_FILE_ADD). @throws VfioError */
  addToKvm(kvmVfio: KvmVfio): void;
  /** Undoes that. What is open stays with the machine, in today's kernel. */
  removeFromKvm(): void;
  /** Opens the device. @throws VfioError */
  openDevice(): VfioDevice;
  /** Takes a piece of the guest's storage out of what is mapped for the device. @throws VfioError */
  unmap(iova: number): void;
  /** Closes everything that was opened for the device. */
  close(): void;
}

/** Opens the way to a device for a machine's VMM, with the guest's storage mapped. @throws VfioError */
export function openVmmFiles(
  door: VfioDoor,
  dev: DevVfio,
  device: EmulatedDevice,
  kvm: Kvm,
): VmmFiles {
  return door === 'group' ? new GroupFiles(dev, device, kvm) : new CdevFiles(dev, device, kvm);
}

/** What both ways have in common. */
abstract class OpenFiles {
  protected readonly caller: IoctlCaller;
  #kvmVfio: KvmVfio | undefined;

  constructor(
    protected readonly device: EmulatedDevice,
    private readonly kvm: Kvm,
  ) {
    this.caller = new IoctlCaller(kvm.process, device.name);
  }

  addToKvm(kvmVfio: KvmVfio): void {
    this.caller.check(this.#tie(kvmVfio, KVM_DEV_VFIO_FILE_ADD), 'KVM_DEV_VFIO_FILE_ADD');
    this.#kvmVfio = kvmVfio;
  }

  removeFromKvm(): void {
    if (this.#kvmVfio !== undefined) this.#tie(this.#kvmVfio, KVM_DEV_VFIO_FILE_DEL);
    this.#kvmVfio = undefined;
  }

  close(): void {
    // The machine would keep the group open otherwise.
    this.removeFromKvm();
    this.caller.close();
  }

  #tie(kvmVfio: KvmVfio, attribute: number): number {
    const payload = int32(this.caller.descriptor(this.tied));
    return kvmVfio.setAttribute(KVM_DEV_VFIO_FILE, attribute, payload, this.kvm.process);
  }

  /** What the machine is tied to. */
  protected abstract readonly tied: VfioFile;

  protected open(dev: DevVfio, path: string | undefined): VfioFile {
    if (path === undefined) throw new VfioError('ENOENT', `${this.device.name}: it has no node`);
    const file = dev.open(path, this.kvm.process);
    this.caller.descriptor(file);
    return file;
  }

  protected mapStorage(map: (iova: number) => void): void {
    for (let iova = 0; iova < STORAGE.size; iova += MAPPING_SIZE) map(iova);
  }
}

/** Through the device's group, with a type1 container. */
class GroupFiles extends OpenFiles implements VmmFiles {
  protected readonly tied: GroupFile;
  readonly #container: VfioFile;

  constructor(dev: DevVfio, device: EmulatedDevice, kvm: Kvm) {
    super(device, kvm);
    const { caller } = this;
    this.tied = this.open(dev, device.groupPath) as GroupFile;
    this.#container = this.open(dev, '/dev/vfio/vfio');
    caller.call(this.tied, VFIO_GROUP_SET_CONTAINER, int32(caller.descriptor(this.#container)));
    caller.call(this.#container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU);
    this.mapStorage((iova) =>
      caller.call(
        this.#container,
        VFIO_IOMMU_MAP_DMA,
        vfioIommuType1DmaMap.encode({
          argsz: vfioIommuType1DmaMap.size,
          flags: VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
          vaddr: BigInt(STORAGE.address + iova),
          iova: BigInt(iova),
          size: BigInt(MAPPING_SIZE),
        }),
      ),
    );
  }

  openDevice(): VfioDevice {
    // As VFIO_GROUP_GET_DEVICE_FD, but with the reason for a refusal.
    const file = this.tied.getDevice(this.device.name, this.caller.process);
    this.caller.descriptor(file);
    return file;
  }

  unmap(iova: number): void {
    this.caller.call(
      this.#container,
      VFIO_IOMMU_UNMAP_DMA,
      vfioIommuType1DmaUnmap.encode({
        argsz: vfioIommuType1DmaUnmap.size,
        flags: 0,
        iova: BigInt(startOfMapping(iova)),
        size: BigInt(MAPPING_SIZE),
      }),
    );
  }
}

/** Through the device's own node, with an iommufd. */
class CdevFiles extends OpenFiles implements VmmFiles {
  protected readonly tied: DeviceNodeFile;
  readonly #iommufd: Iommufd;
  readonly #ioas: number;

  constructor(dev: DevVfio, device: EmulatedDevice, kvm: Kvm) {
    super(device, kvm);
    const { caller } = this;
    this.tied = this.open(dev, device.nodePath) as DeviceNodeFile;
    this.#iommufd = this.open(dev, '/dev/iommu') as Iommufd;
    const ioas = iommuIoasAlloc.encode({ size: iommuIoasAlloc.size });
    caller.call(this.#iommufd, IOMMU_IOAS_ALLOC, ioas);
    this.#ioas = iommuIoasAlloc.decode(ioas).outIoasId;
    this.mapStorage((iova) =>
      caller.call(
        this.#iommufd,
        IOMMU_IOAS_MAP,
        iommuIoasMap.encode({
          size: iommuIoasMap.size,
          flags: IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE,
          ioasId: this.#ioas,
          userVa: BigInt(STORAGE.address + iova),
          length: BigInt(MAPPING_SIZE),
          iova: BigInt(iova),
        }),
      ),
    );
  }

  openDevice(): VfioDevice {
    const { caller } = this;
    caller.check(this.tied.bind(this.#iommufd), 'VFIO_DEVICE_BIND_IOMMUFD');
    caller.call(
      this.tied,
      VFIO_DEVICE_ATTACH_IOMMUFD_PT,
      vfioDeviceAttachIommufdPt.encode({
        argsz: vfioDeviceAttachIommufdPt.ends.ptId,
        ptId: this.#ioas,
      }),
    );
    return this.tied;
  }

  unmap(iova: number): void {
    this.caller.call(
      this.#iommufd,
      IOMMU_IOAS_UNMAP,
      iommuIoasUnmap.encode({
        size: iommuIoasUnmap.size,
        ioasId: this.#ioas,
        iova: BigInt(startOfMapping(iova)),
        length: BigInt(MAPPING_SIZE),
      }),
    );
  }
}

function startOfMapping(iova: number): number {
  return Math.floor(iova / MAPPING_SIZE) * MAPPING_SIZE;
}

function int32(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}
