import type { DeviceRegion, OpeningDevice, RegionOps } from '@vfiokit/core';
import type { RegisterBlock } from '@vfiokit/pci';
import {
  type DeviceMapping,
  EFAULT,
  EINVAL,
  type InfoCapability,
  nvlink2LnkspdCapability,
  nvlink2SsatgtCapability,
  VFIO_REGION_INFO_FLAG_MMAP,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
  VFIO_REGION_SUBTYPE_IBM_NVLINK2_ATSD,
  VfioError,
  vendorRegionType,
} from '@vfiokit/uapi';
import { type NvlinkBridge, type NvlinkPlatform, property } from './nvlink-platform.js';

export const PCI_VENDOR_ID_IBM = 0x1014;
/** Bytes of a link's ATSD registers. */
const ATSD_WINDOW = 0x10000;

/** One end of a link: whose memory it carries, and how fast. */
export interface NvlinkEnd {
  readonly target: bigint;
  readonly linkSpeed: number;
}

/**
 * The registers by which a guest invalidates translations of its GPU (address translation shootdown). A link without
 * registers of its own has an empty region, which is there for the capabilities
 * (Linux 5.12, vfio_pci_nvlink2.c: vfio_pci_npu2_regops).
 */
export class AtsdRegisters implements RegionOps {
  constructor(
    private readonly device: OpeningDevice,
    private readonly block: RegisterBlock | undefined,
    private readonly end: NvlinkEnd,
    private readonly pageSize: number,
  ) {}

  read(offset: number, size: 1 | 2 | 4): number {
    return this.block?.read(offset, size) ?? -EFAULT;
  }

  write(offset: number, size: 1 | 2 | 4, value: number): number {
    this.block?.write(offset, size, value);
    return this.block === undefined ? -EFAULT : 0;
  }

  /** The one page that there is; `-EINVAL` for any other length, and where there is none. */
  mmap(offset: number, length: number): DeviceMapping | number {
    if (length !== this.pageSize || this.block === undefined) return -EINVAL;
    const { block } = this;
    return this.device.mapMemory({ block, offset, length, accessible: () => true });
  }

  capabilities(): readonly InfoCapability[] {
    const { target: tgt, linkSpeed } = this.end;
    return [
      nvlink2SsatgtCapability.encode({ tgt }),
      nvlink2LnkspdCapability.encode({ linkSpeed, pad: 0 }),
    ];
  }
}

/**
 * The region of an NVLink2 bridge (vfio_pci_ibm_npu2_init).
 *
 * @returns none for a bridge that leads to no GPU, or that does not say which of its host bridge's links it is.
 * @throws VfioError EFAULT without target address or speed, ENOMEM if the registers can't be mapped.
 */
export function atsdRegions(
  device: OpeningDevice,
  platform: NvlinkPlatform,
): readonly DeviceRegion[] {
  const { pdev, name } = device;
  const bridge = platform.bridge(pdev);
  const link = bridge && property(bridge.node, 'ibm,npu-link-index');
  if (bridge === undefined || link === undefined) return [];
  const end = readEnd(name, bridge);
  const address = property(bridge.hostBridge, 'ibm,mmio-atsd', Number(link));
  const block = address === undefined ? undefined : platform.memory(address, ATSD_WINDOW);
  if (address !== undefined && block === undefined)
    throw new VfioError(
      'ENOMEM',
      `${name}: its ATSD registers at 0x${address.toString(16)} can't be mapped`,
    );
  return [
    {
      type: vendorRegionType(PCI_VENDOR_ID_IBM),
      subtype: VFIO_REGION_SUBTYPE_IBM_NVLINK2_ATSD,
      size: block === undefined ? 0 : platform.pageSize,
      flags: VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE | VFIO_REGION_INFO_FLAG_MMAP,
      ops: new AtsdRegisters(device, block, end, platform.pageSize),
    },
  ];
}

function readEnd(name: string, { node }: NvlinkBridge): NvlinkEnd {
  const target = property(node, 'ibm,device-tgt-addr');
  const speed = property(node, 'ibm,nvlink-speed');
  if (target === undefined || speed === undefined)
    throw new VfioError('EFAULT', `${name}: lacks ibm,device-tgt-addr or ibm,nvlink-speed`);
  return { target, linkSpeed: Number(speed) };
}
