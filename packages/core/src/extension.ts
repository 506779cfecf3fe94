import type { ConfigAccess, PciDevice, RegisterBlock } from '@vfiokit/pci';
import {
  type DeviceMapping,
  type ErrnoName,
  type InfoCapability,
  type IoctlArgument,
  type MigrationState,
  type Process,
  VfioError,
} from '@vfiokit/uapi';
import type { DependencyContainer } from 'tsyringe';
import type { Region } from './regions/region.js';

/**
 * What an extension is given while a device opens: the function is enabled, its configuration space laid out, and no
 * user has it yet. What an extension returns is kept until the last close.
 */
export interface OpeningDevice {
  readonly pdev: PciDevice;
  /** The bus's name of it, for messages. */
  readonly name: string;
  /** The hardware's configuration space. */
  readonly config: ConfigAccess;
  /** The virtual copy, which an extension may prepare before anybody reads it. Not there yet for `configRegisters`. */
  readonly vconfig: Uint8Array;
  /** The virtual machine that user space has tied to the device. */
  readonly kvm: object | undefined;
  /** Runs first at the last close, in reverse order of registration; also when the open fails later on. */
  defer(undo: () => void): void;
  /** The core's own region, 0 to 8, below every override. Not there yet for `configRegisters`. */
  fixedRegion(index: number): Region;
  /**
   * What lies behind a BAR, past the user's memory enable (vfio_pci_core_setup_barmap).
   *
   * @throws VfioError ENODEV without such a BAR, EBUSY where somebody else holds it.
   */
  mapBar(bar: number): RegisterBlock;
  /** A mapping whose pages go together with those of the BARs, as a region's `mmap` returns it. */
  mapMemory(memory: MappedMemory): DeviceMapping;
}

/** Memory for a user to map. */
export interface MappedMemory {
  readonly block: RegisterBlock;
  /** Where in the block, in bytes. */
  readonly offset: number;
  readonly length: number;
  /** Whether a fault may bring pages in; as for a BAR if absent: memory is enabled and the device not in low power. */
  readonly accessible?: () => boolean;
}

/**
 * What a driver does when its device opens, beside adding and overriding (a variant's own open_device).
 * Token: `OPEN_HOOKS`. Contract suite: `describeOpenHook`.
 */
export interface OpenHook {
  /**
   * The function is enabled, its configuration space laid out, its BARs are there; no region was added yet. Nobody looks at
   * what it returns, nor waits for it.
   *
   * @throws VfioError to fail the open; what was deferred is undone.
   */
  open(device: OpeningDevice): void;
}

/**
 * What plain vfio-pci brings to particular functions, such as the regions of a graphics device; derived drivers don't
 * get it. Token: `VFIO_PCI_EXTENSIONS`, on the host's container.
 */
export interface DeviceExtension {
  /** Looks at a function that plain vfio-pci is being bound to, and puts what it brings into the device's container. */
  probe(pdev: PciDevice, container: DependencyContainer): void;
}

// --- 1. Device regions -----------------------------------------------------------------------------------------------

/**
 * How a region that the driver added is accessed (struct vfio_pci_regops).
 *
 * The core hands over naturally aligned pieces that lie inside the region. A region that wants a whole read(2) or
 * write(2) in one piece, with the position as the user gave it, implements `transfer`.
 */
export interface RegionOps {
  /** A value, unsigned, or a negated errno. */
  read(offset: number, size: 1 | 2 | 4): number;
  /** 0 or a negated errno. */
  write(offset: number, size: 1 | 2 | 4, value: number): number;
  /**
   * The whole of a read or write; it checks bounds itself.
   *
   * @param position where in the device's file, with the region's index in the bits above 40.
   * @returns the number of bytes, or a negated errno.
   */
  transfer?(bytes: Uint8Array, position: number, isWrite: boolean): number;
  /** Maps part of it; asked only if the region's flags say that it can be mapped. */
  mmap?(offset: number, length: number): DeviceMapping | number;
  /** Capabilities that GET_REGION_INFO shows behind the type capability. */
  capabilities?(): readonly InfoCapability[];
  /** The last close, in order of registration. */
  release?(): void;
}

/** A region of its own kind, shown at index 9 and up (vfio_pci_core_register_dev_region). */
export interface DeviceRegion {
  /** VFIO_REGION_TYPE_*, with bit 31 set for a vendor's own. */
  readonly type: number;
  readonly subtype: number;
  /** Bytes: 0 where a region is only told of, at most 2 to the shift of positions in the device's file, which is 40 by default. */
  readonly size: number;
  /** VFIO_REGION_INFO_FLAG_READ, _WRITE and, together with `ops.mmap`, _MMAP. */
  readonly flags: number;
  readonly ops: RegionOps;
}

/** Adds regions to a device. Token: `DEVICE_REGIONS`. Contract suite: `describeRegionOps`. */
export interface DeviceRegionProvider {
  /**
   * Called once an open, in order of registration; an empty list where there is nothing to show.
   *
   * @throws VfioError to fail the open.
   */
  regions(device: OpeningDevice): readonly DeviceRegion[];
}

// --- 2. Overrides ----------------------------------------------------------------------------------------------------

/** Answers an ioctl of a device file: zero or more, or a negated errno. */
export type IoctlHandler = (command: number, argument: IoctlArgument, caller: Process) => number;

/** Configuration bytes that a derived driver answers for in the core's place. */
export interface ConfigRegister {
  /** For people: who owns these bytes and why. */
  readonly name: string;
  /** The first byte, absolute. */
  readonly offset: number;
  readonly length: number;
  /** A naturally aligned piece that lies inside the register; `next` is what the core would do. A value or a negated errno. */
  read(offset: number, size: number, next: ConfigAccess): number;
  /** 0 or a negated errno. */
  write(offset: number, size: number, value: number, next: ConfigAccess): number;
}

/**
 * Stands in front of what the core does; each gets the layer below as `next` and decides once, while the device opens.
 * What it leaves alone costs nothing. Token: `DEVICE_OVERRIDES`. Contract suite: `describeOverride`.
 */
export interface DeviceOverride {
  /**
   * A region in place of the one below, or `next` itself to leave it alone. Indexes 0 to 8 and those of added regions.
   * Single registers of it are put in front of `next` by `overrideRegisters`.
   */
  region?(index: number, next: Region, device: OpeningDevice): Region;
  /** An ioctl handler in place of the one below. */
  ioctl?(next: IoctlHandler, device: OpeningDevice): IoctlHandler;
  /** Configuration bytes that it answers for. */
  configRegisters?(device: OpeningDevice): readonly ConfigRegister[];
}

// --- 3. Capability sets ----------------------------------------------------------------------------------------------

/** How much of the state machine a device supports. STOP_COPY always is. */
export interface MigrationSupport {
  readonly p2p: boolean;
  readonly preCopy: boolean;
}

/** How much there is to read while the device still runs (struct vfio_precopy_info). */
export interface PrecopyInfo {
  readonly initialBytes: bigint;
  readonly dirtyBytes: bigint;
  /** New initial data appeared; told only to users that asked for it (VFIO_PRECOPY_INFO_REINIT). */
  readonly reinit?: boolean;
}

/** A device's state in transit. The core makes the file around it: when it ends, what `ENOMSG` means, what a reset does. */
export interface MigrationStream {
  /**
   * Saving: fills the buffer from the front; the number of bytes, 0 if there is nothing (which the file turns into
   * `-ENOMSG` while the device runs on), `-EAGAIN`, or another negated errno.
   */
  read?(into: Uint8Array): number;
  /** Resuming: takes bytes; how many, or a negated errno. */
  write?(from: Uint8Array): number;
  /** Whether a read would not be answered with `-EAGAIN` or `-ENOMSG`, or a write with `-EAGAIN`; true if absent. */
  ready?(): boolean;
  /** Saving while running: what a user may expect to read, or a negated errno; `v2`: it understands that data may come anew. */
  precopyInfo?(v2: boolean): PrecopyInfo | number;
  /** A read that finds nothing answers 0 while the device runs on, against the interface's rule, as some drivers do. */
  readonly quietEnd?: boolean;
  /** The transfer ended, whether complete or not. */
  end?(): void;
}

/** How a driver tells the core of what happens to its device outside an arc. */
export interface MigrationControl {
  readonly state: MigrationState;
  /** The device is lost: it is in ERROR and its transfer ends; in the middle of an arc, when that is over. */
  fail(): void;
}

/**
 * A device whose state can be moved. The core walks the state machine; the driver carries out single arcs.
 * Token: `MIGRATION`. Contract suite: `describeMigration`.
 */
export interface MigrationOps {
  readonly support: MigrationSupport;
  /**
   * Takes the device over one arc of the state machine. The arcs that begin a transfer return its stream:
   * STOP to STOP_COPY, STOP to RESUMING, RUNNING to PRE_COPY, RUNNING_P2P to PRE_COPY_P2P. A stream that began before the
   * device stopped goes on in STOP_COPY, where what changed meanwhile has to follow. RESUMING to STOP after nothing was
   * written is a transfer that was given up, and no error.
   *
   * @throws VfioError if the arc failed and the device is still where it was; {@link MigrationBroken} if it is nowhere.
   */
  arc(from: MigrationState, to: MigrationState): MigrationStream | undefined;
  /** Estimated bytes of a STOP_COPY transfer (VFIO_DEVICE_FEATURE_MIG_DATA_SIZE), or a negated errno. */
  dataSize(): bigint | number;
  /** Called once, at bind. */
  attach?(control: MigrationControl): void;
  /** What setting a state answers in ERROR; `EINVAL` if absent. */
  readonly errorErrno?: ErrnoName;
  /** The device was reset: it is RUNNING again, and its streams are dead. */
  reset?(): void;
}

/** An arc failed and left the device in ERROR, from which only a reset helps. */
export class MigrationBroken extends VfioError {}

/** A range of IOVAs. */
export interface IovaRange {
  readonly iova: bigint;
  readonly length: bigint;
}

/**
 * A device that logs which pages its DMA wrote. The core keeps no state: starting twice reaches the driver.
 * Token: `DIRTY_LOG`. Contract suite: `describeDirtyLog`.
 */
export interface DirtyLogOps {
  /** Starts logging with about this page size; returns the one it chose, or a negated errno. */
  start(ranges: readonly IovaRange[], pageSize: bigint): bigint | number;
  /** 0 or a negated errno. */
  stop(): number;
  /** Reports the pages of a range that were written since they were last reported; 0 or a negated errno. */
  readAndClear(range: IovaRange, dirty: (page: bigint) => void): number;
}

/**
 * What a driver does around resets of its function (struct pci_error_handlers.reset_prepare, .reset_done): the ioctl, a
 * guest's FLR, a hot reset, sysfs, the one at the first open; the one at the last close tells nobody. For each bound
 * device, so what its PF's VFs share stands with the PF. Token: `RESET_HOOKS`, at probe. Contract suite: `describeResetHooks`.
 */
export interface ResetHooks {
  /** Nothing was saved or switched off yet. A reset can't be refused from here. */
  prepare?(): void;
  /** It is over, also if it failed: the configuration is restored, a migration RUNNING again. */
  done?(): void;
}

/** A driver that lends device memory to others. Token: `DMABUF_PROVIDER`. */
export interface DmaBufProvider {
  /** The physical addresses behind a range of a region; a negated errno where there are none. */
  physicalRanges(region: number, offset: bigint, length: bigint): readonly IovaRange[] | number;
}

// --- 4. Platform hooks -----------------------------------------------------------------------------------------------

/**
 * Something the machine does for every device, whichever driver it has.
 * Token: `PLATFORM_HOOKS`, on the host's container. Contract suite: `describePlatformHook`.
 */
export interface PlatformHook {
  /**
   * The function was enabled, its configuration space not yet read; 0, or a negated errno that fails the open.
   *
   * @param kvm the virtual machine that user space has tied to the device.
   */
  open?(pdev: PciDevice, kvm: object | undefined): number;
  /** The device is being closed. */
  close?(pdev: PciDevice, kvm: object | undefined): void;
  /** Capabilities for VFIO_DEVICE_GET_INFO; a negated errno fails the call, except -ENODEV, which stands for none. */
  infoCapabilities?(pdev: PciDevice): readonly InfoCapability[] | number;
}
