import {
  EINVAL,
  ENODEV,
  EPERM,
  type IoctlArgument,
  type Process,
  VFIO_API_VERSION,
  VFIO_CHECK_EXTENSION,
  VFIO_GET_API_VERSION,
  VFIO_SET_IOMMU,
  type VfioFile,
} from '@vfiokit/uapi';
import type { VfioGroup } from '../group/vfio-group.js';
import type { ContainerIommu, IommuBackend } from './backend.js';

/**
 * An open `/dev/vfio/vfio`: an address space for DMA that groups share (container.c).
 *
 * Empty, it tells what the host offers. With groups it can be given an IOMMU; with one, it is that IOMMU until the last
 * group leaves. Closing the file does not detach anything: groups keep it alive.
 */
export class Container implements VfioFile {
  readonly kind = 'container';
  readonly #groups: VfioGroup[] = [];
  #iommu: ContainerIommu | undefined;
  #noiommu = false;

  /** @param backends the kinds of IOMMU that the host offers. */
  constructor(private readonly backends: readonly IommuBackend[]) {}

  /** The groups in it, in order of arrival. */
  get groups(): readonly VfioGroup[] {
    return this.#groups;
  }

  /** The IOMMU that it was given. */
  get iommu(): ContainerIommu | undefined {
    return this.#iommu;
  }

  /** Its groups have no IOMMU. */
  get noiommu(): boolean {
    return this.#noiommu;
  }

  /**
   * Before VFIO_SET_IOMMU every call but the container's own is `-EINVAL`, whatever its number and argument; afterwards
   * the IOMMU answers.
   */
  ioctl(command: number, argument: IoctlArgument, caller: Process): number {
    switch (command) {
      case VFIO_GET_API_VERSION:
        return VFIO_API_VERSION;
      case VFIO_CHECK_EXTENSION:
        return this.checkExtension(typeof argument === 'number' ? argument : 0);
      case VFIO_SET_IOMMU:
        return this.setIommu(typeof argument === 'number' ? argument : 0, caller);
      default:
        return this.#iommu === undefined ? -EINVAL : this.#iommu.ioctl(command, argument, caller);
    }
  }

  /** VFIO_CHECK_EXTENSION: of the host before VFIO_SET_IOMMU, of this container afterwards. */
  checkExtension(extension: number): number {
    if (this.#iommu) return this.#iommu.checkExtension(extension);
    for (const backend of this.backends) {
      if (this.#groups.length > 0 && backend.noiommu !== this.#noiommu) continue;
      const answer = backend.checkExtension(extension);
      if (answer > 0) return answer;
    }
    return 0;
  }

  /**
   * VFIO_SET_IOMMU: gives all groups to the first kind of IOMMU that takes them.
   *
   * @returns 0; `-EINVAL` without groups or a second time; `-ENODEV` if no kind has that type; or what the last one that
   * was tried answered.
   */
  setIommu(type: number, caller: Process): number {
    if (this.#groups.length === 0 || this.#iommu) return -EINVAL;
    let result = -ENODEV;
    for (const backend of this.backends) {
      if (backend.noiommu !== this.#noiommu || backend.checkExtension(type) <= 0) continue;
      const iommu = backend.open(type, caller);
      result = typeof iommu === 'number' ? iommu : this.#attachAll(iommu);
      if (result === 0) return 0;
    }
    return result;
  }

  /** Takes a group in, for VFIO_GROUP_SET_CONTAINER; 0 or a negated errno (container.c: vfio_container_attach_group). */
  attach(group: VfioGroup, caller: Process): number {
    const noiommu = group.kind === 'noiommu';
    if (noiommu && !caller.credentials.sysRawio) return -EPERM;
    if (this.#groups.length > 0 && this.#noiommu !== noiommu) return -EPERM;
    const claim = group.kind === 'iommu' ? group.iommuGroup.claim(group) : 0;
    if (claim !== 0) return claim;
    const result = this.#iommu?.attachGroup(group) ?? 0;
    if (result !== 0) {
      if (group.kind === 'iommu') group.iommuGroup.release();
      return result;
    }
    this.#noiommu = noiommu;
    this.#groups.push(group);
    return 0;
  }

  /** Lets a group go. The IOMMU goes with the last one, and all mappings with it. */
  detach(group: VfioGroup): void {
    this.#iommu?.detachGroup(group);
    if (group.kind === 'iommu') group.iommuGroup.release();
    this.#groups.splice(this.#groups.indexOf(group), 1);
    if (this.#groups.length > 0) return;
    this.#iommu?.release();
    this.#iommu = undefined;
    this.#noiommu = false;
  }

  close(): void {}

  #attachAll(iommu: ContainerIommu): number {
    for (const [index, group] of this.#groups.entries()) {
      const result = iommu.attachGroup(group);
      if (result === 0) continue;
      for (const attached of this.#groups.slice(0, index).reverse()) iommu.detachGroup(attached);
      iommu.release();
      return result;
    }
    this.#iommu = iommu;
    return 0;
  }
}
