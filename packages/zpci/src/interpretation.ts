/** Machine types without interpretation of PCI instructions. */
const TOO_OLD: ReadonlySet<number> = new Set([2817, 2818, 2827, 2828, 2964, 2965]);

/** What interpretation of PCI instructions takes. */
export interface ZpciMachine {
  /** Such as 3931. */
  readonly machineType: number;
  /** zPCI load/store interpretation. */
  readonly loadStore: boolean;
  /** Adapter event notification interpretation. */
  readonly eventNotification: boolean;
  /** Adapter interruption source id. */
  readonly sourceId: boolean;
  /** Adapter interruption facility for guests. */
  readonly interruption: boolean;
}

/** A current machine with everything that it takes. */
export const INTERPRETING_MACHINE: ZpciMachine = {
  machineType: 3931,
  loadStore: true,
  eventNotification: true,
  sourceId: true,
  interruption: true,
};

/** Whether the machine can carry out a guest's PCI instructions without leaving the guest (kvm/pci.h: kvm_s390_pci_interp_allowed). */
export function interpretationAllowed(machine: ZpciMachine): boolean {
  const { machineType, loadStore, eventNotification, sourceId, interruption } = machine;
  if (TOO_OLD.has(machineType)) return false;
  return loadStore && eventNotification && sourceId && interruption;
}
