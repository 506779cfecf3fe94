import { type Process, VfioError, type VfioFile } from '@vfiokit/uapi';
import { inject, injectAll, injectable } from 'tsyringe';
import type { IommuBackend } from './container/backend.js';
import { Container } from './container/container.js';
import type { IommuParameters } from './container/parameters.js';
import { VfioGroups } from './group/vfio-groups.js';
import { Iommufd } from './iommufd/iommufd.js';
import { FaultInjection } from './memory/fault-injection.js';
import { LockedByUser } from './memory/locked-by-user.js';
import { IOMMU_BACKENDS, IOMMU_PARAMETERS } from './tokens.js';

const PREFIX = '/dev/vfio/';
const DEVICE = /^devices\/vfio(\d+)$/;

/** The device nodes of VFIO and iommufd: what user space opens. */
@injectable()
export class DevVfio {
  readonly #users = new LockedByUser();

  constructor(
    @inject(VfioGroups) private readonly groups: VfioGroups,
    @injectAll(IOMMU_BACKENDS) private readonly backends: readonly IommuBackend[],
    @inject(IOMMU_PARAMETERS) private readonly parameters: IommuParameters,
    @inject(FaultInjection) private readonly faults: FaultInjection,
  ) {}

  /** open(2) of `/dev/vfio/vfio`: a container of its own each time. */
  openContainer(): Container {
    return new Container(this.backends);
  }

  /** open(2) of `/dev/iommu`: address spaces and page tables of its own each time. */
  openIommufd(): Iommufd {
    return new Iommufd(this.parameters, this.#users, this.faults);
  }

  /**
   * open(2) of `/dev/vfio/vfio`, `/dev/vfio/N`, `/dev/vfio/noiommu-N`, `/dev/vfio/devices/vfioN` or `/dev/iommu`.
   *
   * @throws VfioError ENOENT if there is no such node, and what opening it fails with.
   */
  open(path: string, process: Process): VfioFile {
    if (path === '/dev/iommu') return this.openIommufd();
    if (!path.startsWith(PREFIX)) throw new VfioError('ENOENT', `${path}: no node of VFIO`);
    const name = path.slice(PREFIX.length);
    const device = DEVICE.exec(name);
    if (device) return this.groups.deviceNode(Number(device[1])).open();
    if (name !== 'vfio') return this.groups.openGroup(name, process);
    return this.parameters.iommufdVfioContainer ? this.openIommufd() : this.openContainer();
  }
}
