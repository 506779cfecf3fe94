import {
  copyIn,
  EFAULT,
  EINVAL,
  EIO,
  ENODEV,
  ENOMEM,
  ENOTTY,
  EPERM,
  type IoctlArgument,
} from '@vfiokit/uapi';
import { INTERPRETING_MACHINE, interpretationAllowed, type ZpciMachine } from './interpretation.js';
import {
  deliver,
  type ForwardedInterrupts,
  type GuestPages,
  prepareForwarding,
} from './interrupt-forwarding.js';
import type { ZpciFunction } from './zpci-function.js';
import {
  KVM_S390_ZPCI_OP,
  KVM_S390_ZPCIOP_DEREG_AEN,
  KVM_S390_ZPCIOP_REG_AEN,
  KVM_S390_ZPCIOP_REGAEN_HOST,
  type KvmS390ZpciOp,
  kvmS390ZpciOp,
} from './zpci-op.js';

/** A virtual machine, as far as PCI functions go. */
export interface ZpciGuest extends GuestPages {
  /** The guest's interruption state area; not 0. */
  readonly gisa: number;
  /** Called when interpretation is switched on for its processors. */
  readonly interpret?: () => void;
  /** Adapter interruptions of a subclass are pending. */
  readonly alert?: (isc: number) => void;
}

/** What KVM keeps of a function that a virtual machine has (struct kvm_zdev). */
export interface KvmZpciDevice {
  /** The virtual machine, by the handle that user space ties to the device. */
  readonly vm: object;
  readonly guest: ZpciGuest;
  forwarded: ForwardedInterrupts | undefined;
}

export interface KvmZpciOptions {
  readonly machine?: ZpciMachine;
  /** Summary bits of the host: how many functions can forward at a time. */
  readonly summaryBits?: number;
  /** Firmware's answer to setting or clearing forwarding; true without it. */
  readonly setForwarding?: (zdev: ZpciFunction, on: boolean) => boolean;
  /** Firmware's answer to enabling or disabling a function (CLP set PCI function): 0 or a negated errno; 0 without it. */
  readonly setFunction?: (zdev: ZpciFunction, enable: boolean) => number;
}

const ZPCI_NR_DEVICES = 512;

/** KVM's side of PCI functions on s390: which virtual machine has which, and whose interrupts go straight to it (arch/s390/kvm/pci.c). */
export class KvmZpci {
  readonly #guests = new Map<object, ZpciGuest>();
  readonly #functions = new Map<object, ZpciFunction[]>();
  readonly #interpreting = new Set<object>();
  readonly #interpretation: boolean;
  readonly #setForwarding: (zdev: ZpciFunction, on: boolean) => boolean;
  readonly #setFunction: (zdev: ZpciFunction, enable: boolean) => number;
  #freeSummaryBits: number;

  constructor(options: KvmZpciOptions = {}) {
    this.#interpretation = interpretationAllowed(options.machine ?? INTERPRETING_MACHINE);
    this.#freeSummaryBits = options.summaryBits ?? ZPCI_NR_DEVICES;
    this.#setForwarding = options.setForwarding ?? (() => true);
    this.#setFunction = options.setFunction ?? (() => 0);
  }

  /** A virtual machine is created; `vm` is the handle under which user space ties it to devices. */
  addVm(vm: object, guest: ZpciGuest): void {
    this.#guests.set(vm, guest);
    this.#functions.set(vm, []);
  }

  /** The functions that a virtual machine has. */
  functions(vm: object): readonly ZpciFunction[] {
    return this.#functions.get(vm) ?? [];
  }

  /**
   * Gives a function to a virtual machine (kvm_s390_pci_register_kvm). Where the machine interprets, the function is
   * enabled anew for the guest, which changes its handle.
   *
   * @returns 0; `-EINVAL` for a function that a virtual machine has already and for a virtual machine that is none; what
   *   firmware refuses with.
   */
  register(zdev: ZpciFunction, vm: object): number {
    const guest = this.#guests.get(vm);
    if (zdev.kzdev !== undefined || zdev.gisa !== 0 || guest === undefined) return -EINVAL;
    if (this.#interpretation) {
      if (!this.#interpreting.has(vm)) {
        this.#interpreting.add(vm);
        guest.interpret?.();
      }
      const error = this.#designate(zdev, guest.gisa);
      if (error < 0) {
        zdev.gisa = 0;
        return error;
      }
    }
    zdev.kzdev = { vm, guest, forwarded: undefined };
    this.#functions.get(vm)!.push(zdev);
    return 0;
  }

  /** Takes it back and makes it usable by the host, if firmware lets it (kvm_s390_pci_unregister_kvm). */
  unregister(zdev: ZpciFunction): void {
    const { kzdev } = zdev;
    if (kzdev === undefined) return;
    if (zdev.gisa !== 0) {
      // Whatever firmware says: the device is about to go.
      if (this.#stopForwarding(zdev, kzdev) < 0) this.#forgetForwarding(kzdev);
      this.#designate(zdev, 0);
      zdev.gisa = 0;
    }
    const list = this.#functions.get(kzdev.vm)!;
    list.splice(list.indexOf(zdev), 1);
    zdev.kzdev = undefined;
  }

  /** KVM_S390_ZPCI_OP of a virtual machine (kvm_s390_pci_zpci_op): 0 or a negated errno. */
  ioctl(vm: object, command: number, argument: IoctlArgument): number {
    if (command !== KVM_S390_ZPCI_OP) return -ENOTTY;
    const bytes = copyIn(argument, kvmS390ZpciOp.size);
    if (bytes === undefined) return -EFAULT;
    const op = kvmS390ZpciOp.decode(bytes);
    const zdev = this.functions(vm).find(({ fh }) => fh === op.fh);
    if (zdev?.kzdev === undefined) return -ENODEV;
    if (zdev.kzdev.vm !== vm) return -EPERM;
    switch (op.op) {
      case KVM_S390_ZPCIOP_REG_AEN:
        return this.#startForwarding(zdev, zdev.kzdev, op);
      case KVM_S390_ZPCIOP_DEREG_AEN:
        if (zdev.gisa === 0) return -EINVAL;
        return this.#stopForwarding(zdev, zdev.kzdev);
      default:
        return -EINVAL;
    }
  }

  /** An interrupt of a function arrives; whether it went to a guest. */
  interrupt(zdev: ZpciFunction, vector: number): boolean {
    const { kzdev } = zdev;
    if (kzdev?.forwarded === undefined) return false;
    const isc = deliver(kzdev.forwarded, kzdev.guest, vector);
    if (isc === undefined) return false;
    kzdev.guest.alert?.(isc);
    return true;
  }

  #startForwarding(zdev: ZpciFunction, kzdev: KvmZpciDevice, op: KvmS390ZpciOp): number {
    if ((op.flags & ~KVM_S390_ZPCIOP_REGAEN_HOST) !== 0) return -EINVAL;
    if (zdev.gisa === 0 || kzdev.forwarded !== undefined) return -EINVAL;
    const viaHost = (op.flags & KVM_S390_ZPCIOP_REGAEN_HOST) !== 0;
    const forwarded = prepareForwarding(op, zdev.maxMsi, kzdev.guest, viaHost);
    if (typeof forwarded === 'number') return forwarded;
    if (this.#freeSummaryBits === 0) return -ENOMEM;
    if (!this.#setForwarding(zdev, true)) return -EIO;
    this.#freeSummaryBits -= 1;
    kzdev.forwarded = forwarded;
    return 0;
  }

  /** Clearing what is not set is fine. */
  #stopForwarding(zdev: ZpciFunction, kzdev: KvmZpciDevice): number {
    if (kzdev.forwarded === undefined) return 0;
    if (!this.#setForwarding(zdev, false)) return -EIO;
    this.#forgetForwarding(kzdev);
    return 0;
  }

  /** A designation takes effect when the function is enabled, so it goes down and up: 0 or a negated errno. */
  #designate(zdev: ZpciFunction, gisa: number): number {
    const down = zdev.enabled ? this.#setFunction(zdev, false) : 0;
    if (down < 0) return down;
    zdev.disable();
    zdev.gisa = gisa;
    const up = this.#setFunction(zdev, true);
    if (up === 0) zdev.enable();
    return up;
  }

  #forgetForwarding(kzdev: KvmZpciDevice): void {
    this.#freeSummaryBits += 1;
    kzdev.forwarded = undefined;
  }
}
