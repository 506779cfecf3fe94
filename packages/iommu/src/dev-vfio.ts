import { type Process, VfioError, type VfioFile } from '@vfiokit/uapi';
import { inject, injectAll, injectable } from 'tsyringe';
import type { IommuBackend } from './container/backend.js';
import { Container } from './container/container.js';
import { VfioGroups } from './group/vfio-groups.js';
import { IOMMU_BACKENDS } from './tokens.js';

const PREFIX = '/dev/vfio/';

/** The device nodes of VFIO and iommufd: what user space opens. */
@injectable()
export class DevVfio {
  constructor(
    @inject(VfioGroups) private readonly groups: VfioGroups,
    @injectAll(IOMMU_BACKENDS) private readonly backends: readonly IommuBackend[],
  ) {}

  /** open(2) of `/dev/vfio/vfio`: a container of its own each time. */
  openContainer(): Container {
    return new Container(this.backends);
  }

  /**
   * open(2) of `/dev/vfio/vfio`, `/dev/vfio/N`, `/dev/vfio/noiommu-N`.
   *
   * @throws VfioError ENOENT if there is no such node, and what opening it fails with.
   */
  open(path: string, process: Process): VfioFile {
    if (!path.startsWith(PREFIX)) throw new VfioError('ENOENT', `${path}: no node of VFIO`);
    const name = path.slice(PREFIX.length);
    return name === 'vfio' ? this.openContainer() : this.groups.openGroup(name, process);
  }
}
