import { array, type StructOf, struct, u8, u16, u32, u64 } from '@vfiokit/uapi';

/** KVM's ioctl for PCI functions of an s390 guest, asked of the virtual machine (uapi/linux/kvm.h). */
export const KVM_S390_ZPCI_OP = 0x4048aed1;

/** Its argument; 72 bytes. What follows `fh`, `op` and padding is a union of 64 bytes. */
export const kvmS390ZpciOp = struct('kvm_s390_zpci_op', {
  /** The function's handle, as the guest's owner knows it. */
  fh: u32,
  /** KVM_S390_ZPCIOP_* */
  op: u8,
  pad: array(u8, 3),
  /** Guest address of the interrupt bit vector. */
  ibv: u64,
  /** Guest address of the summary bit's bytes, 0 for none. */
  sb: u64,
  /** KVM_S390_ZPCIOP_REGAEN_* */
  flags: u32,
  /** Number of interrupts. */
  noi: u32,
  /** Guest interruption subclass. */
  isc: u8,
  /** Offset of the summary bit. */
  sbo: u8,
  pad2: u16,
  rest: array(u32, 9),
});
export type KvmS390ZpciOp = StructOf<typeof kvmS390ZpciOp>;

/** Register adapter event notification forwarding. */
export const KVM_S390_ZPCIOP_REG_AEN = 0;
export const KVM_S390_ZPCIOP_DEREG_AEN = 1;
/** Deliver to the host, which forwards to the guest. */
export const KVM_S390_ZPCIOP_REGAEN_HOST = 1;
