import 'reflect-metadata';
import {
  Container,
  type DeviceDoor,
  DevVfio,
  GENERIC_IOMMU,
  type GroupDevice,
  type GroupFile,
  IOMMU_PARAMETERS,
  type Iommu,
  type IommuGroup,
  type IommuGroupOptions,
  IommuGroups,
  type IommuOptions,
  type IommuParameters,
  registerIommu,
  VfioGroups,
} from '@vfiokit/iommu';
import { EventFd, Process, type VfioDevice, VfioError, type VfioFile } from '@vfiokit/uapi';
import { container as root } from 'tsyringe';

/** Where a test process has its memory. */
export const ARENA = 0x100_0000_0000;
export const ARENA_SIZE = 16 << 20;
/** Nothing is mapped there. */
export const HOLE = 0x300_0000_0000;

/** A file that is nothing of VFIO: /dev/null. */
export class OtherFile implements VfioFile {
  readonly kind = 'other';
  close(): void {}
}

/** An open of a stub device: it answers nothing but what its door answers. */
export class StubDeviceFile implements VfioDevice {
  readonly kind = 'device';
  constructor(
    readonly name: string,
    readonly door: DeviceDoor,
    private readonly onClose: () => void,
  ) {}
  read = () => 0;
  write = (_region: number, _offset: number, size: number) => size;
  pread = () => 0;
  pwrite = () => 0;
  mmap = () => -22;
  ioctl(command: number, argument: number | Uint8Array | undefined, caller: Process): number {
    return this.door.ioctl?.(command, argument, caller) ?? -25;
  }
  close(): void {
    this.onClose();
  }
}

/** A device as the IOMMU side sees it: it has a name and can be opened. */
export class StubDevice implements GroupDevice {
  openCount = 0;
  goingAway = false;
  emulated = false;
  readonly unmaps: { iova: bigint; size: bigint }[] = [];
  dmaUnmap?: (iova: bigint, size: bigint) => void;
  matchToken?: (token: Uint8Array | undefined) => number;
  /** The virtual machine that the driver saw at its first open. */
  kvmAtOpen: object | undefined;
  door: DeviceDoor | undefined;

  constructor(
    readonly name: string,
    readonly iommuGroup: IommuGroup | undefined,
  ) {}

  match(text: string): number {
    return text === this.name ? 1 : 0;
  }

  open(door: DeviceDoor): StubDeviceFile {
    if (this.openCount > 0 && door.kind === 'cdev')
      throw new VfioError('EINVAL', `${this.name}: it is open already`);
    if (this.openCount === 0) {
      const refused = door.bind(this);
      if (refused !== 0) {
        const error = new VfioError('EINVAL', `${this.name}: the door refuses`);
        throw Object.assign(error, { errno: refused });
      }
      this.door = door;
      this.kvmAtOpen = door.kvm;
    }
    this.openCount += 1;
    return new StubDeviceFile(this.name, door, () => {
      this.openCount -= 1;
      if (this.openCount === 0) door.unbind(this);
    });
  }
}

/** Makes an emulated device that pins pages, and gives them back when it is told of an unmap. */
export function emulatedDevice(name: string): StubDevice {
  const device = new StubDevice(name, undefined);
  device.emulated = true;
  device.dmaUnmap = (iova, size) => {
    device.unmaps.push({ iova, size });
    device.door?.pages?.unpinPages(Number(iova), Number(size) / 4096);
  };
  return device;
}

/** A host's IOMMU side and a process on it. */
export class TestHost {
  readonly services = root.createChildContainer();
  readonly iommuGroups: IommuGroups;
  readonly groups: VfioGroups;
  readonly dev: DevVfio;
  readonly parameters: IommuParameters;
  readonly process: Process;
  readonly arena = new Uint8Array(ARENA_SIZE);

  constructor(options: IommuOptions = {}) {
    registerIommu(this.services, options);
    this.iommuGroups = this.services.resolve(IommuGroups);
    this.groups = this.services.resolve(VfioGroups);
    this.dev = this.services.resolve(DevVfio);
    this.parameters = this.services.resolve<IommuParameters>(IOMMU_PARAMETERS);
    this.process = this.newProcess(this.arena);
  }

  newProcess(bytes = new Uint8Array(ARENA_SIZE)): Process {
    const process = new Process();
    process.memory.map({ address: ARENA, size: ARENA_SIZE, writable: true, bytes });
    return process;
  }

  iommuGroup(options: Partial<IommuGroupOptions> & { caps?: Partial<Iommu> } = {}): IommuGroup {
    const { caps, ...rest } = options;
    return this.iommuGroups.create({ iommu: { ...GENERIC_IOMMU, ...caps }, ...rest });
  }

  /** A device alone in its group, offered to VFIO. */
  device(options: Partial<IommuGroupOptions> & { caps?: Partial<Iommu>; name?: string } = {}) {
    const { name, ...rest } = options;
    const group = this.iommuGroup(rest);
    const device = new StubDevice(name ?? `0000:00:${(group.id + 16).toString(16)}.0`, group);
    this.groups.register(device);
    return device;
  }

  /** An emulated device, offered to VFIO. */
  emulated(name = 'mdev0'): StubDevice {
    const device = emulatedDevice(name);
    this.groups.register(device);
    return device;
  }

  /** Opens the group of a device. */
  openGroup(device: GroupDevice, process = this.process): GroupFile {
    return this.groups.openGroup(this.groups.groupOf(device)!.nodeName, process);
  }

  /** Gives a file a descriptor. */
  fd(file: VfioFile, process = this.process): number {
    return process.fds.install(file);
  }

  /** A container in the process's descriptors. */
  container(process = this.process): OpenContainer {
    return new OpenContainer(this, this.dev.openContainer(), process);
  }

  /** A container with groups and an IOMMU. */
  ready(type: number, ...devices: readonly StubDevice[]): OpenContainer {
    const container = this.container();
    for (const device of devices) expectOk(container.add(device));
    expectOk(container.setIommu(type));
    return container;
  }
}

function expectOk(result: number): void {
  if (result !== 0) throw new Error(`set-up failed: ${result}`);
}

const le = (
  size: number,
  ...fields: readonly (readonly [at: number, bytes: 4 | 8, value: bigint | number])[]
) => {
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  for (const [at, bytes, value] of fields)
    if (bytes === 4) view.setUint32(at, Number(value), true);
    else view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
  return out;
};

type Address = number | bigint;

/** An open container, its descriptor, and its calls as user space makes them. */
export class OpenContainer {
  readonly fd: number;
  readonly groupFds = new Map<GroupDevice, number>();
  constructor(
    private readonly host: TestHost,
    readonly file: Container,
    readonly process: Process,
  ) {
    this.fd = process.fds.install(file);
  }

  /** Opens a device's group and puts it into the container; what SET_CONTAINER answers. */
  add(device: GroupDevice): number {
    const file = this.host.openGroup(device, this.process);
    this.groupFds.set(device, this.process.fds.install(file));
    return setContainer(file, this.fd, this.process);
  }

  group(device: GroupDevice): GroupFile {
    return this.process.fds.get(this.groupFds.get(device)!) as GroupFile;
  }

  ioctl(command: number, argument: number | Uint8Array | undefined = 0, caller = this.process) {
    return this.file.ioctl(command, argument, caller);
  }

  checkExtension(extension: number): number {
    return this.ioctl(0x3b65, extension);
  }

  setIommu(type: number): number {
    return this.ioctl(0x3b66, type);
  }

  map(
    iova: Address,
    vaddr: Address,
    size: Address,
    { flags = 3, argsz = 32, caller = this.process } = {},
  ): number {
    return this.ioctl(
      0x3b71,
      le(32, [0, 4, argsz], [4, 4, flags], [8, 8, vaddr], [16, 8, iova], [24, 8, size]),
      caller,
    );
  }

  /** Returns the negated errno, or how many bytes were unmapped according to the structure. */
  unmap(
    iova: Address,
    size: Address,
    { flags = 0, argsz = 24, caller = this.process } = {},
  ): bigint | number {
    const argument = le(24, [0, 4, argsz], [4, 4, flags], [8, 8, iova], [16, 8, size]);
    const result = this.ioctl(0x3b72, argument, caller);
    return result === 0 ? new DataView(argument.buffer).getBigUint64(16, true) : result;
  }

  /** UNMAP with a dirty bitmap. */
  unmapDirty(
    iova: Address,
    size: Address,
    bitmap: { pgsize?: Address; size: Address; data: Address },
    { flags = 1, argsz = 48 } = {},
  ): bigint | number {
    const argument = le(
      48,
      [0, 4, argsz],
      [4, 4, flags],
      [8, 8, iova],
      [16, 8, size],
      [24, 8, bitmap.pgsize ?? 4096],
      [32, 8, bitmap.size],
      [40, 8, bitmap.data],
    );
    const result = this.ioctl(0x3b72, argument);
    return result === 0 ? new DataView(argument.buffer).getBigUint64(16, true) : result;
  }

  /** DIRTY_PAGES without a range. */
  dirtyPages(flags: number, argsz = 8): number {
    return this.ioctl(0x3b75, le(8, [0, 4, argsz], [4, 4, flags]));
  }

  getBitmap(
    iova: Address,
    size: Address,
    bitmap: { pgsize?: Address; size: Address; data: Address },
    { flags = 4, argsz = 48 } = {},
  ): number {
    return this.ioctl(
      0x3b75,
      le(
        48,
        [0, 4, argsz],
        [4, 4, flags],
        [8, 8, iova],
        [16, 8, size],
        [24, 8, bitmap.pgsize ?? 4096],
        [32, 8, bitmap.size],
        [40, 8, bitmap.data],
      ),
    );
  }

  /** GET_INFO into a buffer of its own. */
  info(argsz: number, room = Math.max(argsz, 24)): { ret: number; bytes: DataView } {
    const argument = le(room, [0, 4, argsz]);
    return { ret: this.ioctl(0x3b70, argument), bytes: new DataView(argument.buffer) };
  }

  /** How many mappings can still be made, from GET_INFO. */
  available(): number {
    const { bytes } = this.info(512);
    for (let at = bytes.getUint32(16, true); at !== 0; at = bytes.getUint32(at + 4, true))
      if (bytes.getUint16(at, true) === 3) return bytes.getUint32(at + 8, true);
    return -1;
  }

  /** The ids of GET_INFO's capabilities, in order. */
  capabilities(): number[] {
    const { bytes } = this.info(512);
    const ids: number[] = [];
    for (let at = bytes.getUint32(16, true); at !== 0; at = bytes.getUint32(at + 4, true))
      ids.push(bytes.getUint16(at, true));
    return ids;
  }

  /** The ranges of GET_INFO, as text. */
  ranges(): string[] {
    const { bytes } = this.info(512);
    for (let at = bytes.getUint32(16, true); at !== 0; at = bytes.getUint32(at + 4, true))
      if (bytes.getUint16(at, true) === 1)
        return Array.from({ length: bytes.getUint32(at + 8, true) }, (_, i) => {
          const start = bytes.getBigUint64(at + 16 + i * 16, true);
          return `${start.toString(16)}-${bytes.getBigUint64(at + 24 + i * 16, true).toString(16)}`;
        });
    return [];
  }

  pageSizes(): bigint {
    return this.info(24).bytes.getBigUint64(8, true);
  }

  close(): void {
    this.process.fds.close(this.fd);
  }
}

/** SET_CONTAINER with a descriptor. */
export function setContainer(file: GroupFile, fd: number, process: Process): number {
  return file.ioctl(0x3b68, le(4, [0, 4, fd >>> 0]), process);
}

/** UNSET_CONTAINER. */
export function unsetContainer(file: GroupFile, process: Process): number {
  return file.ioctl(0x3b69, 0, process);
}

/** GET_STATUS: its flags or a negated errno. */
export function groupStatus(file: GroupFile, process: Process, argsz = 8): number {
  const argument = le(8, [0, 4, argsz]);
  const result = file.ioctl(0x3b67, argument, process);
  return result === 0 ? new DataView(argument.buffer).getUint32(4, true) : result;
}

/** GET_DEVICE_FD: the descriptor or a negated errno. */
export function getDeviceFd(file: GroupFile, name: string, process: Process): number {
  return file.ioctl(0x3b6a, new TextEncoder().encode(`${name}\0`), process);
}

export { EventFd, le };
