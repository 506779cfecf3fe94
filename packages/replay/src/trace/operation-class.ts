import type { IoctlOp, TraceOp } from './trace.js';

/** Whose answer an operation is: the device's, or the IOMMU side's (containers and groups). */
export type Side = 'device' | 'iommu';

/** What kinds of operations are counted apart. */
export type OperationClass =
  | 'life cycle'
  | 'information'
  | 'configuration reads'
  | 'configuration writes'
  | 'region accesses'
  | 'mappings'
  | 'interrupts'
  | 'features'
  | 'resets'
  | 'ioeventfds'
  | 'hardware state'
  | 'container and group'
  | 'DMA mappings';

/** The classes in the order in which a report shows them, each with whose they are. */
export const OPERATION_CLASSES: Readonly<Record<OperationClass, Side>> = {
  'life cycle': 'device',
  information: 'device',
  'configuration reads': 'device',
  'configuration writes': 'device',
  'region accesses': 'device',
  mappings: 'device',
  interrupts: 'device',
  features: 'device',
  resets: 'device',
  ioeventfds: 'device',
  'hardware state': 'device',
  'container and group': 'iommu',
  'DMA mappings': 'iommu',
};

const DEVICE_IOCTLS: Readonly<Record<string, OperationClass>> = {
  SET_IRQS: 'interrupts',
  FEATURE: 'features',
  RESET: 'resets',
  PCI_HOT_RESET: 'resets',
  IOEVENTFD: 'ioeventfds',
};

const CONFIG_REGION = 7;

function ioctlClass({ obj, cmd }: IoctlOp): OperationClass {
  if (obj.startsWith('d')) return DEVICE_IOCTLS[cmd] ?? 'information';
  return /^(IOMMU_(MAP|UNMAP|DIRTY)|SPAPR)/.test(cmd) ? 'DMA mappings' : 'container and group';
}

/** The class of an operation; `undefined` for a line that is none (a section's title, a note). */
export function operationClass(op: TraceOp): OperationClass | undefined {
  switch (op.op) {
    case 'section':
    case 'note':
      return undefined;
    case 'hwsnap':
    case 'wait_suspend':
    case 'delay':
      return 'hardware state';
    case 'bind':
    case 'unbind':
    case 'unbind_start':
    case 'unbind_done':
    case 'get_device_fd':
    case 'sriov_numvfs':
      return 'life cycle';
    case 'open':
    case 'close':
      return op.obj.startsWith('d') ? 'life cycle' : 'container and group';
    case 'ioctl':
      return ioctlClass(op);
    case 'pread':
      return op.r === CONFIG_REGION ? 'configuration reads' : 'region accesses';
    case 'pwrite':
      return op.r === CONFIG_REGION ? 'configuration writes' : 'region accesses';
    case 'mmap':
      return 'mappings';
    case 'efd_write':
      return 'ioeventfds';
    case 'mem':
    case 'cap_ipc_lock':
    case 'rlimit_memlock':
      return 'DMA mappings';
  }
}
