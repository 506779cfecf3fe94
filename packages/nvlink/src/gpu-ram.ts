import type { DeviceRegion, OpeningDevice, RegionOps } from '@vfiokit/core';
import type { RegisterBlock } from '@vfiokit/pci';
import {
  type DeviceMapping,
  EFAULT,
  EINVAL,
  EPERM,
  type InfoCapability,
  nvlink2SsatgtCapability,
  VFIO_REGION_INFO_FLAG_MMAP,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
  VFIO_REGION_SUBTYPE_NVIDIA_NVLINK2_RAM,
  VfioError,
  vendorRegionType,
} from '@vfiokit/uapi';
import { type NvlinkPlatform, property } from './nvlink-platform.js';

export const PCI_VENDOR_ID_NVIDIA = 0x10de;

/** Where a GPU's memory is in the machine's address space. */
export interface GpuWindow {
  readonly base: bigint;
  /** Bytes, of which only the first may have memory behind them. */
  readonly size: number;
  /** The address that the other end of the links knows it by. */
  readonly target: bigint;
}

/** The memory of a V100 that POWER9 reaches over NVLink2 (Linux 5.12, vfio_pci_nvlink2.c: vfio_pci_nvgpu_regops). */
export class GpuRam implements RegionOps {
  readonly #block: RegisterBlock | undefined;
  #mapped = false;

  constructor(
    private readonly device: OpeningDevice,
    private readonly window: GpuWindow,
    private readonly platform: NvlinkPlatform,
  ) {
    this.#block = platform.memory(window.base, window.size);
  }

  /** `-EFAULT` where the memory can't be mapped. */
  read(offset: number, size: 1 | 2 | 4): number {
    return this.#block?.read(offset, size) ?? -EFAULT;
  }

  write(offset: number, size: 1 | 2 | 4, value: number): number {
    this.#block?.write(offset, size, value);
    return this.#block === undefined ? -EFAULT : 0;
  }

  /**
   * Maps the memory, for DMA of the guest too: `-EPERM` for a second time in one open, `-EINVAL` for more than there is,
   * what the IOMMU side refuses with.
   */
  mmap(offset: number, length: number): DeviceMapping | number {
    if (this.#mapped) return -EPERM;
    if (length > this.window.size) return -EINVAL;
    // The first user is remembered even if what follows fails.
    this.#mapped = true;
    const error = this.platform.registerDeviceMemory?.(this.window.base, length) ?? 0;
    if (error < 0) return error;
    if (this.#block === undefined) return -EFAULT;
    // Memory of the other side of the link: neither the function's memory enable nor its power has a say.
    return this.device.mapMemory({ block: this.#block, offset, length, accessible: () => true });
  }

  capabilities(): readonly InfoCapability[] {
    return [nvlink2SsatgtCapability.encode({ tgt: this.window.target })];
  }

  release(): void {
    if (this.#mapped) this.platform.unregisterDeviceMemory?.(this.window.base);
    if (this.device.kvm !== undefined) this.platform.unmapPartition?.(this.device.pdev);
  }
}

/**
 * The region of a GPU (vfio_pci_nvdia_v100_nvlink2_init).
 *
 * @returns none for a GPU without links.
 * @throws VfioError EINVAL without a description of the memory, EFAULT without a target address, what the machine refuses
 *   to let the virtual machine have it with.
 */
export function gpuRamRegions(
  device: OpeningDevice,
  platform: NvlinkPlatform,
): readonly DeviceRegion[] {
  const { pdev, name, kvm } = device;
  const npu = platform.npuOf(pdev);
  if (npu === undefined) return [];
  const memory = npu.references?.['memory-region'];
  const base = memory && property(memory, 'reg', 0);
  const size = memory && property(memory, 'reg', 1);
  if (base === undefined || size === undefined)
    throw new VfioError(
      'EINVAL',
      `${name}: its bridge's memory-region does not lead to a reg of base and size`,
    );
  const target = property(npu, 'ibm,device-tgt-addr');
  if (target === undefined)
    throw new VfioError('EFAULT', `${name}: its bridge lacks ibm,device-tgt-addr`);
  const error = kvm === undefined ? 0 : (platform.mapPartition?.(pdev, kvm) ?? 0);
  if (error < 0)
    throw VfioError.fromErrno(error, `${name}: the virtual machine's partition can't be mapped`);
  return [
    {
      type: vendorRegionType(PCI_VENDOR_ID_NVIDIA),
      subtype: VFIO_REGION_SUBTYPE_NVIDIA_NVLINK2_RAM,
      size: Number(size),
      flags: VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE | VFIO_REGION_INFO_FLAG_MMAP,
      ops: new GpuRam(device, { base, size: Number(size), target }, platform),
    },
  ];
}
