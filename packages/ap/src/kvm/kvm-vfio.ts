import { EBADF, EEXIST, EINVAL, ENOENT, type Process, type VfioFile } from '@vfiokit/uapi';
import type { KvmAwareFile } from '../vfio/emulated-device.js';
import type { Kvm } from './kvm.js';

/**
 * The KVM-VFIO device of a machine: by it user space tells which VFIO files the machine uses (virt/kvm/vfio.c). A device
 * takes the machine over when it is opened first.
 */
export class KvmVfio {
  readonly #files = new Set<KvmAwareFile>();

  constructor(private readonly kvm: Kvm) {}

  /** KVM_DEV_VFIO_FILE_ADD: 0, `-EBADF`, `-EINVAL` (not a VFIO file), `-EEXIST`. */
  fileAdd(fd: number, process: Process): number {
    const file = process.fds.get(fd);
    if (file === undefined) return -EBADF;
    if (!isKvmAware(file)) return -EINVAL;
    if (this.#files.has(file)) return -EEXIST;
    this.#files.add(file);
    file.setKvm(this.kvm);
    return 0;
  }

  /** KVM_DEV_VFIO_FILE_DEL: 0, `-EBADF`, `-ENOENT`. What is open stays with the machine. */
  fileDel(fd: number, process: Process): number {
    const file = process.fds.get(fd);
    if (file === undefined) return -EBADF;
    if (!isKvmAware(file) || !this.#files.delete(file)) return -ENOENT;
    file.setKvm(undefined);
    return 0;
  }

  /** The machine goes away: its files are told. */
  close(): void {
    for (const file of this.#files) file.setKvm(undefined);
    this.#files.clear();
  }
}

function isKvmAware(file: VfioFile): file is KvmAwareFile {
  return 'setKvm' in file;
}
