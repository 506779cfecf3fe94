import {
  copyIn,
  EBADF,
  EEXIST,
  EFAULT,
  EINVAL,
  EIO,
  ENOENT,
  ENXIO,
  type IoctlArgument,
  type Process,
  type VfioFile,
} from '@vfiokit/uapi';
import { DeviceNodeFile } from '../group/device-node.js';
import { GroupFile } from '../group/group-file.js';
import { SpaprTce } from '../spapr/spapr-tce.js';
import { KvmTceTable } from './kvm-tce-table.js';
import type { KvmVm } from './kvm-vm.js';

/** The attributes' group: files, once groups only. */
export const KVM_DEV_VFIO_FILE = 1;
export const KVM_DEV_VFIO_FILE_ADD = 1;
export const KVM_DEV_VFIO_FILE_DEL = 2;
export const KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE = 3;

type Member = GroupFile | DeviceNodeFile;

/**
 * The pseudo-device that tells a virtual machine of VFIO's groups and devices (virt/kvm/vfio.c). What it is told of
 * stays open, and sees the machine at its next first open.
 */
export class KvmVfio {
  readonly #files: Member[] = [];
  /** The tables that each group was tied to, and the container that it was in then. */
  readonly #tied = new Map<Member, { table: KvmTceTable; container: SpaprTce }[]>();
  #noncoherent = false;

  constructor(
    private readonly vm: KvmVm,
    private readonly destroyed: () => void,
  ) {}

  /**
   * KVM_SET_DEVICE_ATTR.
   *
   * @param payload what the attribute's address leads to.
   * @returns 0; `-ENXIO` (no such attribute), and each attribute's own errors.
   */
  setAttribute(group: number, attribute: number, payload: IoctlArgument, caller: Process): number {
    if (group !== KVM_DEV_VFIO_FILE) return -ENXIO;
    switch (attribute) {
      case KVM_DEV_VFIO_FILE_ADD:
        return this.#add(payload, caller);
      case KVM_DEV_VFIO_FILE_DEL:
        return this.#delete(payload, caller);
      case KVM_DEV_VFIO_GROUP_SET_SPAPR_TCE:
        return this.#setSpaprTce(payload, caller);
      default:
        return -ENXIO;
    }
  }

  /** The device goes with the machine: everything is let go. */
  destroy(): void {
    for (const file of [...this.#files]) this.#remove(file);
    this.destroyed();
  }

  /** `-EFAULT`, `-EBADF`, `-EINVAL` (no group and no device), `-EEXIST` (that file, by whatever number). */
  #add(payload: IoctlArgument, caller: Process): number {
    const file = fileAt(payload, 0, caller);
    if (typeof file === 'number') return file;
    if (!(file instanceof GroupFile || file instanceof DeviceNodeFile)) return -EINVAL;
    if (this.#files.includes(file)) return -EEXIST;
    if (file instanceof GroupFile) {
      file.get();
      file.group.kvm = this.vm;
    } else file.kvm = this.vm;
    this.#files.push(file);
    this.#updateCoherency();
    return 0;
  }

  /** `-EFAULT`, `-EBADF`, `-ENOENT` (never added). */
  #delete(payload: IoctlArgument, caller: Process): number {
    const file = fileAt(payload, 0, caller);
    if (typeof file === 'number') return file;
    const member = this.#files.find((other) => other === file);
    if (member === undefined) return -ENOENT;
    this.#remove(member);
    return 0;
  }

  #remove(file: Member): void {
    this.#files.splice(this.#files.indexOf(file), 1);
    for (const { table, container } of this.#tied.get(file) ?? []) table.unlink(container);
    this.#tied.delete(file);
    if (file instanceof GroupFile) {
      file.group.kvm = undefined;
      file.put();
    } else file.kvm = undefined;
    this.#updateCoherency();
  }

  /** Ties a group's hardware tables to a guest's table: hypercalls reach them without the monitor. */
  #setSpaprTce(payload: IoctlArgument, caller: Process): number {
    const group = fileAt(payload, 0, caller);
    if (typeof group === 'number') return group;
    if (!(group instanceof GroupFile) || !this.#files.includes(group)) return -ENOENT;
    if (group.group.gone) return -EIO;
    const file = fileAt(payload, 4, caller);
    if (typeof file === 'number') return file;
    if (!(file instanceof KvmTceTable) || file.vm !== this.vm) return -EINVAL;
    const container = group.group.container?.iommu;
    if (!(container instanceof SpaprTce)) return -EFAULT;
    const table = container.tables.find((hardware) => hardware && file.fits(hardware));
    if (table === undefined) return -EINVAL;
    file.link(container, table);
    this.#tied.set(group, [...(this.#tied.get(group) ?? []), { table: file, container }]);
    return 0;
  }

  /** Only the first and the last file that is not coherent matter to the machine. */
  #updateCoherency(): void {
    const noncoherent = this.#files.some((file) => !enforcedCoherent(file));
    if (noncoherent === this.#noncoherent) return;
    this.#noncoherent = noncoherent;
    if (noncoherent) this.vm.registerNoncoherentDma();
    else this.vm.unregisterNoncoherentDma();
  }
}

/** All DMA of a file's devices goes through the caches (vfio_main.c: vfio_file_enforced_coherent). */
function enforcedCoherent(file: Member): boolean {
  const group = file instanceof GroupFile ? file.group : file.node.group;
  return group.iommuGroup.iommu?.enforcesCacheCoherency ?? false;
}

/** The open file whose descriptor stands in a payload. */
function fileAt(payload: IoctlArgument, at: number, caller: Process): VfioFile | number {
  const view = copyIn(payload, at + 4);
  if (view === undefined) return -EFAULT;
  return caller.fds.get(view.getInt32(at, true)) ?? -EBADF;
}
