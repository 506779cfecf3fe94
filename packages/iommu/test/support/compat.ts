import { type GroupFile, KERNEL_QUIRKS, type ReservedRegion } from '@vfiokit/iommu';
import { getDeviceFd, HOLE, le, type StubDevice, setContainer, TestHost } from './host.js';
import { MOCK_IOMMU, OpenIommufd } from './iommufd.js';

const PAGE = 4096;

/** An iommufd in the place of a container, with a group whose device is open. */
export class Compat {
  readonly host: TestHost;
  readonly iommufd: OpenIommufd;
  readonly device: StubDevice;
  /** The group's file, which nobody has a descriptor of. */
  readonly group: GroupFile;

  constructor(type?: number, quirks = KERNEL_QUIRKS, reserved: readonly ReservedRegion[] = []) {
    this.host = new TestHost({ parameters: { quirks } });
    this.host.process.memory.map({ address: HOLE, size: PAGE, writable: true, deviceMemory: true });
    this.iommufd = new OpenIommufd(this.host);
    this.device = this.host.device({
      reserved,
      caps: { ...MOCK_IOMMU, pageSizes: 0x201000n, aperture: { start: 0, end: 2 ** 48 } },
    });
    this.group = this.host.openGroup(this.device);
    setContainer(this.group, this.iommufd.fd, this.host.process);
    if (type !== undefined) this.ioctl(0x3b66, type);
    getDeviceFd(this.group, this.device.name, this.host.process);
  }

  ioctl(command: number, argument: number | Uint8Array | undefined = 0): number {
    return this.iommufd.file.ioctl(command, argument, this.host.process);
  }

  map(iova: number | bigint, vaddr: number | bigint, size: number | bigint, flags = 3): number {
    return this.ioctl(
      0x3b71,
      le(32, [0, 4, 32], [4, 4, flags], [8, 8, vaddr], [16, 8, iova], [24, 8, size]),
    );
  }

  /** What UNMAP answers, and the size that it leaves. */
  unmap(iova: number | bigint, size: number | bigint, flags = 0): [ret: number, size: bigint] {
    const argument = le(24, [0, 4, 24], [4, 4, flags], [8, 8, iova], [16, 8, size]);
    const ret = this.ioctl(0x3b72, argument);
    return [ret, new DataView(argument.buffer).getBigUint64(16, true)];
  }

  info(argsz: number): DataView {
    const argument = le(Math.max(argsz, 24), [0, 4, argsz]);
    const ret = this.ioctl(0x3b70, argument);
    if (ret !== 0) throw new Error(`GET_INFO fails: ${ret}`);
    return new DataView(argument.buffer);
  }
}
