import type { AuxiliaryBus, AuxiliaryDevice, AuxiliaryDriver } from '@vfiokit/aux-bus';
import type { Device } from '@vfiokit/driver-model';
import { type Mlx5AdevIndexes, type Mlx5AdevSuffix, Mlx5AuxDevices } from './aux-devices.js';

/** What a subfunction offers unless its owner forbids it. */
const OFFERED: readonly Mlx5AdevSuffix[] = ['vnet', 'rdma', 'eth'];

/**
 * Subfunctions of a PF: what today stands where the design of 2021 put a device for every emulated function. Each is an
 * auxiliary device that mlx5_core itself drives, and then offers what a function of PCI offers.
 */
export class Mlx5Subfunctions {
  /** mlx5_core's own driver of subfunctions (mlx5/core/sf/dev/driver.c). */
  readonly driver: AuxiliaryDriver;
  readonly #active = new Map<number, AuxiliaryDevice>();

  constructor(
    private readonly bus: AuxiliaryBus,
    /** The PF. */
    private readonly parent: Device,
    indexes: Mlx5AdevIndexes,
  ) {
    const offered = new Map<AuxiliaryDevice, Mlx5AuxDevices>();
    this.driver = {
      name: 'mlx5_core.sf',
      ids: ['mlx5_core.sf'],
      probe: (device) => {
        const children = new Mlx5AuxDevices({ bus, indexes, parent: device, supported: OFFERED });
        children.attach();
        offered.set(device, children);
        return 0;
      },
      remove: (device) => {
        offered.get(device)?.remove();
        offered.delete(device);
      },
    };
  }

  /** A virtual HCA became active: its subfunction appears (mlx5_sf_dev_add). */
  activate(id: number, sfnum: number): AuxiliaryDevice {
    const { bus, parent } = this;
    const device = bus.publish({
      module: 'mlx5_core',
      name: 'sf',
      id,
      parent,
      shared: { sfnum },
    });
    this.#active.set(id, device);
    return device;
  }

  /** It was taken down. */
  deactivate(id: number): void {
    const device = this.#active.get(id);
    if (device === undefined) return;
    this.#active.delete(id);
    void this.bus.withdraw(device);
  }
}
