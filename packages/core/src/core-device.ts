import type { DeviceDoor, GroupDevice, IommuGroup } from '@vfiokit/iommu';
import {
  PCI_CAP_ID_PM,
  PCI_PM_CTRL,
  PCI_PM_CTRL_NO_SOFT_RESET,
  type PciDevice,
} from '@vfiokit/pci';
import { EINVAL, type VfioDevice, VfioError } from '@vfiokit/uapi';
import { DeviceFile } from './device-file.js';
import { deviceIoctl } from './device-ioctl.js';
import type { DeviceSet } from './device-set.js';
import type { DirtyLogOps, PlatformHook } from './extension.js';
import type { Extensions } from './extensions.js';
import { Notifier } from './interrupts/notifier.js';
import { MemoryLock } from './memory-lock.js';
import type { MigrationDevice } from './migration/migration-device.js';
import { OpenDevice } from './open-device.js';
import type { KernelConfig, ModuleParameters } from './parameters.js';
import { PowerState } from './power-state.js';
import type { Quirks } from './quirks.js';
import { matchName, type VfToken, validateToken } from './vf-token.js';

/** What a device is bound with: who it is, and what the host and its driver give to it. */
export interface CoreDeviceOptions {
  readonly pdev: PciDevice;
  readonly iommuGroup: IommuGroup | undefined;
  /** The driver's name. */
  readonly driver: string;
  /** The name of its table of operations (vfio_device_ops.name), which VFs of it are stamped with. */
  readonly opsName: string;
  /** By how many bits region indexes are shifted in positions of the device's file. */
  readonly offsetShift: number | undefined;
  /** The module's parameters, which may change while the device is bound. */
  readonly parameters: ModuleParameters;
  readonly kernel: KernelConfig;
  readonly quirks: Quirks;
  readonly platformHooks: readonly PlatformHook[];
  readonly migration: MigrationDevice | undefined;
  readonly dirtyLog: DirtyLogOps | undefined;
  /** A PF's own token. */
  readonly vfToken: VfToken | undefined;
  /** For a VF whose PF's VFs were enabled through this module: the token of that PF. */
  readonly pfToken: VfToken | undefined;
  /** The IOMMU group of any function of the machine, bound or not. */
  readonly groupIdOf: (pdev: PciDevice) => number | undefined;
  /** Asks the device's container for its extensions; once an open. */
  readonly extensions: () => Extensions;
}

/**
 * A function that is bound to a VFIO driver, from probe to removal (struct vfio_pci_core_device with its vfio_device).
 *
 * It knows who may open it; what it is while it is open is an {@link OpenDevice}.
 */
export class VfioPciCoreDevice implements GroupDevice {
  readonly name: string;
  readonly pdev: PciDevice;
  readonly iommuGroup: IommuGroup | undefined;
  readonly driver: string;
  readonly opsName: string;
  readonly offsetShift: number | undefined;
  readonly parameters: ModuleParameters;
  /** The parameter as it was when the device was bound. */
  readonly nointxmask: boolean;
  /** The parameter as it was when the device was bound. */
  readonly disableIdleD3: boolean;
  readonly kernel: KernelConfig;
  readonly quirks: Quirks;
  readonly platformHooks: readonly PlatformHook[];
  readonly migration: MigrationDevice | undefined;
  readonly dirtyLog: DirtyLogOps | undefined;
  readonly vfToken: VfToken | undefined;
  readonly pfToken: VfToken | undefined;
  readonly groupIdOf: (pdev: PciDevice) => number | undefined;
  readonly memoryLock = new MemoryLock();
  readonly power: PowerState;
  /** Interrupt index 3: errors. */
  readonly err = new Notifier();
  /** Interrupt index 4: somebody wants the device back. */
  readonly req = new Notifier();
  /** log2 of the vectors of the last MSI enable; kept over disable and close. */
  msiQmax = 0;
  /** The last close could not reset the function. */
  needsReset = false;
  /** VFs of this PF were enabled through sysfs. */
  sriovActive = false;
  goingAway = false;
  /** Set by whoever registers it. */
  deviceSet: DeviceSet = { members: [] };
  readonly #extensions: () => Extensions;
  #openCount = 0;
  #opened: OpenDevice | undefined;
  #whenClosed: (() => void) | undefined;

  constructor(options: CoreDeviceOptions) {
    const { pdev, parameters } = options;
    this.pdev = pdev;
    this.name = pdev.name;
    this.iommuGroup = options.iommuGroup;
    this.driver = options.driver;
    this.opsName = options.opsName;
    this.offsetShift = options.offsetShift;
    this.parameters = parameters;
    this.nointxmask = parameters.nointxmask;
    this.disableIdleD3 = parameters.disable_idle_d3;
    this.kernel = options.kernel;
    this.quirks = options.quirks;
    this.platformHooks = options.platformHooks;
    this.migration = options.migration;
    this.dirtyLog = options.dirtyLog;
    this.vfToken = options.vfToken;
    this.pfToken = options.pfToken;
    this.groupIdOf = options.groupIdOf;
    this.#extensions = options.extensions;
    this.power = new PowerState(pdev, losesStateInD3(pdev), () => this.sriovActive);
  }

  get openCount(): number {
    return this.#openCount;
  }

  /** The device while somebody has it open. */
  get opened(): OpenDevice | undefined {
    return this.#opened;
  }

  /**
   * Reads what GET_DEVICE_FD was given (vfio_pci_core.c: vfio_pci_core_match): 1, 0 for another device's name, `-EINVAL` for
   * options that are none, or what the token check says.
   */
  match(text: string): number {
    const match = matchName(text, this.name);
    if (match === 'other') return 0;
    if (match === 'malformed') return -EINVAL;
    return this.matchToken(match.token) || 1;
  }

  matchToken(token: Uint8Array | undefined): number {
    const { pdev, pfToken, vfToken } = this;
    return validateToken({ isVirtfn: pdev.isVirtfn, pfToken, ownToken: vfToken }, token);
  }

  /**
   * Opens the device; the first open brings it up (vfio_main.c: vfio_df_open).
   *
   * @throws VfioError ENODEV while it is being removed, EINVAL for a second open through a character device, what the
   *   door refuses with, what enabling fails with.
   */
  open(door: DeviceDoor): VfioDevice {
    if (this.goingAway) throw new VfioError('ENODEV', `${this.name}: being removed`);
    if (door.kind === 'cdev' && this.#openCount !== 0)
      throw new VfioError('EINVAL', `${this.name}: open already; its character device opens once`);
    this.#opened ??= this.#firstOpen(door);
    this.#openCount += 1;
    return new DeviceFile(this, this.#opened, door, () => this.#close(door));
  }

  /** User mappings go and lent buffers are revoked, if anybody has the device open. */
  suspendMemory(): void {
    this.#opened?.suspendMemory();
  }

  resumeMemory(): void {
    this.#opened?.resumeMemory();
  }

  /**
   * Somebody wants the device back: tells its user, if the user asked to be told (vfio_pci_core_request). The kernel
   * repeats this about every ten seconds until the device is closed.
   */
  request(): void {
    this.req.signal();
  }

  /**
   * The function reported an uncorrectable error: its user is told and has to do what is to be done, so the answer to
   * the host is always the same, frozen channel or not (vfio_pci_core_aer_err_detected, quirk W19).
   */
  errorDetected(): 'can recover' {
    this.err.signal();
    return 'can recover';
  }

  /** Calls back once the device is closed, which may be now. */
  whenClosed(done: () => void): void {
    if (this.#openCount === 0) done();
    else this.#whenClosed = done;
  }

  #firstOpen(door: DeviceDoor): OpenDevice {
    const refused = door.bind(this);
    if (refused < 0)
      throw VfioError.fromErrno(refused, `${this.name}: its IOMMU side is not set up`);
    try {
      const opened = new OpenDevice(this, door, this.#extensions(), deviceIoctl);
      this.migration?.open();
      if (this.pfToken !== undefined) this.pfToken.users += 1;
      return opened;
    } catch (error) {
      door.unbind(this);
      throw error;
    }
  }

  #close(door: DeviceDoor): void {
    if (this.#openCount === 1) {
      if (this.pfToken !== undefined) this.pfToken.users -= 1;
      this.migration?.close();
      // The device still counts as open while it closes, as in the kernel.
      this.#opened?.close();
      this.#opened = undefined;
      this.err.clear();
      this.req.clear();
      door.unbind(this);
    }
    this.#openCount -= 1;
    if (this.#openCount === 0) this.#whenClosed?.();
  }
}

/** Whether the function forgets its configuration on the way back from D3hot (No_Soft_Reset is 0). */
function losesStateInD3(pdev: PciDevice): boolean {
  const position = pdev.findCapability(PCI_CAP_ID_PM);
  if (position === 0) return false;
  return (pdev.config.read(position + PCI_PM_CTRL, 2) & PCI_PM_CTRL_NO_SOFT_RESET) === 0;
}
