import {
  BarDmaBufProvider,
  type DeviceOverride,
  type DmaBufProvider,
  type IoctlHandler,
  type IovaRange,
  type OpenHook,
  type OpeningDevice,
  type Region,
  type ResetHooks,
} from '@vfiokit/core';
import type { PciDevice } from '@vfiokit/pci';
import {
  EINVAL,
  ENOTTY,
  EOPNOTSUPP,
  VFIO_DEVICE_IOEVENTFD,
  VFIO_DEVICE_RESET,
  VFIO_PCI_CONFIG_REGION_INDEX,
  VfioError,
} from '@vfiokit/uapi';
import { FakeBar } from './fake-bar.js';
import { FakeBarConfig, FakeBarRegister } from './fake-bar-registers.js';
import type { MemoryPart, MemorySplit } from './memory-split.js';
import type { NvgracePlatform } from './nvgrace-platform.js';
import { C2C_LINK_STATUS, readiness } from './readiness.js';
import { ReadyGate } from './ready-gate.js';

/** The region of the uncached part: BARs 2 and 3. */
const RESMEM_REGION = 2;
/** The region of the cached part: BARs 4 and 5. */
const USEMEM_REGION = 4;

/** Opening and resets of a GPU, alike in both flavours (nvgrace-gpu/main.c: nvgrace_gpu_open_device). */
export class NvgraceDevice implements OpenHook, ResetHooks, DmaBufProvider {
  protected readonly gate = new ReadyGate();
  readonly #dmaBuf: BarDmaBufProvider;

  constructor(
    pdev: PciDevice,
    protected readonly platform: NvgracePlatform,
  ) {
    this.#dmaBuf = new BarDmaBufProvider(pdev);
  }

  /** The ranges whose memory failures concern the user. The plain flavour asks about an empty one, which it leaves behind. */
  protected get pages(): readonly Omit<MemoryPart, 'barSize'>[] {
    return [{ base: 0n, length: 0 }];
  }

  open(device: OpeningDevice): void {
    device.mapBar(0);
    const bar0 = device.fixedRegion(0);
    const readBar0 = (offset: number) => bar0.read(offset, 4);
    this.gate.watch(readiness(device.config, readBar0, this.platform), () =>
      readBar0(C2C_LINK_STATUS),
    );
    for (const { base, length } of this.pages) {
      const error = this.platform.registerPages?.(base, length) ?? 0;
      if (error < 0 && error !== -EOPNOTSUPP)
        throw VfioError.fromErrno(error, `${device.name}: failures of its memory can't be watched`);
      if (length > 0) device.defer(() => this.platform.unregisterPages?.(base, length));
    }
  }

  /** The first access after a reset asks whether the GPU is ready. */
  done(): void {
    this.gate.close();
  }

  physicalRanges(region: number, offset: bigint, length: bigint): readonly IovaRange[] | number {
    return this.#dmaBuf.physicalRanges(region, offset, length);
  }
}

/** A GPU whose memory the user sees as BARs that the hardware does not have. */
export class NvgraceMemoryDevice extends NvgraceDevice implements DeviceOverride {
  readonly #parts: ReadonlyMap<number, MemoryPart>;
  readonly #registers: ReadonlyMap<number, FakeBarRegister>;

  constructor(pdev: PciDevice, platform: NvgracePlatform, { usemem, resmem }: MemorySplit) {
    super(pdev, platform);
    this.#parts = new Map([
      ...(resmem === undefined ? [] : [[RESMEM_REGION, resmem] as const]),
      [USEMEM_REGION, usemem],
    ]);
    this.#registers = new Map(
      [...this.#parts].map(([region, { barSize }]) => [region, new FakeBarRegister(barSize)]),
    );
  }

  protected override get pages(): readonly MemoryPart[] {
    return [...this.#parts.values()];
  }

  override open(device: OpeningDevice): void {
    this.#resetRegisters();
    super.open(device);
  }

  region(index: number, next: Region, device: OpeningDevice): Region {
    if (index === VFIO_PCI_CONFIG_REGION_INDEX)
      return new FakeBarConfig(
        next,
        this.#registers.get(RESMEM_REGION),
        this.#registers.get(USEMEM_REGION)!,
      );
    const part = this.#parts.get(index);
    return part === undefined ? next : new FakeBar(part, device, this.gate, this.platform);
  }

  /** A reset forgets the fake BARs before it happens; doorbells can't be tied to them. */
  ioctl(next: IoctlHandler): IoctlHandler {
    return (command, argument, caller) => {
      if (command === VFIO_DEVICE_IOEVENTFD) return -ENOTTY;
      if (command === VFIO_DEVICE_RESET) this.#resetRegisters();
      return next(command, argument, caller);
    };
  }

  /** What is behind a fake BAR is memory of the machine; peers reach it as they reach BAR 0. */
  override physicalRanges(region: number, offset: bigint, length: bigint) {
    const part = this.#parts.get(region);
    if (part === undefined) return super.physicalRanges(region, offset, length);
    if (offset + length > BigInt(part.length)) return -EINVAL;
    return [{ iova: part.base + offset, length }];
  }

  #resetRegisters(): void {
    for (const register of this.#registers.values()) register.reset();
  }
}
