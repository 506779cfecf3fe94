import { EINVAL } from '@vfiokit/uapi';
import {
  PCI_EXP_DEVCAP,
  PCI_EXP_DEVCAP2,
  PCI_EXP_DEVCAP2_ATOMIC_ROUTE,
  PCI_EXP_DEVCTL,
  PCI_EXP_DEVCTL_PAYLOAD,
  PCI_EXP_DEVCTL_READRQ,
  PCI_EXP_DEVCTL2,
  PCI_EXP_DEVCTL2_ATOMIC_EGRESS_BLOCK,
  PCI_EXP_DEVCTL2_ATOMIC_REQ,
  PCI_EXP_FLAGS,
  PCI_EXP_FLAGS_SLOT,
  PCI_EXP_FLAGS_VERS,
  PCI_EXP_LNKCAP,
  PCI_EXP_LNKCTL,
  PCI_EXP_LNKCTL2,
  PCI_EXP_RTCTL,
  PCI_EXP_SLTCTL,
  PCI_EXP_SLTCTL2,
  PCI_EXP_TYPE_DOWNSTREAM,
  PCI_EXP_TYPE_ENDPOINT,
  PCI_EXP_TYPE_LEG_END,
  PCI_EXP_TYPE_PCIE_BRIDGE,
  PCI_EXP_TYPE_RC_EC,
  PCI_EXP_TYPE_ROOT_PORT,
  PCI_EXP_TYPE_UPSTREAM,
} from '../regs/index.js';
import type { EnumeratedFunction } from './enumerated-function.js';

/** The PCI Express capability of a function, and what it asks of the path to the root (drivers/pci/access.c, pci.c). */
export class Express {
  readonly type: number;
  readonly #version: number;
  readonly #hasSlot: boolean;

  constructor(
    private readonly device: EnumeratedFunction,
    /** Where the capability is; 0 for a conventional function. */
    readonly at: number,
  ) {
    const flags = at === 0 ? 0 : Math.max(device.config.read(at + PCI_EXP_FLAGS, 2), 0);
    this.#version = flags & PCI_EXP_FLAGS_VERS;
    this.#hasSlot = (flags & PCI_EXP_FLAGS_SLOT) !== 0;
    this.type = (flags >>> 4) & 0xf;
  }

  /** Whether a register exists for this type of function (pcie_capability_reg_implemented). */
  implements(register: number): boolean {
    if (this.at === 0) return false;
    switch (register) {
      case PCI_EXP_DEVCTL:
      case PCI_EXP_DEVCAP:
        return true;
      case PCI_EXP_LNKCAP:
      case PCI_EXP_LNKCTL:
        return this.#hasLink;
      case PCI_EXP_SLTCTL:
        return this.#isDownstream && this.#hasSlot;
      case PCI_EXP_RTCTL:
        return this.type === PCI_EXP_TYPE_ROOT_PORT || this.type === PCI_EXP_TYPE_RC_EC;
      case PCI_EXP_DEVCAP2:
      case PCI_EXP_DEVCTL2:
        return this.#version > 1;
      case PCI_EXP_LNKCTL2:
        return this.#hasLink && this.#version > 1;
      case PCI_EXP_SLTCTL2:
        return this.#isDownstream && this.#hasSlot && this.#version > 1;
      default:
        return false;
    }
  }

  /** Maximum Payload Size in bytes (pcie_get_mps). */
  get maxPayload(): number {
    const control = this.read16(PCI_EXP_DEVCTL);
    return 128 << ((control & PCI_EXP_DEVCTL_PAYLOAD) >>> 5);
  }

  /** Maximum Read Request Size in bytes (pcie_get_readrq). */
  get readRequest(): number {
    return 128 << ((this.read16(PCI_EXP_DEVCTL) & PCI_EXP_DEVCTL_READRQ) >>> 12);
  }

  /** 0; `-EINVAL` unless a power of two from 128 to 4096, or without PCI Express (pcie_set_readrq). */
  setReadRequest(bytes: number): number {
    const log = Math.log2(bytes);
    if (bytes < 128 || bytes > 4096 || !Number.isInteger(log) || this.at === 0) return -EINVAL;
    const control = this.read16(PCI_EXP_DEVCTL) & ~PCI_EXP_DEVCTL_READRQ;
    return this.device.config.write(this.at + PCI_EXP_DEVCTL, 2, control | ((log - 7) << 12));
  }

  /**
   * Lets the function send AtomicOp requests of a width, if everything up to the root port agrees
   * (pci_enable_atomic_ops_to_root). Where no root port is to be seen only an enable bit that is already set is proof.
   *
   * @param completer the bits of Device Capabilities 2 that the root port must have: 0x080, 0x100, 0x200.
   * @returns 0 or `-EINVAL`.
   */
  enableAtomicOps(completer: number): number {
    const { device } = this;
    const isEndpoint = this.type === PCI_EXP_TYPE_ENDPOINT || this.type === PCI_EXP_TYPE_LEG_END;
    // A VF uses its PF's enable bit.
    if (device.isVirtfn || this.at === 0 || !isEndpoint) return -EINVAL;
    const control = this.read16(PCI_EXP_DEVCTL2);
    let rootPortSeen = false;
    for (let bridge = device.bus.self; bridge !== undefined; bridge = bridge.bus.self) {
      if (!bridge.express.passesAtomicOps(completer)) return -EINVAL;
      rootPortSeen ||= bridge.express.type === PCI_EXP_TYPE_ROOT_PORT;
    }
    if (!rootPortSeen) return (control & PCI_EXP_DEVCTL2_ATOMIC_REQ) !== 0 ? 0 : -EINVAL;
    return device.config.write(this.at + PCI_EXP_DEVCTL2, 2, control | PCI_EXP_DEVCTL2_ATOMIC_REQ);
  }

  /** Whether AtomicOps get through this bridge: routed by switches, completed by the root port. */
  passesAtomicOps(completer: number): boolean {
    const capabilities = this.read32(PCI_EXP_DEVCAP2);
    if (this.type === PCI_EXP_TYPE_ROOT_PORT) return (capabilities & completer) === completer;
    if (this.type !== PCI_EXP_TYPE_UPSTREAM && this.type !== PCI_EXP_TYPE_DOWNSTREAM) return true;
    if ((capabilities & PCI_EXP_DEVCAP2_ATOMIC_ROUTE) === 0) return false;
    const control = this.type === PCI_EXP_TYPE_UPSTREAM ? this.read16(PCI_EXP_DEVCTL2) : 0;
    return (control & PCI_EXP_DEVCTL2_ATOMIC_EGRESS_BLOCK) === 0;
  }

  /** pcie_capability_read_word: 0 for what does not exist or does not answer. */
  read16(register: number): number {
    if (!this.implements(register)) return 0;
    return Math.max(this.device.config.read(this.at + register, 2), 0);
  }

  /** pcie_capability_read_dword. */
  read32(register: number): number {
    if (!this.implements(register)) return 0;
    return Math.max(this.device.config.read(this.at + register, 4), 0);
  }

  get #hasLink(): boolean {
    return this.type <= PCI_EXP_TYPE_PCIE_BRIDGE;
  }

  get #isDownstream(): boolean {
    return this.type === PCI_EXP_TYPE_ROOT_PORT || this.type === PCI_EXP_TYPE_DOWNSTREAM;
  }
}
