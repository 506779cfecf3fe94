import {
  FaultInjection,
  type Iommu,
  Iommufd,
  type IommuGroupOptions,
  type IommuOptions,
  MemFile,
} from '@vfiokit/iommu';
import type { Process } from '@vfiokit/uapi';
import { ARENA, emulatedDevice, le, type StubDevice, TestHost } from './host.js';

type Address = number | bigint;
type Field = readonly [at: number, bytes: 4 | 8, value: bigint | number];

/** Where a test's calls keep what they point to. */
export const SCRATCH = ARENA + 0xf00000;

const [FIXED, WRITE, READ] = [1, 2, 4];

/** The mock IOMMU of the kernel's own tests: pages half as large as the CPU's, a small aperture. */
export const MOCK_PAGE = 2048;
export const MOCK_START = 0x1000000;
export const MOCK_LAST = 0x7fffffff;
export const MOCK_IOMMU: Partial<Iommu> = {
  driver: 'mock',
  pageSizes: BigInt(MOCK_PAGE | (512 * MOCK_PAGE)),
  aperture: { start: MOCK_START, end: MOCK_LAST + 1 },
  nesting: 1,
  dirtyTracking: true,
  pasidBits: 20,
  viommuType: 1,
  info: { type: 1, data: Uint8Array.from({ length: 24 }, (_, i) => i + 1) },
};

/** An open /dev/iommu, its descriptor, and its calls as user space makes them. Results are ids, or negated errnos. */
export class OpenIommufd {
  readonly file: Iommufd;
  readonly fd: number;

  constructor(
    readonly host: TestHost,
    readonly process: Process = host.process,
  ) {
    this.file = host.dev.openIommufd();
    this.fd = process.fds.install(this.file);
  }

  /** A call; what it left in its structure. */
  call(command: number, size: number, ...fields: readonly Field[]) {
    const argument = le(size, [0, 4, size], ...fields);
    const ret = this.file.ioctl(command, argument, this.process);
    return { ret, view: new DataView(argument.buffer) };
  }

  #id(command: number, size: number, at: number, ...fields: readonly Field[]): number {
    const { ret, view } = this.call(command, size, ...fields);
    return ret === 0 ? view.getUint32(at, true) : ret;
  }

  ioasAlloc = (flags = 0) => this.#id(0x3b81, 12, 8, [4, 4, flags]);
  destroy = (id: number) => this.call(0x3b80, 8, [4, 4, id]).ret;

  /** MAP; where it is, or a negated errno. */
  map(
    ioas: number,
    userVa: Address,
    length: Address,
    {
      iova,
      flags = WRITE | READ,
      reserved = 0,
    }: { iova?: Address | undefined; flags?: number; reserved?: number } = {},
  ): bigint | number {
    const { ret, view } = this.call(
      0x3b85,
      40,
      [4, 4, iova === undefined ? flags : flags | FIXED],
      [8, 4, ioas],
      [12, 4, reserved],
      [16, 8, userVa],
      [24, 8, length],
      [32, 8, iova ?? 0],
    );
    return ret === 0 ? view.getBigUint64(32, true) : ret;
  }

  mapFile(
    ioas: number,
    fd: number,
    start: Address,
    length: Address,
    iova?: Address,
  ): bigint | number {
    const { ret, view } = this.call(
      0x3b8f,
      40,
      [4, 4, WRITE | READ | (iova === undefined ? 0 : FIXED)],
      [8, 4, ioas],
      [12, 4, fd >>> 0],
      [16, 8, start],
      [24, 8, length],
      [32, 8, iova ?? 0],
    );
    return ret === 0 ? view.getBigUint64(32, true) : ret;
  }

  copy(
    [from, source]: readonly [ioas: number, iova: Address],
    [to, target]: readonly [ioas: number, iova?: Address],
    length: Address,
    flags = WRITE | READ,
  ): bigint | number {
    const { ret, view } = this.call(
      0x3b83,
      40,
      [4, 4, target === undefined ? flags : flags | FIXED],
      [8, 4, to],
      [12, 4, from],
      [16, 8, length],
      [24, 8, target ?? 0],
      [32, 8, source],
    );
    return ret === 0 ? view.getBigUint64(24, true) : ret;
  }

  /** UNMAP; how much, or a negated errno. */
  unmap(ioas: number, iova: Address, length: Address): bigint | number {
    const { ret, view } = this.call(0x3b86, 24, [4, 4, ioas], [8, 8, iova], [16, 8, length]);
    return ret === 0 ? view.getBigUint64(16, true) : ret;
  }

  unmapAll = (ioas: number) => this.unmap(ioas, 0, 2n ** 64n - 1n);

  /** IOVA_RANGES with room for so many. */
  iovaRanges(ioas: number, room: number, reserved = 0) {
    const { ret, view } = this.call(
      0x3b84,
      32,
      [4, 4, ioas],
      [8, 4, room],
      [12, 4, reserved],
      [16, 8, SCRATCH],
    );
    const count = view.getUint32(8, true);
    const bytes = this.process.memory.read(SCRATCH, Math.min(room, count) * 16)!;
    const array = new DataView(bytes.buffer);
    const ranges = Array.from({ length: Math.min(room, count) }, (_, i) =>
      [0, 8].map((at) => array.getBigUint64(i * 16 + at, true)),
    );
    return { ret, count, ranges, alignment: view.getBigUint64(24, true) };
  }

  allowIovas(ioas: number, ranges: readonly (readonly [start: Address, last: Address])[]): number {
    const array = le(
      ranges.length * 16,
      ...ranges.flatMap(([start, last], i): Field[] => [
        [i * 16, 8, start],
        [i * 16 + 8, 8, last],
      ]),
    );
    this.process.memory.write(SCRATCH, array);
    return this.call(0x3b82, 24, [4, 4, ioas], [8, 4, ranges.length], [16, 8, SCRATCH]).ret;
  }

  /** OPTION; the value of a GET, 0 of a SET, or a negated errno. */
  option(id: number, value: number | 'get', object = 0): bigint | number {
    const get = value === 'get';
    const { ret, view } = this.call(
      0x3b87,
      24,
      [4, 4, id],
      [8, 4, get ? 1 : 0],
      [12, 4, object],
      [16, 8, get ? 0 : value],
    );
    return ret !== 0 ? ret : get ? view.getBigUint64(16, true) : 0;
  }

  /** VFIO_IOAS: 0 GET, 1 SET, 2 CLEAR. */
  vfioIoas(op: number, ioas = 0): number {
    const { ret, view } = this.call(0x3b88, 12, [4, 4, ioas], [8, 4, op]);
    return ret === 0 && op === 0 ? view.getUint32(4, true) : ret;
  }

  hwptAlloc(
    dev: number,
    pt: number,
    {
      flags = 0,
      type = 0,
      length = 0,
      data = 0,
      fault = 0,
    }: { flags?: number; type?: number; length?: number; data?: Address; fault?: number } = {},
  ): number {
    return this.#id(
      0x3b89,
      48,
      16,
      [4, 4, flags],
      [8, 4, dev],
      [12, 4, pt],
      [24, 4, type],
      [28, 4, length],
      [32, 8, data],
      [40, 4, fault],
    );
  }

  /** A nested HWPT whose guest page table is at an address. */
  nested(dev: number, parent: number, root: Address, flags = 0, fault = 0): number {
    this.process.memory.write(SCRATCH, le(24, [8, 8, root], [16, 4, 48]));
    return this.hwptAlloc(dev, parent, { flags, type: 1, length: 24, data: SCRATCH, fault });
  }

  setDirtyTracking = (hwpt: number, on: boolean) =>
    this.call(0x3b8b, 16, [4, 4, on ? 1 : 0], [8, 4, hwpt]).ret;

  /** GET_DIRTY_BITMAP into memory at an address. */
  getDirty(
    hwpt: number,
    iova: Address,
    length: Address,
    {
      page = 4096,
      data = SCRATCH,
      flags = 0,
    }: { page?: Address; data?: Address; flags?: number } = {},
  ): number {
    return this.call(
      0x3b8c,
      48,
      [4, 4, hwpt],
      [8, 4, flags],
      [16, 8, iova],
      [24, 8, length],
      [32, 8, page],
      [40, 8, data],
    ).ret;
  }

  /** INVALIDATE; its result and how many entries it says it has handled. */
  invalidate(
    hwpt: number,
    entries: Uint8Array,
    { count = entries.length / 24, length = 24, type = 0, data = SCRATCH as Address } = {},
  ): [ret: number, handled: number] {
    this.process.memory.write(SCRATCH, entries);
    const { ret, view } = this.call(
      0x3b8d,
      32,
      [4, 4, hwpt],
      [8, 8, data],
      [16, 4, type],
      [20, 4, length],
      [24, 4, count],
    );
    return [ret, view.getUint32(24, true)];
  }

  faultQueueAlloc() {
    const { ret, view } = this.call(0x3b8e, 16);
    return { ret, id: view.getUint32(8, true), fd: view.getUint32(12, true) };
  }

  viommuAlloc = (dev: number, hwpt: number, type = 1, flags = 0) =>
    this.#id(0x3b90, 40, 20, [4, 4, flags], [8, 4, type], [12, 4, dev], [16, 4, hwpt]);
  vdeviceAlloc = (viommu: number, dev: number, id: Address) =>
    this.#id(0x3b91, 24, 12, [4, 4, viommu], [8, 4, dev], [16, 8, id]);
  changeProcess = (process = this.process, reserved = 0) =>
    this.file.ioctl(0x3b92, le(8, [0, 4, 8], [4, 4, reserved]), process);

  veventqAlloc(viommu: number, depth = 2, type = 1) {
    const { ret, view } = this.call(0x3b93, 32, [8, 4, viommu], [12, 4, type], [16, 4, depth]);
    return { ret, id: view.getUint32(20, true), fd: view.getUint32(24, true) };
  }

  hwQueueAlloc = (viommu: number, iova: Address, length: Address, type = 1) =>
    this.#id(0x3b94, 40, 20, [8, 4, viommu], [12, 4, type], [24, 8, iova], [32, 8, length]);

  /** GET_HW_INFO into memory of a length. */
  hwInfo(dev: number, { length = 24, type = 0, flags = 0, data = SCRATCH as Address } = {}) {
    const { ret, view } = this.call(
      0x3b8a,
      40,
      [4, 4, flags],
      [8, 4, dev],
      [12, 4, length],
      [16, 8, data],
      [24, 4, type],
    );
    return {
      ret,
      length: view.getUint32(12, true),
      type: view.getUint32(24, true),
      pasid: view.getUint8(28),
      capabilities: view.getBigUint64(32, true),
    };
  }

  // --- devices ---

  /** Opens a device's node and binds it. */
  bind(device: StubDevice): BoundDevice {
    const node = this.host.groups.deviceNodes.find((other) => other.device === device)!;
    const file = node.open();
    const fd = this.process.fds.install(file);
    const argument = le(24, [0, 4, 24], [8, 4, this.fd]);
    const ret = file.ioctl(0x3b76, argument, this.process);
    return new BoundDevice(
      this,
      device,
      fd,
      ret,
      new DataView(argument.buffer).getUint32(12, true),
    );
  }
}

/** A device through its own node. */
export class BoundDevice {
  constructor(
    private readonly iommufd: OpenIommufd,
    readonly device: StubDevice,
    readonly fd: number,
    /** What BIND answered. */
    readonly ret: number,
    /** Its number. */
    readonly id: number,
  ) {}

  get dma() {
    return this.device.iommuGroup!.dma;
  }

  ioctl(command: number, argument: Uint8Array): number {
    return this.iommufd.process.fds.get(this.fd)!.ioctl!(command, argument, this.iommufd.process);
  }

  /** ATTACH; the HWPT, or a negated errno. */
  attach(pt: number, pasid?: number): number {
    const argument = le(
      16,
      [0, 4, 16],
      [4, 4, pasid === undefined ? 0 : 1],
      [8, 4, pt],
      [12, 4, pasid ?? 0],
    );
    const ret = this.ioctl(0x3b77, argument);
    return ret === 0 ? new DataView(argument.buffer).getUint32(8, true) : ret;
  }

  detach(pasid?: number): number {
    return this.ioctl(
      0x3b78,
      le(12, [0, 4, 12], [4, 4, pasid === undefined ? 0 : 1], [8, 4, pasid ?? 0]),
    );
  }

  close(): void {
    this.iommufd.process.fds.close(this.fd);
  }
}

/** A host with an open iommufd, and devices behind mock IOMMUs. */
export class MockHost {
  readonly host: TestHost;
  readonly iommufd: OpenIommufd;
  readonly faults: FaultInjection;

  constructor(options: IommuOptions = {}) {
    this.host = new TestHost(options);
    // Memory counts unless a test says otherwise.
    Object.assign(this.host.process.credentials, { ipcLock: false, memlock: 2 ** 40 });
    this.iommufd = new OpenIommufd(this.host);
    this.faults = this.host.services.resolve(FaultInjection);
  }

  device(caps: Partial<Iommu> = {}, options: Partial<IommuGroupOptions> = {}): StubDevice {
    return this.host.device({ ...options, caps: { ...MOCK_IOMMU, ...caps } });
  }

  /** A device, bound. */
  bound(caps: Partial<Iommu> = {}, options: Partial<IommuGroupOptions> = {}): BoundDevice {
    return this.iommufd.bind(this.device(caps, options));
  }

  /** A file of memory. */
  memFile(size: number): MemFile {
    return new MemFile(new Uint8Array(size));
  }

  /** An IOAS with that many page tables. */
  ioas(domains = 0): { ioas: number; devices: BoundDevice[] } {
    const ioas = this.iommufd.ioasAlloc();
    const devices = Array.from({ length: domains }, (_, i) => {
      const device = this.bound({ driver: `mock${i}` });
      device.attach(ioas);
      return device;
    });
    return { ioas, devices };
  }
}

/** An emulated device bound to an iommufd through its group, as `access`. */
export function access(mock: MockHost, ioas?: number) {
  const device = emulatedDevice(`mdev${[...mock.host.groups].length}`);
  mock.host.groups.register(device);
  const bound = mock.iommufd.bind(device);
  const attached = ioas === undefined ? undefined : bound.attach(ioas);
  return { device, bound, attached, pages: device.door!.pages! };
}

/** What the kernel's tests of an IOAS run with: how many page tables it has, and how much may be locked. */
export const IOAS_VARIANTS = [
  ['no domain', 0, 2 ** 40],
  ['one domain', 1, 2 ** 40],
  ['two domains', 2, 2 ** 40],
  ['one domain with a memory limit', 1, 16 * 4096],
] as const;

/** An IOAS of one of those variants, and where in it something can be mapped. */
export function ioasVariant(domains: number, memlock: number) {
  const mock = new MockHost();
  mock.host.process.credentials.memlock = memlock;
  const base = domains > 0 ? MOCK_START : 0x10000;
  return { mock, iommufd: mock.iommufd, base, ...mock.ioas(domains) };
}
