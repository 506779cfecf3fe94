import {
  EventFd,
  encodeCapabilities,
  type IoctlArgument,
  type MigrationFile,
  type MmapRequest,
  type Process,
  sparseMmapCapability,
  type VfioDevice,
} from '@vfiokit/uapi';

const EINVAL = 22;
const ENOTTY = 25;
const SPAN = 2 ** 40;

/** A region of the device under test. */
export interface TestRegion {
  readonly bytes: Uint8Array;
  readonly flags: number;
  readonly areas?: readonly (readonly [number, number])[];
}

const region = (size: number, flags: number, areas?: TestRegion['areas']): TestRegion => ({
  bytes: new Uint8Array(size),
  flags,
  ...(areas && { areas }),
});

/** What the checklist calls the config under test, as a device whose interrupts and regions can be looked at. */
export class TestDevice implements VfioDevice {
  readonly kind = 'device';
  readonly name = 'test device';
  /** BAR0 4 KiB, BAR2 32 KiB in two mappable areas, BAR3 read-only, config space, none other. */
  readonly regions: readonly (TestRegion | undefined)[] = [
    region(0x1000, 3),
    undefined,
    region(0x8000, 7, [
      [0x2000, 0x1000],
      [0x4000, 0x2000],
    ]),
    region(0x1000, 1),
    region(2 ** 20, 3),
    undefined,
    undefined,
    region(0x1000, 3),
    undefined,
  ];
  readonly counts: readonly number[] = [1, 0, 64, 1, 1];
  /** By index and vector. */
  readonly sinks: (EventFd | undefined)[][] = [[], [], [], [], []];
  /** Mask and unmask requests that reached the device, as `mask 2:5`. */
  readonly masks: string[] = [];
  /** Single accesses and transfers, such as `write 0+0x10 4 0x1`. */
  readonly accesses: string[] = [];
  resets = 0;
  /** Called at each read of BAR0; what it throws, the device throws. */
  onRead: (offset: number) => void = () => {};
  onWrite: (offset: number, value: number) => void = () => {};
  /** The migration side; without it there is none. */
  migration: TestMigration | undefined;

  read(index: number, offset: number, size: 1 | 2 | 4): number {
    this.accesses.push(`read ${index}+0x${offset.toString(16)} ${size}`);
    if (index === 0) this.onRead(offset);
    const view = new DataView(this.regions[index]!.bytes.buffer);
    if (size === 4) return view.getUint32(offset, true);
    return size === 2 ? view.getUint16(offset, true) : view.getUint8(offset);
  }

  write(index: number, offset: number, size: 1 | 2 | 4, value: number): number {
    this.accesses.push(`write ${index}+0x${offset.toString(16)} ${size} 0x${value.toString(16)}`);
    const view = new DataView(this.regions[index]!.bytes.buffer);
    if (size === 4) view.setUint32(offset, value, true);
    else if (size === 2) view.setUint16(offset, value, true);
    else view.setUint8(offset, value);
    if (index === 0) this.onWrite(offset, value);
    return size;
  }

  pread(into: Uint8Array, position: number): number {
    const index = Math.floor(position / SPAN);
    const offset = position % SPAN;
    this.accesses.push(`pread ${index}+0x${offset.toString(16)} ${into.length}`);
    if (index === 0) this.onRead(offset);
    into.set(this.regions[index]!.bytes.subarray(offset, offset + into.length));
    return into.length;
  }

  pwrite(from: Uint8Array, position: number): number {
    const index = Math.floor(position / SPAN);
    const offset = position % SPAN;
    this.accesses.push(`pwrite ${index}+0x${offset.toString(16)} ${from.length}`);
    this.regions[index]!.bytes.set(from, offset);
    return from.length;
  }

  mmap(_request: MmapRequest): number {
    return -EINVAL;
  }

  close(): void {}

  /** The interrupt of an index, as hardware would raise it. */
  raise(index: number, vector: number): void {
    this.sinks[index]![vector]?.signal();
  }

  ioctl(command: number, argument: IoctlArgument, caller: Process): number {
    const bytes = argument instanceof Uint8Array ? argument : new Uint8Array(0);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    switch (command) {
      case 0x3b6b:
        view.setUint32(4, 3, true);
        view.setUint32(8, 9, true);
        view.setUint32(12, 5, true);
        return 0;
      case 0x3b6c:
        return this.#regionInfo(bytes, view);
      case 0x3b6d: {
        const index = view.getUint32(8, true);
        if (index > 4) return -EINVAL;
        view.setUint32(4, index === 0 ? 7 : 1, true);
        view.setUint32(12, this.counts[index]!, true);
        return 0;
      }
      case 0x3b6e:
        return this.#setIrqs(view, caller);
      case 0x3b6f:
        this.resets += 1;
        this.regions[0]!.bytes.fill(0);
        this.migration?.reset();
        return 0;
      case 0x3b75:
        return this.migration?.feature(view, caller) ?? -ENOTTY;
      default:
        return -ENOTTY;
    }
  }

  #regionInfo(bytes: Uint8Array, view: DataView): number {
    const index = view.getUint32(8, true);
    if (index > 8) return -EINVAL;
    const found = this.regions[index];
    const areas = found?.areas?.map(([offset, size]) => ({
      offset: BigInt(offset),
      size: BigInt(size),
    }));
    const chain = areas ? encodeCapabilities(32, [sparseMmapCapability.encode(areas)]) : [];
    const fits = bytes.length >= 32 + chain.length;
    view.setUint32(0, 32 + chain.length, true);
    view.setUint32(4, (found?.flags ?? 0) | (chain.length > 0 ? 8 : 0), true);
    view.setUint32(12, fits && chain.length > 0 ? 32 : 0, true);
    view.setBigUint64(16, BigInt(found?.bytes.length ?? 0), true);
    view.setBigUint64(24, BigInt(index) * BigInt(SPAN), true);
    if (fits) bytes.set(chain, 32);
    return 0;
  }

  #setIrqs(view: DataView, caller: Process): number {
    const [flags, index, start, count] = [4, 8, 12, 16].map((at) => view.getUint32(at, true)) as [
      number,
      number,
      number,
      number,
    ];
    const sinks = this.sinks[index]!;
    if ((flags & 0x18) !== 0) {
      this.masks.push(`${(flags & 8) === 0 ? 'unmask' : 'mask'} ${index}:${start}+${count}`);
      return index === 0 ? 0 : -ENOTTY;
    }
    if (count === 0) sinks.length = 0;
    for (let i = 0; i < count; i += 1)
      if ((flags & 4) !== 0) {
        const file = caller.fds.get(view.getInt32(20 + 4 * i, true));
        sinks[start + i] = file instanceof EventFd ? file : undefined;
      } else if ((flags & 1) !== 0 || view.getUint8(20 + i) !== 0) sinks[start + i]?.signal();
    return 0;
  }
}

const ARCS: readonly (readonly [number, number])[] = [
  [2, 1],
  [1, 2],
  [2, 6],
  [6, 2],
  [6, 3],
  [1, 3],
  [3, 1],
  [1, 4],
  [4, 1],
];

/** A device that migrates: the kernel's state machine without P2P, one byte string as its state. */
export class TestMigration {
  state = 2;
  /** Every state that it went through. */
  readonly steps: number[] = [];
  /** Refuses to enter this state. */
  refuse: number | undefined;
  contents = Uint8Array.from({ length: 100 }, (_, i) => i);
  arrived: number[] = [];
  #file: { file: MigrationFile; state: number } | undefined;

  reset(): void {
    this.state = 2;
  }

  feature(view: DataView, caller: Process): number {
    const flags = view.getUint32(4, true);
    const feature = flags & 0xffff;
    if (feature === 1 || feature === 9) {
      if ((flags & 0x20000) !== 0) return -EINVAL;
      if ((flags & 0x40000) === 0) view.setBigUint64(8, feature === 1 ? 5n : 100n, true);
      return 0;
    }
    if (feature !== 2) return -ENOTTY;
    if ((flags & 0x40000) !== 0) return 0;
    if ((flags & 0x20000) === 0) {
      view.setUint32(8, this.state, true);
      view.setInt32(12, -1, true);
      return 0;
    }
    return this.#go(view, caller);
  }

  #go(view: DataView, caller: Process): number {
    const target = view.getUint32(8, true);
    const path = route(this.state, target);
    if (path === undefined) return -EINVAL;
    for (const next of path) {
      if (next === this.refuse) return -16;
      this.state = next;
      this.steps.push(next);
    }
    const fd = [3, 4, 6].includes(this.state) ? caller.fds.install(this.#open()) : -1;
    view.setInt32(12, fd, true);
    return 0;
  }

  #open(): MigrationFile {
    let at = 0;
    const file: MigrationFile = {
      kind: 'migration',
      read: (into) => {
        const part = this.contents.subarray(at, at + Math.min(into.length, 7));
        into.set(part);
        at += part.length;
        return part.length;
      },
      write: (from) => {
        const count = Math.min(from.length, 9);
        this.arrived.push(...from.subarray(0, count));
        return count;
      },
      poll: () => ({ readable: true, writable: true }),
      close() {},
    };
    this.#file = { file, state: this.state };
    return this.#file.file;
  }
}

/** The shortest way with no saving state inside, as vfio_mig_get_next_state goes. */
function route(from: number, to: number): readonly number[] | undefined {
  if (![1, 2, 3, 4, 6].includes(to) || (from === 3 && to === 6)) return undefined;
  if (from === to) return [];
  let paths: number[][] = [[from]];
  for (let depth = 0; depth < 5; depth += 1) {
    paths = paths.flatMap((path) =>
      ARCS.filter(([start]) => start === path.at(-1)).map(([, end]) => [...path, end]),
    );
    const found = paths.find(
      (path) =>
        path.at(-1) === to && path.slice(1, -1).every((state) => state !== 3 && state !== 6),
    );
    if (found !== undefined) return found.slice(1);
  }
  return undefined;
}
