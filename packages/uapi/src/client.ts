import type { IoEventFdSettings, IrqSettings, IrqSink } from './client-settings.js';
import {
  encodeDeviceFeature,
  featureName,
  VFIO_DEVICE_FEATURE_DMA_BUF,
  VFIO_DEVICE_FEATURE_GET,
  VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
  VFIO_DEVICE_FEATURE_PROBE,
  VFIO_DEVICE_FEATURE_SET,
  vfioDeviceFeature,
} from './device-feature.js';
import { type DeviceInfo, decodeDeviceInfo, vfioDeviceInfo } from './device-info.js';
import { type DmaBufFile, encodeDmaBuf, type VfioRegionDmaRange } from './dma-buf.js';
import { ENOSPC } from './errno.js';
import { EventFd } from './event-fd.js';
import type { VfioFile } from './file.js';
import {
  decodeHotResetInfo,
  encodeHotReset,
  type HotResetInfo,
  vfioPciDependentDevice,
  vfioPciHotResetInfo,
} from './hot-reset.js';
import { pciIrqName, pciRegionName, VFIO_PCI_CONFIG_REGION_INDEX } from './indexes.js';
import {
  VFIO_DEVICE_FEATURE,
  VFIO_DEVICE_GET_INFO,
  VFIO_DEVICE_GET_IRQ_INFO,
  VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
  VFIO_DEVICE_GET_REGION_INFO,
  VFIO_DEVICE_IOEVENTFD,
  VFIO_DEVICE_PCI_HOT_RESET,
  VFIO_DEVICE_RESET,
  VFIO_DEVICE_SET_IRQS,
  VFIO_MIG_GET_PRECOPY_INFO,
} from './ioctl.js';
import { IoctlCaller } from './ioctl-caller.js';
import { vfioDeviceIoeventfd } from './ioeventfd.js';
import { type VfioIrqInfo, vfioIrqInfo } from './irq-info.js';
import { encodeIrqSet } from './irq-set.js';
import {
  type MigrationState,
  migrationState,
  migrationStateNumber,
  type VfioPrecopyInfo,
  vfioDeviceFeatureMigState,
  vfioPrecopyInfo,
} from './migration.js';
import type { MigrationFile } from './migration-file.js';
import type { Process } from './process.js';
import { decodeRegionInfo, type RegionInfo, vfioRegionInfo } from './region-info.js';
import type { Struct } from './struct.js';
import type { AccessSize, VfioDevice } from './vfio-device.js';

/**
 * A user-space program at a VFIO device: each method is one call of the raw interface, with its structures made and read
 * and its failures thrown as {@link VfioError}.
 *
 * It needs the device to be opened already and leaves it open. Descriptors that it makes, for eventfds and for files
 * that calls return, are closed with it.
 */
export class DeviceClient implements Disposable {
  readonly #caller: IoctlCaller;
  readonly #positions = new Map<number, number>();

  constructor(
    readonly device: VfioDevice,
    readonly process: Process,
  ) {
    this.#caller = new IoctlCaller(process, device.name);
  }

  /** VFIO_DEVICE_GET_INFO, with the capabilities. */
  info(): DeviceInfo {
    return decodeDeviceInfo(this.#growing(VFIO_DEVICE_GET_INFO, vfioDeviceInfo, {}));
  }

  /** VFIO_DEVICE_GET_REGION_INFO, with the capabilities. */
  regionInfo(index: number): RegionInfo {
    const what = pciRegionName(index);
    const answer = this.#growing(VFIO_DEVICE_GET_REGION_INFO, vfioRegionInfo, { index }, what);
    return decodeRegionInfo(answer);
  }

  /** VFIO_DEVICE_GET_IRQ_INFO */
  irqInfo(index: number): VfioIrqInfo {
    const argument = vfioIrqInfo.encode({ argsz: vfioIrqInfo.size, index });
    this.#ioctl(VFIO_DEVICE_GET_IRQ_INFO, argument, pciIrqName(index));
    return vfioIrqInfo.decode(argument);
  }

  /** VFIO_DEVICE_SET_IRQS */
  setIrqs(settings: IrqSettings): void {
    const { index, action = 'trigger', start = 0 } = settings;
    const data =
      'eventfds' in settings
        ? { fds: settings.eventfds.map((sink) => this.#sink(sink)) }
        : settings;
    const argument = encodeIrqSet({ index, action, start, data });
    this.#ioctl(VFIO_DEVICE_SET_IRQS, argument, `${action} ${pciIrqName(index)}`);
  }

  /** Takes all sinks of an index away and disables it. */
  disableIrqs(index: number): void {
    this.setIrqs({ index, count: 0 });
  }

  /** VFIO_DEVICE_RESET */
  reset(): void {
    this.#ioctl(VFIO_DEVICE_RESET, undefined);
  }

  /** VFIO_DEVICE_GET_PCI_HOT_RESET_INFO */
  hotResetInfo(): HotResetInfo {
    const { size: header } = vfioPciHotResetInfo;
    const probe = vfioPciHotResetInfo.encode({ argsz: header });
    const result = this.device.ioctl(VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, probe, this.process);
    if (result !== -ENOSPC) this.#caller.check(result, 'VFIO_DEVICE_GET_PCI_HOT_RESET_INFO');
    const room = header + vfioPciHotResetInfo.decode(probe).count * vfioPciDependentDevice.size;
    const argument = vfioPciHotResetInfo.encode({ argsz: room }, new Uint8Array(room));
    this.#ioctl(VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, argument);
    return decodeHotResetInfo(argument);
  }

  /**
   * VFIO_DEVICE_PCI_HOT_RESET
   *
   * @param groups descriptors of the groups of all functions that it hits; none for a device that was opened without a group.
   */
  hotReset(groups: readonly number[] = []): void {
    this.#ioctl(VFIO_DEVICE_PCI_HOT_RESET, encodeHotReset(groups));
  }

  /** VFIO_DEVICE_IOEVENTFD */
  ioeventfd({ region, offset, size, data, eventfd }: IoEventFdSettings): void {
    const argument = vfioDeviceIoeventfd.encode({
      argsz: vfioDeviceIoeventfd.size,
      flags: size,
      offset: BigInt(this.#position(region) + offset),
      data,
      fd: this.#sink(eventfd),
    });
    this.#ioctl(VFIO_DEVICE_IOEVENTFD, argument, pciRegionName(region));
  }

  /** Whether the device has a feature for this operation, VFIO_DEVICE_FEATURE_GET or _SET. */
  probeFeature(feature: number, operation: number): boolean {
    const argument = encodeDeviceFeature(feature, operation | VFIO_DEVICE_FEATURE_PROBE);
    return this.device.ioctl(VFIO_DEVICE_FEATURE, argument, this.process) >= 0;
  }

  /** Reads a feature. `question` holds what the call wants to know beforehand. */
  getFeature<T>(feature: number, layout: Struct<T>, question: Partial<T> = {}): T {
    const data = layout.encode(question);
    return layout.decode(this.#feature(feature, VFIO_DEVICE_FEATURE_GET, data).answer);
  }

  /** Sets a feature that has no data, or the bytes of its data. */
  setFeature(feature: number, data?: Uint8Array): void {
    this.#feature(feature, VFIO_DEVICE_FEATURE_SET, data);
  }

  /** VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE: the state that the device is in. */
  migrationState(): MigrationState {
    const { deviceState } = this.getFeature(
      VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
      vfioDeviceFeatureMigState,
    );
    return migrationState(deviceState) ?? 'ERROR';
  }

  /**
   * VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE: takes the device to a state; after a failure {@link migrationState} says how
   * far it got.
   *
   * @returns the data file, if the last step on the way began a transfer.
   */
  setMigrationState(state: MigrationState): MigrationFile | undefined {
    const deviceState = migrationStateNumber(state);
    const data = vfioDeviceFeatureMigState.encode({ deviceState, dataFd: -1 });
    const set = VFIO_DEVICE_FEATURE_SET;
    const { answer } = this.#feature(VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, set, data, state);
    const { dataFd } = vfioDeviceFeatureMigState.decode(answer);
    return dataFd < 0 ? undefined : this.#caller.adopt<MigrationFile>(dataFd);
  }

  /** VFIO_MIG_GET_PRECOPY_INFO */
  precopyInfo(file: MigrationFile): VfioPrecopyInfo {
    const argument = vfioPrecopyInfo.encode({ argsz: vfioPrecopyInfo.size });
    this.#caller.call(file, VFIO_MIG_GET_PRECOPY_INFO, argument);
    return vfioPrecopyInfo.decode(argument);
  }

  /** VFIO_DEVICE_FEATURE_DMA_BUF: lends ranges of a region to others. */
  exportDmaBuf(region: number, ranges: readonly VfioRegionDmaRange[]): DmaBufFile {
    const data = encodeDmaBuf(region, ranges);
    const get = VFIO_DEVICE_FEATURE_GET;
    const { result } = this.#feature(VFIO_DEVICE_FEATURE_DMA_BUF, get, data, pciRegionName(region));
    return this.#caller.adopt<DmaBufFile>(result);
  }

  /** Reads a value of the virtual configuration space. */
  readConfig(offset: number, size: AccessSize): number {
    const value = this.device.read(VFIO_PCI_CONFIG_REGION_INDEX, offset, size);
    return this.#caller.check(value, `read of ${size} bytes at CONFIG+0x${offset.toString(16)}`);
  }

  /** Writes a value of the virtual configuration space. */
  writeConfig(offset: number, size: AccessSize, value: number): void {
    const result = this.device.write(VFIO_PCI_CONFIG_REGION_INDEX, offset, size, value);
    this.#caller.check(result, `write of ${size} bytes at CONFIG+0x${offset.toString(16)}`);
  }

  /** Reads bytes of a region (pread); fewer at the end of a BAR. */
  readRegion(region: number, offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const count = this.device.pread(bytes, this.#position(region) + offset);
    const at = `${pciRegionName(region)}+0x${offset.toString(16)}`;
    return bytes.subarray(0, this.#caller.check(count, `read of ${length} bytes at ${at}`));
  }

  /** Writes bytes of a region (pwrite); the number written, fewer at the end of a BAR. */
  writeRegion(region: number, offset: number, bytes: Uint8Array): number {
    const count = this.device.pwrite(bytes, this.#position(region) + offset);
    const at = `${pciRegionName(region)}+0x${offset.toString(16)}`;
    return this.#caller.check(count, `write of ${bytes.length} bytes at ${at}`);
  }

  /** The number of a file in the process, for structures that name one; closed with the client. */
  descriptor(file: VfioFile): number {
    return this.#caller.descriptor(file);
  }

  /** Closes the descriptors that it made. */
  close(): void {
    this.#caller.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #ioctl(command: number, argument: Uint8Array | undefined, what?: string): number {
    return this.#caller.call(this.device, command, argument, what);
  }

  /** Asks with room for the structure alone, and once more with as much as the answer said that there has to be. */
  #growing<T extends { readonly argsz: number }>(
    command: number,
    layout: Struct<T>,
    question: Partial<T>,
    what?: string,
  ): Uint8Array {
    const ask = (argsz: number) => {
      const bytes = layout.encode({ ...question, argsz }, new Uint8Array(argsz));
      this.#ioctl(command, bytes, what);
      return bytes;
    };
    const first = ask(layout.size);
    const { argsz } = layout.decode(first);
    return argsz > layout.size ? ask(argsz) : first;
  }

  #feature(
    feature: number,
    operation: number,
    data?: Uint8Array,
    what?: string,
  ): { result: number; answer: Uint8Array } {
    const argument = encodeDeviceFeature(feature, operation, data);
    const name = featureName(feature);
    const subject = what === undefined ? name : `${name} ${what}`;
    const result = this.#ioctl(VFIO_DEVICE_FEATURE, argument, subject);
    return { result, answer: argument.subarray(vfioDeviceFeature.size) };
  }

  #sink(sink: IrqSink): number {
    if (typeof sink === 'number') return sink;
    if (sink === undefined) return -1;
    return this.#caller.descriptor(typeof sink === 'function' ? new EventFd(sink) : sink);
  }

  /** Where a region starts in the device's file. Asked once: it stays, and asking for a ROM touches the hardware. */
  #position(region: number): number {
    const position = this.#positions.get(region) ?? this.regionInfo(region).position;
    this.#positions.set(region, position);
    return position;
  }
}
