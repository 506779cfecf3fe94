import { EBUSY, EINVAL, ENOMEM, type Process } from '@vfiokit/uapi';
import { lockBytes } from '../memory/locked-memory.js';
import { GuestMemory } from './guest-memory.js';
import { KvmTceTable } from './kvm-tce-table.js';
import { KvmVfio } from './kvm-vfio.js';

/** What KVM_CREATE_SPAPR_TCE_64 takes. */
export interface TceTableRequest {
  readonly liobn: number;
  readonly pageShift: number;
  /** In pages: the first bus address of the window. */
  readonly offset: number;
  /** In pages. */
  readonly size: number;
}

const PAGE_SHIFTS = { min: 12, max: 34 };
const TCE_SIZE = 8;

/** A virtual machine in the kernel, as far as it meets VFIO (virt/kvm). */
export class KvmVm {
  readonly memory = new GuestMemory();
  readonly #tables = new Map<number, KvmTceTable>();
  #vfio: KvmVfio | undefined;
  /** How often somebody has said that there is DMA which caches do not see. */
  #noncoherent = 0;

  /** @param process the virtual machine monitor. */
  constructor(
    readonly process: Process,
    private readonly pageSize = 4096,
  ) {}

  /** DMA bypasses the caches: the guest's WBINVD has to be carried out. */
  get noncoherentDma(): boolean {
    return this.#noncoherent > 0;
  }

  /** How many registrations of noncoherent DMA there are (kvm_arch_register_noncoherent_dma). */
  get noncoherentRegistrations(): number {
    return this.#noncoherent;
  }

  registerNoncoherentDma(): void {
    this.#noncoherent += 1;
  }

  unregisterNoncoherentDma(): void {
    this.#noncoherent -= 1;
  }

  /** KVM_CREATE_DEVICE of type VFIO: the pseudo-device, or `-EBUSY` if there is one. */
  createVfioDevice(): KvmVfio | number {
    if (this.#vfio) return -EBUSY;
    this.#vfio = new KvmVfio(this, () => {
      this.#vfio = undefined;
    });
    return this.#vfio;
  }

  /**
   * KVM_CREATE_SPAPR_TCE_64: a table that the guest fills by hypercall (book3s_64_vio.c).
   *
   * @returns it, or `-EINVAL` (empty, pages of no size, beyond the address space), `-EBUSY` (that number is taken),
   * `-ENOMEM` (locked memory).
   */
  createTceTable(request: TceTableRequest): KvmTceTable | number {
    const { liobn, pageShift, offset, size } = request;
    if (size <= 0 || pageShift < PAGE_SHIFTS.min || pageShift > PAGE_SHIFTS.max) return -EINVAL;
    if ((offset + size) * 2 ** pageShift > 2 ** 64) return -EINVAL;
    if (this.#tables.has(liobn)) return -EBUSY;
    const bytes = Math.ceil((size * TCE_SIZE) / this.pageSize) * this.pageSize;
    const { process } = this;
    if (!lockBytes(process, process.credentials.ipcLock, bytes, this.pageSize)) return -ENOMEM;
    const table = new KvmTceTable(this, request, () => {
      this.#tables.delete(liobn);
      this.process.lockedBytes -= bytes;
    });
    this.#tables.set(liobn, table);
    return table;
  }

  /** The table with a number. */
  tceTable(liobn: number): KvmTceTable | undefined {
    return this.#tables.get(liobn);
  }
}
