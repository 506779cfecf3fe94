import type { AuxiliaryBus, AuxiliaryDevice, AuxiliaryDriver } from '@vfiokit/aux-bus';
import type { Device } from '@vfiokit/driver-model';

/** What a function of mlx5_core offers to other drivers, by suffix (mlx5/core/dev.c: mlx5_adev_devices). */
export const MLX5_ADEV_SUFFIXES = [
  'vnet',
  'rdma',
  'eth',
  'rdma-rep',
  'eth-rep',
  'multiport',
  'dpll',
  'fwctl',
] as const;
export type Mlx5AdevSuffix = (typeof MLX5_ADEV_SUFFIXES)[number];

/** Numbers that all functions of a host share; the lowest free one is taken (mlx5_adev_idx_alloc). */
export class Mlx5AdevIndexes {
  readonly #taken = new Set<number>();

  take(): number {
    let index = 0;
    while (this.#taken.has(index)) index += 1;
    this.#taken.add(index);
    return index;
  }

  give(index: number): void {
    this.#taken.delete(index);
  }
}

/** What the auxiliary devices of one function are made from. */
export interface Mlx5AuxOptions {
  readonly bus: AuxiliaryBus;
  readonly indexes: Mlx5AdevIndexes;
  /** The function: a PCI device or a subfunction. */
  readonly parent: Device;
  /** What the function can do and is allowed to. */
  readonly supported: readonly Mlx5AdevSuffix[];
}

/** The auxiliary devices of one function: one for everything that it offers, all of the same number. */
export class Mlx5AuxDevices {
  readonly index: number;
  readonly #o: Mlx5AuxOptions;
  readonly #devices = new Map<Mlx5AdevSuffix, AuxiliaryDevice>();

  constructor(options: Mlx5AuxOptions) {
    this.#o = options;
    this.index = options.indexes.take();
  }

  get devices(): readonly AuxiliaryDevice[] {
    return [...this.#devices.values()];
  }

  /** Publishes what is supported, and resumes what rests; what is not supported does not exist at all (mlx5_attach_device). */
  attach(): void {
    const { bus, parent, supported } = this.#o;
    for (const name of MLX5_ADEV_SUFFIXES.filter((suffix) => supported.includes(suffix))) {
      const resting = this.#devices.get(name);
      if (resting !== undefined) driverOf(resting)?.resume?.(resting);
      else {
        const spec = { module: 'mlx5_core', name, id: this.index, parent };
        this.#devices.set(name, bus.publish(spec));
      }
    }
  }

  /**
   * Before a reset or a suspension: children whose driver can do that are put to rest, the others withdrawn, the last first
   * (mlx5_detach_device).
   */
  detach(): void {
    for (const [name, device] of [...this.#devices].reverse()) {
      const driver = driverOf(device);
      if (driver?.suspend !== undefined) driver.suspend(device);
      else this.#withdraw(name, device);
    }
  }

  /** The function goes with all of them, and gives its number back. */
  remove(): void {
    for (const [name, device] of [...this.#devices].reverse()) this.#withdraw(name, device);
    this.#o.indexes.give(this.index);
  }

  #withdraw(name: Mlx5AdevSuffix, device: AuxiliaryDevice): void {
    this.#devices.delete(name);
    void this.#o.bus.withdraw(device);
  }
}

function driverOf(device: AuxiliaryDevice): AuxiliaryDriver | undefined {
  return device.driver as AuxiliaryDriver | undefined;
}
