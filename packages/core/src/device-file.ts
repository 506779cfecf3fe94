import type { DeviceDoor } from '@vfiokit/iommu';
import {
  type AccessSize,
  type DeviceMapping,
  EBADF,
  EINVAL,
  EIO,
  type IoctlArgument,
  type MmapRequest,
  type Process,
  VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
  VFIO_DEVICE_PCI_HOT_RESET,
  type VfioDevice,
} from '@vfiokit/uapi';
import type { VirtualConfig } from './config/virtual-config.js';
import type { VfioPciCoreDevice } from './core-device.js';
import { hotReset, hotResetInfo } from './hot-reset.js';
import type { LowPower } from './low-power.js';
import type { OpenDevice } from './open-device.js';
import { ConfigRegion } from './regions/config-region.js';
import type { Positions } from './regions/positions.js';
import type { Region } from './regions/region.js';
import type { UserBuffer } from './regions/user-buffer.js';

const CONFIG_REGION = 7;
const BARS = 6;

/**
 * A descriptor of an open device (vfio_main.c: vfio_device_fops). Several may share one {@link OpenDevice}.
 *
 * Every call wakes a device that sleeps, for as long as the call lasts. Single accesses go straight to the region; the
 * three kinds that are hot have a call site each.
 */
export class DeviceFile implements VfioDevice {
  readonly kind = 'device';
  readonly name: string;
  readonly #regions: readonly Region[];
  /** Configuration space itself, unless a driver stands in front of the region. */
  readonly #config: VirtualConfig | undefined;
  readonly #bars: readonly Region[];
  readonly #lowPower: LowPower;
  readonly #positions: Positions;
  #closed = false;

  constructor(
    readonly core: VfioPciCoreDevice,
    readonly open: OpenDevice,
    private readonly door: DeviceDoor,
    private readonly release: () => void,
  ) {
    this.name = core.name;
    this.#regions = open.regions;
    const config = open.regions[CONFIG_REGION];
    this.#config = config instanceof ConfigRegion ? config.space : undefined;
    this.#bars = open.regions.slice(0, BARS);
    this.#lowPower = open.lowPower;
    this.#positions = open.positions;
  }

  read(region: number, offset: number, size: AccessSize): number {
    if (this.#lowPower.engaged || this.#closed) return this.#slowly(region, offset, size);
    if (region === CONFIG_REGION && this.#config !== undefined)
      return this.#config.read(offset, size);
    return this.#read(region, offset, size);
  }

  write(region: number, offset: number, size: AccessSize, value: number): number {
    if (this.#lowPower.engaged || this.#closed) return this.#slowly(region, offset, size, value);
    if (region === CONFIG_REGION && this.#config !== undefined) {
      const error = this.#config.write(offset, size, value);
      return error < 0 ? error : size;
    }
    return this.#write(region, offset, size, value);
  }

  pread(into: UserBuffer, position: number): number {
    return this.#transfer(into, position, false);
  }

  pwrite(from: UserBuffer, position: number): number {
    return this.#transfer(from, position, true);
  }

  /** vfio_pci_core.c: vfio_pci_core_mmap. A sleeping device stays asleep. */
  mmap({ position, length, shared }: MmapRequest): DeviceMapping | number {
    if (this.#closed) return -EBADF;
    // What mmap(2) itself refuses, before it asks the device.
    if (position % this.core.kernel.pageSize !== 0 || length <= 0) return -EINVAL;
    const region = this.#regions[this.#positions.regionOf(position)];
    if (region === undefined || !shared) return -EINVAL;
    return region.mmap?.(this.#positions.offsetOf(position), length) ?? -EINVAL;
  }

  ioctl(command: number, argument: IoctlArgument, caller: Process): number {
    if (this.#closed) return -EBADF;
    return this.#awake(() => {
      const answered = this.door.ioctl?.(command, argument, caller);
      if (answered !== undefined) return answered;
      switch (command) {
        case VFIO_DEVICE_GET_PCI_HOT_RESET_INFO:
          return hotResetInfo(this.core, this.door, argument);
        case VFIO_DEVICE_PCI_HOT_RESET:
          return hotReset(this.core, this.door, argument, caller);
        default:
          return this.open.ioctl(command, argument, caller);
      }
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.release();
  }

  /** An access to a device that sleeps, or to a descriptor that is closed. */
  #slowly(region: number, offset: number, size: AccessSize, value?: number): number {
    if (this.#closed) return -EBADF;
    return this.#awake(() =>
      value === undefined
        ? this.#read(region, offset, size)
        : this.#write(region, offset, size, value),
    );
  }

  #read(region: number, offset: number, size: AccessSize): number {
    if (region < BARS) return this.#bars[region]?.read(offset, size) ?? -EINVAL;
    return this.#regions[region]?.read(offset, size) ?? -EINVAL;
  }

  #write(region: number, offset: number, size: AccessSize, value: number): number {
    if (region < BARS) return this.#bars[region]?.write(offset, size, value) ?? -EINVAL;
    return this.#regions[region]?.write(offset, size, value) ?? -EINVAL;
  }

  #transfer(buffer: UserBuffer, position: number, isWrite: boolean): number {
    if (this.#closed) return -EBADF;
    if (buffer.length === 0) return 0;
    const region = this.#regions[this.#positions.regionOf(position)];
    if (region === undefined) return -EINVAL;
    const offset = this.#positions.offsetOf(position);
    return this.#awake(() =>
      isWrite ? region.pwrite(buffer, offset) : region.pread(buffer, offset),
    );
  }

  /** Runs something with the device awake; `-EIO` if it can't be woken. */
  #awake(body: () => number): number {
    const { runtimePm } = this.core.pdev;
    if (runtimePm.get() < 0) return -EIO;
    try {
      return body();
    } finally {
      runtimePm.put();
    }
  }
}
