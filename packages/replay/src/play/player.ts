import type { Container } from '@vfiokit/iommu';
import {
  EBADF,
  EINVAL,
  VFIO_GROUP_GET_DEVICE_FD,
  type VfioDevice,
  VfioError,
  type VfioFile,
} from '@vfiokit/uapi';
import type { RecordedMachine } from '../machine/recorded-machine.js';
import { reverseArgument } from '../trace/byte-order.js';
import { commandNumber } from '../trace/commands.js';
import { positionOf } from '../trace/describe.js';
import type {
  CloseOp,
  GetDeviceFdOp,
  IoctlOp,
  MemOp,
  MmapOp,
  OpenOp,
  PreadOp,
  PwriteOp,
  TraceMeta,
  TraceOp,
} from '../trace/trace.js';
import { NOTHING, type Outcome } from './outcome.js';
import { RecordedUser } from './user.js';

const BARS = 6;
const ROM_REGION = 6;
const LARGEST_TRANSFER = 1 << 17;
/** Where a structure's pointer to a dirty bitmap is, of IOMMU_UNMAP_DMA and IOMMU_DIRTY_PAGES. */
const BITMAP_POINTER = 40;
const ARGUMENT_SHOWN = 256;
const UNTOUCHED = 0xa5;

/** Carries out recorded operations on a machine: the system calls of the user, and what happens beside them. */
export class Player {
  readonly user: RecordedUser;
  readonly #fds: TraceMeta['fds'];
  /** The trace's structures are not in the model's byte order. */
  readonly #foreign: boolean;
  readonly #buffer = Buffer.alloc(LARGEST_TRANSFER);

  constructor(private readonly machine: RecordedMachine) {
    const { meta } = machine.trace;
    this.user = new RecordedUser(meta);
    this.#fds = meta.fds;
    this.#foreign = meta.endian === 'big';
  }

  /** Does what an operation says; what came of it. */
  play(op: TraceOp): Outcome {
    switch (op.op) {
      case 'pread':
        return this.#pread(op);
      case 'pwrite':
        return this.#pwrite(op);
      case 'ioctl':
        return this.#ioctl(op);
      case 'mmap':
        return this.#mmap(op);
      case 'open':
        return { ret: this.#open(op) };
      case 'close':
        return { ret: this.#close(op) };
      case 'get_device_fd':
        return { ret: this.#getDeviceFd(op) };
      case 'efd_write':
        this.user.eventFd(op.e)?.signal(op.v);
        return NOTHING;
      case 'bind':
        return { bound: this.machine.bind(op.dev, op.driver) };
      case 'unbind':
        this.machine.unbind(op.dev);
        return NOTHING;
      case 'unbind_start':
        this.machine.unbind(op.dev);
        return NOTHING;
      case 'unbind_done':
        return { bound: this.machine.devices[op.dev]!.driver !== undefined };
      case 'sriov_numvfs':
        return { ret: this.machine.setNumVfs(op.dev, op.n) };
      case 'cap_ipc_lock':
        this.user.process.credentials.ipcLock = op.on;
        return NOTHING;
      case 'rlimit_memlock':
        this.user.process.credentials.memlock = op.bytes;
        return NOTHING;
      case 'mem':
        return this.#mem(op);
      case 'hwsnap':
      case 'wait_suspend':
      case 'delay':
      case 'section':
      case 'note':
        return NOTHING;
    }
  }

  #device(index: number, fd?: number): VfioDevice | undefined {
    return this.user.process.fds.get(fd ?? this.#fds.device + index) as VfioDevice | undefined;
  }

  #pread({ dev, fd, r, o, n, out }: PreadOp): Outcome {
    const device = this.#device(dev, fd);
    if (device === undefined) return { ret: -EBADF };
    this.#expect(dev, r, o, out);
    const into = this.#buffer.subarray(0, n);
    into.fill(UNTOUCHED);
    const ret = device.pread(into, positionOf(r, o));
    return ret > 0 ? { ret, out: this.#buffer.toString('hex', 0, ret) } : { ret };
  }

  #pwrite({ dev, fd, r, o, n, in: text }: PwriteOp): Outcome {
    const device = this.#device(dev, fd);
    if (device === undefined) return { ret: -EBADF };
    this.#buffer.write(text, 'hex');
    return { ret: device.pwrite(this.#buffer.subarray(0, n), positionOf(r, o)) };
  }

  /** Tells the device's side of a region what the record says it held. */
  #expect(dev: number, region: number, offset: number, hex: string | undefined): void {
    if (region > ROM_REGION) return;
    const { plan } = this.machine.devices[dev]!;
    const recorded = hex === undefined || hex === '*' ? undefined : { offset, hex };
    if (region < BARS) plan.blocks[region]?.expect(recorded);
    else if (recorded !== undefined) plan.learnRom(recorded);
  }

  #ioctl(op: IoctlOp): Outcome {
    const file = this.#object(op.obj);
    if (file?.ioctl === undefined) return { ret: -EBADF };
    const { process } = this.user;
    const command = commandNumber(op.cmd);
    if (op.badptr) return { ret: file.ioctl(command, undefined, process) };
    if (op.arg !== undefined) return { ret: file.ioctl(command, op.arg, process) };
    const text = op.in ?? '';
    const argument = this.user.argument(text);
    if (this.#foreign) reverseArgument(op.cmd, argument, 'big');
    if (op.bitmap !== undefined) this.#placeBitmap(op, argument);
    const before = this.user.argumentHex(ARGUMENT_SHOWN);
    const ret = file.ioctl(command, argument, process);
    const unchanged = this.user.argumentHex(ARGUMENT_SHOWN) === before;
    if (this.#foreign) reverseArgument(op.cmd, argument, 'little');
    const shown = (op.out?.length ?? 2 * ARGUMENT_SHOWN) / 2;
    const after = this.user.argumentHex(Math.max(shown, ARGUMENT_SHOWN));
    const out = unchanged ? '' : after.slice(0, 2 * shown);
    const outcome = { ret: op.ret === 'newfd' ? this.#newFd(ret) : ret, out };
    return op.bitmap === undefined
      ? outcome
      : { ...outcome, bitmap: this.user.takeBitmap(this.#foreign) };
  }

  /** A descriptor that the recorder closed at once. */
  #newFd(ret: number): number | 'newfd' {
    if (ret < 0) return ret;
    this.user.process.fds.close(ret);
    return 'newfd';
  }

  #placeBitmap({ bm_bad }: IoctlOp, argument: Uint8Array): void {
    const good = this.user.bitmap();
    const address = bm_bad ? Number(this.machine.trace.meta.mem.hole) : good;
    new DataView(argument.buffer).setBigUint64(BITMAP_POINTER, BigInt(address), true);
  }

  #mmap({ dev, r, o, len, shared, touch, byte }: MmapOp): Outcome {
    const device = this.#device(dev);
    if (device === undefined) return { ret: -EBADF };
    // mmap(2) takes whole pages only, before it asks the device.
    if (o % this.machine.trace.meta.pagesize !== 0) return { ret: -EINVAL };
    const mapping = device.mmap({ position: positionOf(r, o), length: len, shared });
    if (typeof mapping === 'number') return { ret: mapping };
    if (touch === undefined) {
      mapping.unmap();
      return { ret: 0 };
    }
    this.#expect(dev, r, o, byte?.toString(16).padStart(2, '0'));
    const value = mapping.load(0, 1);
    mapping.unmap();
    return value === 'SIGBUS' ? { ret: 0, touch: value } : { ret: 0, touch: 'ok', byte: value };
  }

  /** A container, a group or a device by the recorder's name for it. */
  #object(name: string): VfioFile | undefined {
    return this.user.process.fds.get(this.#fdOf(name));
  }

  #fdOf(name: string): number {
    const index = Number(name.slice(1));
    const { container, group, device } = this.#fds;
    return { c: container, g: group, d: device }[name[0] as 'c' | 'g' | 'd'] + index;
  }

  #open(op: OpenOp): number {
    const { process } = this.user;
    const fd = this.#fdOf(op.obj);
    try {
      const path = op.obj.startsWith('c') ? '/dev/vfio/vfio' : `/dev/vfio/${op.group}`;
      const file = this.machine.dev.open(path, process);
      // The recorder keeps the first one.
      if (op.obj.startsWith('g') && process.fds.get(fd) !== undefined) file.close();
      else process.fds.set(fd, file);
      return 0;
    } catch (error) {
      return errnoOf(error);
    }
  }

  #close(op: CloseOp): number {
    return this.user.process.fds.close(op.fd ?? this.#fdOf(op.obj));
  }

  /** Moves the new descriptor to where the recorder moved it. */
  #getDeviceFd(op: GetDeviceFdOp): number {
    const group = this.#object(op.obj);
    if (group?.ioctl === undefined) return -EBADF;
    const { process } = this.user;
    const argument = this.user.argument(Buffer.from(op.name, 'latin1').toString('hex'));
    const fd = group.ioctl(VFIO_GROUP_GET_DEVICE_FD, argument, process);
    if (fd < 0) return fd;
    const file = process.fds.get(fd);
    if (op.ret > 0 && file !== undefined) process.fds.set(op.ret, file);
    process.fds.close(fd);
    return op.ret > 0 ? op.ret : fd;
  }

  /**
   * What a device's DMA left in memory. That the device wrote is its own doing; that the IOMMU let it through is the
   * model's: the bytes are written anew through the model's translation.
   */
  #mem({ addr, hex }: MemOp): Outcome {
    const address = Number(addr);
    const bytes = Buffer.from(hex, 'hex');
    const memory = this.user.arena(address, bytes.length);
    if (memory === undefined) return NOTHING;
    // The script had cleared them, which is not recorded.
    memory.fill(0);
    if (!bytes.every((byte) => byte === 0))
      this.machine.writeByDma(this.#containers(), address, bytes);
    return { mem: Buffer.from(memory).toString('hex') };
  }

  #containers(): readonly Container[] {
    const { fds } = this.user.process;
    return Array.from({ length: 4 }, (_, i) => fds.get(this.#fds.container + i)).filter(
      (file): file is Container => file?.kind === 'container',
    );
  }
}

function errnoOf(error: unknown): number {
  if (error instanceof VfioError) return error.errno;
  throw error;
}
