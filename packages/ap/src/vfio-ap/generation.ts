/**
 * One generation of vfio_ap: how it learns of the virtual machine, and what follows from that.
 *
 * Only the last is in today's kernel. The others are those that the mailing-list discussions argue about; they are
 * told apart by data alone.
 */
export interface VfioApGeneration {
  readonly name: 'kvm-counter' | 'group-notifier' | 'kvm-at-open';
  readonly era: string;
  /**
   * When the driver gets the machine: told by a notifier while the device is open, or found in the device at the open.
   */
  readonly kvm: 'notified' | 'at open';
  /**
   * What tells that a machine is taken: a counter inside KVM, another device in the driver's list, or KVM's PQAP hook.
   */
  readonly taken: 'counter' | 'list' | 'hook';
  /** Whether forgetting the machine while the device is open takes the queues away from it. */
  readonly detachesWhenForgotten: boolean;
  /**
   * Whether the guest's matrix is filtered, and follows changes of assignment, bindings and hardware while the guest runs.
   * Without it a guest keeps what it was started with, whoever binds the queue meanwhile.
   */
  readonly hotPlug: boolean;
  /** Whether masks that would give an assigned queue to the host are refused. */
  readonly veto: boolean;
  /** Whether assigning needs queues that are bound to vfio_ap, rather than just not reserved for the host. */
  readonly needsBoundQueues: boolean;
  /** Whether PQAP(AQIC) of a guest is answered. */
  readonly interrupts: boolean;
  /** How many eventfds the device has: request, and configuration changed. */
  readonly irqs: 0 | 2;
  /** What `create` says when no instance is left. */
  readonly noInstance: 'EPERM' | 'EUSERS';
  /** What `remove` does while a guest has the device. */
  readonly removeInUse: 'EBUSY' | 'waits';
}

const NOTIFIED = {
  kvm: 'notified',
  hotPlug: false,
  veto: false,
  needsBoundQueues: true,
  irqs: 0,
  noInstance: 'EPERM',
  removeInUse: 'EBUSY',
} as const;

/** The generations, oldest first. */
export const VFIO_AP_GENERATIONS = [
  {
    ...NOTIFIED,
    name: 'kvm-counter',
    era: 'drafts of 2018',
    taken: 'counter',
    detachesWhenForgotten: false,
    interrupts: false,
  },
  {
    ...NOTIFIED,
    name: 'group-notifier',
    era: 'Linux 4.20 to about 5.18',
    taken: 'list',
    detachesWhenForgotten: true,
    interrupts: true,
  },
  {
    name: 'kvm-at-open',
    era: 'about Linux 5.19 onward',
    kvm: 'at open',
    taken: 'hook',
    detachesWhenForgotten: false,
    hotPlug: true,
    veto: true,
    needsBoundQueues: false,
    interrupts: true,
    irqs: 2,
    noInstance: 'EUSERS',
    removeInUse: 'waits',
  },
] as const satisfies readonly VfioApGeneration[];

/** The generation of today's kernel. */
export const CURRENT_GENERATION: VfioApGeneration = VFIO_AP_GENERATIONS[2];
