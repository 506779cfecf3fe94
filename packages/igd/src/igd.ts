import {
  type ConfigRegister,
  DEVICE_OVERRIDES,
  DEVICE_REGIONS,
  type DeviceExtension,
  type DeviceOverride,
  type DeviceRegion,
  type DeviceRegionProvider,
  type OpeningDevice,
} from '@vfiokit/core';
import type { PciDevice } from '@vfiokit/pci';
import {
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_SUBTYPE_INTEL_IGD_HOST_CFG,
  VFIO_REGION_SUBTYPE_INTEL_IGD_LPC_CFG,
  VFIO_REGION_SUBTYPE_INTEL_IGD_OPREGION,
  VfioError,
  vendorRegionType,
} from '@vfiokit/uapi';
import { type DependencyContainer, inject, injectable } from 'tsyringe';
import { ASLS, AslsRegister } from './asls.js';
import { BridgeConfig } from './bridge-config.js';
import type { IgdPlatform, IgdQuirks } from './igd-platform.js';
import { mapOpRegion, type OpRegion } from './opregion.js';
import { IGD_PLATFORM, IGD_QUIRKS } from './tokens.js';

const PCI_VENDOR_ID_INTEL = 0x8086;
const PCI_BASE_CLASS_DISPLAY = 0x03;

/** A bridge whose registers the guest's firmware and driver want to see. */
interface BridgeRole {
  readonly name: string;
  readonly what: string;
  readonly class: number;
  readonly subtype: number;
}

const HOST_BRIDGE: BridgeRole = {
  name: '0000:00:00.0',
  what: 'host bridge',
  class: 0x060000,
  subtype: VFIO_REGION_SUBTYPE_INTEL_IGD_HOST_CFG,
};
const LPC_BRIDGE: BridgeRole = {
  name: '0000:00:1f.0',
  what: 'LPC bridge',
  class: 0x060100,
  subtype: VFIO_REGION_SUBTYPE_INTEL_IGD_LPC_CFG,
};

/** Intel graphics under plain vfio-pci: every display function of the vendor (vfio_pci.c: vfio_pci_open_device). */
@injectable()
export class Igd implements DeviceExtension {
  constructor(
    @inject(IGD_PLATFORM) private readonly platform: IgdPlatform,
    @inject(IGD_QUIRKS) private readonly quirks: IgdQuirks,
  ) {}

  probe(pdev: PciDevice, container: DependencyContainer): void {
    if (!isGraphics(pdev)) return;
    const device = new IgdDevice(this.platform, this.quirks);
    container.register(DEVICE_OVERRIDES, { useValue: device });
    for (const provider of device.providers)
      container.register(DEVICE_REGIONS, { useValue: provider });
  }
}

/** Every display function of the vendor, integrated or not. */
export function isGraphics(ids: Pick<PciDevice, 'vendor' | 'class'>): boolean {
  return ids.vendor === PCI_VENDOR_ID_INTEL && ids.class >>> 16 === PCI_BASE_CLASS_DISPLAY;
}

/**
 * What one graphics function brings when it opens, step by step. A step that finds nothing ends it without failing the
 * open (vfio_pci_igd.c: vfio_pci_igd_init).
 */
class IgdDevice implements DeviceOverride {
  /** One a step, so that the core releases what earlier steps added when a later one fails the open. */
  readonly providers: readonly DeviceRegionProvider[] = [
    { regions: (device) => this.#opregion(device) },
    { regions: (device) => this.#bridge(HOST_BRIDGE, device) },
    { regions: (device) => this.#bridge(LPC_BRIDGE, device) },
  ];
  #asls = new AslsRegister();
  /** No step so far came up empty. */
  #complete = true;

  constructor(
    private readonly platform: IgdPlatform,
    private readonly quirks: IgdQuirks,
  ) {}

  configRegisters(): readonly ConfigRegister[] {
    this.#asls = new AslsRegister();
    return [this.#asls];
  }

  #opregion({ name, config, vconfig }: OpeningDevice): readonly DeviceRegion[] {
    const asls = config.read(ASLS, 4);
    if (asls < 0) throw VfioError.fromErrno(asls, `${name}: ASLS can't be read`);
    this.#complete = asls !== 0 && asls !== 0xffffffff;
    if (!this.#complete) return [];
    const opregion = mapOpRegion(name, asls, this.platform);
    this.#asls.virtualize(vconfig, this.#guestAsls(opregion));
    return [region(VFIO_REGION_SUBTYPE_INTEL_IGD_OPREGION, opregion)];
  }

  /** The kernel reuses a variable, and shows the VBT's address where there is one outside of the OpRegion. */
  #guestAsls({ address, lastMappedAddress }: OpRegion): number {
    return this.quirks.aslsShowsOpRegion ? address : lastMappedAddress;
  }

  #bridge(role: BridgeRole, { name, pdev }: OpeningDevice): readonly DeviceRegion[] {
    if (!this.#complete) return [];
    const bridge = this.platform.getDevice(role.name, pdev);
    this.#complete = bridge !== undefined;
    if (bridge === undefined) return [];
    const release = () => this.platform.putDevice?.(bridge);
    if (bridge.vendor !== PCI_VENDOR_ID_INTEL || bridge.class !== role.class) {
      release();
      throw new VfioError(
        'EINVAL',
        `${name}: ${role.name} is no ${role.what} of the same vendor, which its guests would expect there`,
      );
    }
    return [region(role.subtype, new BridgeConfig(bridge, release))];
  }
}

function region(subtype: number, ops: OpRegion | BridgeConfig): DeviceRegion {
  return {
    type: vendorRegionType(PCI_VENDOR_ID_INTEL),
    subtype,
    size: ops.size,
    flags: VFIO_REGION_INFO_FLAG_READ,
    ops,
  };
}
