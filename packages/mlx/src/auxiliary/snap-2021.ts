import {
  type AuxiliaryBus,
  type AuxiliaryDevice,
  type AuxiliaryDriver,
  Pairing,
} from '@vfiokit/aux-bus';
import {
  DEVICE_REGIONS,
  type DeviceRegion,
  RELEASE_HOOKS,
  type VfioPciDriver,
} from '@vfiokit/core';
import type { Device } from '@vfiokit/driver-model';
import type { PciDevice } from '@vfiokit/pci';
import {
  EINVAL,
  VFIO_REGION_INFO_FLAG_READ,
  VFIO_REGION_INFO_FLAG_WRITE,
  VFIO_REGION_SUBTYPE_MIGRATION_DEPRECATED,
  VFIO_REGION_TYPE_MIGRATION_DEPRECATED,
  VfioError,
} from '@vfiokit/uapi';

/** The name under which mlx5_core was to publish emulated functions. */
const COMPANION = { module: 'mlx5_core', name: 'vfio_pci' } as const;
/** struct vfio_device_migration_info, and 16 KiB of data behind it. */
const MIGRATION_REGION_SIZE = 32 + 16384;

/**
 * The example driver of the "vfio-pci-core subsystem" proposal of February 2021, on BlueField SNAP: the native driver
 * keeps its manager function, publishes an auxiliary device for every function that the adapter emulates, and the VFIO
 * driver binds to the emulated function *and* to its companion. Only both together are a VFIO device.
 *
 * The companion's id is the emulated function's PCI address as a number, which reviewers found hard to read.
 */
export class Mlx5Snap2021 {
  readonly #pairing: Pairing<PciDevice, PciDevice>;
  /** Leaves by itself, so nobody has to unbind it. */
  #leaving: PciDevice | undefined;

  /** @param part called for a function that loses its companion, after its reset: unbinds it. */
  constructor(part: (pdev: PciDevice) => void) {
    this.#pairing = new Pairing<PciDevice, PciDevice>({
      idOf: (pdev) => pdev.address.routingId,
      pair: (pdev) => pdev,
      part: (pdev) => {
        if (pdev === this.#leaving) return;
        pdev.tryResetFunction();
        part(pdev);
      },
    });
  }

  /** Functions that have both halves, by the id of their companion. */
  get paired(): ReadonlyMap<number, PciDevice> {
    return this.#pairing.wholes;
  }

  /** The half on the PCI bus: NVMe SNAP and virtio-blk of the vendor. */
  readonly pciDriver: VfioPciDriver = {
    name: 'mlx5_vfio_pci_2021',
    ids: [
      { vendor: 0x15b3, device: 0x6001 },
      { vendor: 0x1af4, device: 0x1042, subvendor: 0x15b3 },
    ],
    probe: (pdev, container) => {
      if (!this.#pairing.hasCompanion(pdev))
        throw new VfioError(
          'ENODEV',
          `${pdev.name}: mlx5_core publishes no ${COMPANION.module}.${COMPANION.name}.${pdev.address.routingId} for it`,
        );
      this.#pairing.addFunction(pdev);
      container.register(DEVICE_REGIONS, { useValue: { regions: () => [migrationRegion()] } });
      container.register(RELEASE_HOOKS, { useValue: () => this.#release(pdev) });
    },
  };

  /** The half on the auxiliary bus. Registered after the other, unregistered before it. */
  readonly auxiliaryDriver: AuxiliaryDriver = {
    name: 'mlx5_vfio_pci.vfio_pci',
    ids: [`${COMPANION.module}.${COMPANION.name}`],
    probe: (device) => {
      this.#pairing.addCompanion(device);
      return 0;
    },
    remove: (device) => this.#pairing.removeCompanion(device),
  };

  /** The function is not bound any more; its companion stays. */
  #release(pdev: PciDevice): void {
    this.#leaving = pdev;
    this.#pairing.removeFunction(pdev);
    this.#leaving = undefined;
  }
}

/** The native driver's part: a companion for a function that its adapter emulates. */
export function publishEmulated(
  bus: AuxiliaryBus,
  manager: Device,
  emulated: PciDevice,
): AuxiliaryDevice {
  return bus.publish({ ...COMPANION, id: emulated.address.routingId, parent: manager });
}

/** The region of the migration protocol of its time, which the stub never filled with life. */
function migrationRegion(): DeviceRegion {
  return {
    type: VFIO_REGION_TYPE_MIGRATION_DEPRECATED,
    subtype: VFIO_REGION_SUBTYPE_MIGRATION_DEPRECATED,
    size: MIGRATION_REGION_SIZE,
    flags: VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE,
    ops: {
      read: () => -EINVAL,
      write: () => -EINVAL,
      transfer: () => -EINVAL,
    },
  };
}
