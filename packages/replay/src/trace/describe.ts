import {
  errnoName,
  featureName,
  pciIrqName,
  pciRegionName,
  VFIO_DEVICE_FEATURE_GET,
  VFIO_DEVICE_FEATURE_MASK,
  VFIO_DEVICE_FEATURE_PROBE,
  VFIO_DEVICE_FEATURE_SET,
  VFIO_IRQ_SET_ACTION_MASK,
  VFIO_IRQ_SET_ACTION_TRIGGER,
  VFIO_IRQ_SET_ACTION_UNMASK,
  VFIO_IRQ_SET_DATA_BOOL,
  VFIO_IRQ_SET_DATA_EVENTFD,
  VFIO_IRQ_SET_DATA_NONE,
  vfioIrqSet,
} from '@vfiokit/uapi';
import type { IoctlOp, TraceOp } from './trace.js';

const REGION_BITS = 40;
const FIRST_EVENTFD = 100;
const EVENTFDS = 40;

type Names = readonly (readonly [bit: number, name: string])[];

const IRQ_FLAGS: Names = [
  [VFIO_IRQ_SET_DATA_NONE, 'NONE'],
  [VFIO_IRQ_SET_DATA_BOOL, 'BOOL'],
  [VFIO_IRQ_SET_DATA_EVENTFD, 'EVENTFD'],
  [VFIO_IRQ_SET_ACTION_MASK, 'MASK'],
  [VFIO_IRQ_SET_ACTION_UNMASK, 'UNMASK'],
  [VFIO_IRQ_SET_ACTION_TRIGGER, 'TRIGGER'],
];

const FEATURE_FLAGS: Names = [
  [VFIO_DEVICE_FEATURE_GET, 'GET'],
  [VFIO_DEVICE_FEATURE_SET, 'SET'],
  [VFIO_DEVICE_FEATURE_PROBE, 'PROBE'],
];

const hex = (value: number) => `0x${value.toString(16)}`;

function flagNames(flags: number, names: Names): string {
  const known = names.filter(([bit]) => (flags & bit) !== 0);
  const rest = known.reduce((left, [bit]) => left & ~bit, flags) >>> 0;
  return [...known.map(([, name]) => name), ...(rest === 0 ? [] : [hex(rest)])].join('|') || '0';
}

/** A return value with the errno's name: `-22 (EINVAL)`. */
export function describeReturn(ret: number | string): string {
  return typeof ret === 'number' && ret < 0 ? `${ret} (${errnoName(ret)})` : String(ret);
}

/** A descriptor by what the recorder had there: `e3` for the fourth eventfd. */
function describeFd(fd: number): string {
  return fd >= FIRST_EVENTFD && fd < FIRST_EVENTFD + EVENTFDS
    ? `e${fd - FIRST_EVENTFD}`
    : String(fd);
}

function describeIrqSet({
  in: text = '',
  argsz,
  flags = 0,
  index = 0,
  start,
  count = 0,
}: IoctlOp): string {
  const line = `argsz=${argsz} ${pciIrqName(index)} ${flagNames(flags, IRQ_FLAGS)} start=${start} count=${count}`;
  const data = Buffer.from(text, 'hex').subarray(vfioIrqSet.size);
  if (data.length === 0) return line;
  const isFds = (flags & VFIO_IRQ_SET_DATA_EVENTFD) !== 0 && data.length >= 4;
  const values = isFds
    ? Array.from({ length: data.length >> 2 }, (_, i) => describeFd(data.readInt32LE(4 * i)))
    : [...data].map(String);
  const shown = values.slice(0, 8).join(',');
  return `${line} [${shown}${values.length > 8 ? ',…' : ''}]`;
}

function describeIoctl(op: IoctlOp): string {
  const name = `${op.obj} ${op.cmd}`;
  if (op.badptr) return `${name} (bad pointer)`;
  if (op.arg !== undefined) return `${name} ${op.arg}`;
  if (op.cmd === 'SET_IRQS') return `${name} ${describeIrqSet(op)}`;
  if (op.cmd === 'FEATURE') {
    const flags = op.flags ?? 0;
    const feature = featureName(flags & VFIO_DEVICE_FEATURE_MASK);
    const wanted = flagNames(flags & ~VFIO_DEVICE_FEATURE_MASK, FEATURE_FLAGS);
    return `${name} argsz=${op.argsz} ${feature} ${wanted}`;
  }
  const fields = Object.entries(op)
    .filter(([key]) => IOCTL_FIELDS.has(key))
    .map(([key, value]) =>
      key === 'index' && op.cmd === 'GET_REGION_INFO'
        ? pciRegionName(value as number)
        : key === 'index' && op.cmd === 'GET_IRQ_INFO'
          ? pciIrqName(value as number)
          : `${key}=${value}`,
    );
  return [name, ...fields].join(' ');
}

/** Decoded arguments that the recorder writes beside an ioctl's bytes. */
const IOCTL_FIELDS = new Set([
  'argsz',
  'flags',
  'index',
  'fd',
  'count',
  'vaddr',
  'iova',
  'size',
  'r',
  'o',
  'data',
  'start',
  'page_shift',
  'window_size',
  'levels',
  'eeh_op',
  'bm_pgsize',
  'bm_size',
  'bm_bad',
]);

const at = (region: number, offset: number) => `${pciRegionName(region)}+${hex(offset)}`;
const bytes = (text: string) => (text.length > 64 ? `${text.slice(0, 64)}…` : text);

/** What an operation did, for people, on one line. */
export function describeOperation(op: TraceOp): string {
  switch (op.op) {
    case 'section':
      return `section ${op.name}`;
    case 'note':
      return `note ${op.text}`;
    case 'hwsnap':
      return `look at the hardware of d${op.dev}`;
    case 'bind':
      return `bind d${op.dev} to ${op.driver}`;
    case 'unbind':
      return `unbind d${op.dev}`;
    case 'unbind_start':
      return `begin to unbind d${op.dev} while it is open`;
    case 'unbind_done':
      return `unbinding d${op.dev} is over`;
    case 'open':
      return op.group === undefined ? `open ${op.obj}` : `open ${op.obj} (/dev/vfio/${op.group})`;
    case 'close':
      return `close ${op.obj}${op.fd === undefined ? '' : ` (descriptor ${op.fd})`}`;
    case 'get_device_fd':
      return `${op.obj} GET_DEVICE_FD ${JSON.stringify(op.name)}`;
    case 'ioctl':
      return describeIoctl(op);
    case 'pread':
      return `read d${op.dev} ${at(op.r, op.o)} ${op.n} bytes`;
    case 'pwrite':
      return `write d${op.dev} ${at(op.r, op.o)} ${op.n} bytes ${bytes(op.in)}`;
    case 'mmap':
      return `mmap d${op.dev} ${at(op.r, op.o)} ${op.len} bytes ${op.shared ? 'shared' : 'private'}`;
    case 'efd_write':
      return `write ${op.v} to eventfd e${op.e}`;
    case 'delay':
      return `wait ${op.ms} ms`;
    case 'wait_suspend':
      return `wait for d${op.dev} to sleep`;
    case 'mem':
      return `look at memory ${op.addr}`;
    case 'cap_ipc_lock':
      return `CAP_IPC_LOCK ${op.on ? 'on' : 'off'}`;
    case 'rlimit_memlock':
      return `RLIMIT_MEMLOCK ${op.bytes}`;
    case 'sriov_numvfs':
      return `write ${op.n} to sriov_numvfs of d${op.dev}`;
  }
}

/** A device file's position. */
export function positionOf(region: number, offset: number): number {
  return region * 2 ** REGION_BITS + offset;
}
