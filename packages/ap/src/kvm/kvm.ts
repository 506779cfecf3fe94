import { type KvmVfio, KvmVm } from '@vfiokit/iommu';
import { EBUSY, ENXIO, EOPNOTSUPP, Process } from '@vfiokit/uapi';
import type { ApInstructions } from '../arch/instructions.js';
import { type ApMatrix, EMPTY_MATRIX, intersectMatrices } from '../arch/matrix.js';
import {
  addressable,
  CRYCB_SIZE,
  type CrycbFormat,
  clearMasks,
  crycbFormat,
  readMasks,
  writeMasks,
} from './crycb.js';
import { Gisa } from './gisa.js';
import { KvmVfioNotifier } from './kvm-vfio-notifier.js';
import type { PqapHook } from './pqap.js';

/** The facility bits that decide what AP is to a guest. */
export const STFLE = {
  /** QCI. */
  AP_QUERY_CONFIGURATION: 12,
  /** TAPQ with the T bit. */
  AP_FACILITIES_TEST: 15,
  /** AQIC. */
  AP_QUEUE_INTERRUPT_CONTROL: 65,
  /** Message security assist 3: decides the CRYCB format. */
  MSA_3: 76,
} as const;

/** A virtual machine before it runs. */
export interface KvmSpec {
  readonly name: string;
  /** STFLE bits of the guest; all of {@link STFLE} unless told otherwise. */
  readonly facilities?: readonly number[];
  /** Whether AP instructions are interpreted for the guest (ECA.APIE). */
  readonly apie?: boolean;
  /** Whether its CPUs have adapter-interruption virtualization (ECA.AIV). */
  readonly aiv?: boolean;
  /** Whether it has an interruption state area. */
  readonly gisa?: boolean;
  /** A Secure Execution guest: the host reaches only pages that it shares. */
  readonly protected?: boolean;
}

/** A guest's storage: how much it has from address 0 on, and where its VMM has it. */
export const STORAGE = { size: 16 << 20, address: 0x1_0000_0000 } as const;

const PAGE = 4096;

/** The VM attributes of KVM_S390_VM_CRYPTO that concern AP. */
export const KVM_S390_VM_CRYPTO = { ENABLE_APIE: 4, DISABLE_APIE: 5 } as const;

/**
 * A virtual machine as far as AP goes: its crypto control block, the hook for intercepted PQAP, the interruption state
 * area and its storage. There is one of each for a machine, which is why a machine can have one matrix only.
 */
export class Kvm extends KvmVm {
  readonly name: string;
  readonly gisa: Gisa | undefined;
  readonly format: CrycbFormat;
  readonly isProtected: boolean;
  readonly aiv: boolean;
  /** The crypto control block that SIE looks at. */
  readonly crycb = new Uint8Array(CRYCB_SIZE);
  /** Who answers an intercepted PQAP; its presence marks the machine as taken. */
  pqapHook: PqapHook | undefined;
  /** How many matrices are attached: the counter that the drafts of 2018 kept inside KVM. */
  matrices = 0;

  readonly #facilities: ReadonlySet<number>;
  #apie: boolean;
  #references = 1;
  #kvmVfio: KvmVfio | undefined;
  readonly #sharedPages = new Set<number>();
  #updates = 0;

  constructor(
    spec: KvmSpec,
    /** The instructions that the machine's AP instructions are limited from: the LPAR's, or an outer guest's. */
    readonly host: ApInstructions,
    process = new Process(),
  ) {
    super(process);
    this.name = spec.name;
    process.memory.map({ address: STORAGE.address, size: STORAGE.size, writable: true });
    this.memory.add({ guest: 0, size: STORAGE.size, address: STORAGE.address });
    this.#facilities = new Set(spec.facilities ?? Object.values(STFLE));
    this.#apie = spec.apie ?? true;
    this.aiv = spec.aiv ?? true;
    this.gisa = (spec.gisa ?? true) ? new Gisa() : undefined;
    this.isProtected = spec.protected ?? false;
    this.format = crycbFormat(this.hasFacility(STFLE.MSA_3), host.qci()?.flags.apxa ?? false);
  }

  hasFacility(bit: number): boolean {
    return this.#facilities.has(bit);
  }

  get apie(): boolean {
    return this.#apie;
  }

  /**
   * How often the masks were rewritten. Each time every CPU is out of SIE meanwhile, so that the guest sees all of a
   * change or nothing; and the shadows of nested guests that were made before are good no longer.
   */
  get updates(): number {
    return this.#updates;
  }

  override createVfioDevice(): KvmVfio | number {
    if (this.#kvmVfio !== undefined) return -EBUSY;
    this.#kvmVfio = new KvmVfioNotifier(this, () => {
      this.#kvmVfio = undefined;
    });
    return this.#kvmVfio;
  }

  /** A protected guest makes the page of an address accessible to its host. */
  share(address: number): void {
    this.#sharedPages.add(Math.floor(address / PAGE));
  }

  /** Whether the host can reach the page of an address. */
  isShared(address: number): boolean {
    return !this.isProtected || this.#sharedPages.has(Math.floor(address / PAGE));
  }

  /** Grants a matrix (kvm_arch_crypto_set_masks). */
  setMasks(masks: ApMatrix): void {
    this.#updates += 1;
    writeMasks(this.crycb, this.format, masks);
  }

  /** Takes everything away (kvm_arch_crypto_clear_masks). */
  clearMasks(): void {
    this.#updates += 1;
    clearMasks(this.crycb);
  }

  /** What the crypto control block grants. */
  get masks(): ApMatrix {
    return readMasks(this.crycb, this.format);
  }

  /** What the guest can really use: what is granted, of what the host has. Nothing while APIE is off. */
  get effective(): ApMatrix {
    const host = this.host.qci();
    const granted = intersectMatrices(this.masks, addressable(this.format));
    if (!this.#apie) return EMPTY_MATRIX;
    return host === undefined ? granted : intersectMatrices(granted, host);
  }

  /**
   * Sets a VM attribute of the crypto group: switches interpretation of AP instructions.
   *
   * @param hostHasAp whether the host has the AP instructions.
   * @returns 0, `-ENXIO` for an attribute that is none of these, `-EOPNOTSUPP` without AP instructions.
   */
  setCryptoAttribute(attribute: number, hostHasAp = true): number {
    const { ENABLE_APIE, DISABLE_APIE } = KVM_S390_VM_CRYPTO;
    if (attribute !== ENABLE_APIE && attribute !== DISABLE_APIE) return -ENXIO;
    if (!hostHasAp) return -EOPNOTSUPP;
    this.#apie = attribute === ENABLE_APIE;
    this.#updates += 1;
    return 0;
  }

  /** Whether a VM attribute of the crypto group is there: 0 or `-ENXIO`. */
  hasCryptoAttribute(attribute: number, hostHasAp = true): number {
    const known: readonly number[] = Object.values(KVM_S390_VM_CRYPTO);
    return hostHasAp && known.includes(attribute) ? 0 : -ENXIO;
  }

  /** Somebody keeps the machine alive: user space by its file, a driver while it is attached. */
  get references(): number {
    return this.#references;
  }

  getReference(): void {
    this.#references += 1;
  }

  putReference(): void {
    this.#references -= 1;
  }
}
