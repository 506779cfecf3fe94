import { PciResource } from '@vfiokit/pci';
import { StoredConfig, TracedConfig } from '@vfiokit/testing';
import { createConfig, type DeviceConfig } from '../../src/config/create-config.js';
import type { ConfigEffects } from '../../src/config/effects.js';
import type { ConfigRegister } from '../../src/extension.js';
import { KERNEL_QUIRKS } from '../../src/quirks.js';

/** The function of the golden vectors: every register is plain storage, only COMMAND and the BARs take writes. */
export function referenceFunction(): StoredConfig {
  const hw = new StoredConfig(4096, [
    [0x04, 0x06],
    [0x10, 0x28],
    [0x30, 0x34],
  ]);
  hw.set(0x00, 2, 0x1234).set(0x02, 2, 0x5678).set(0x04, 2, 0x0003).set(0x06, 2, 0x0810);
  hw.set(0x34, 1, 0x40).set(0x3d, 1, 1);
  hw.set(0x10, 4, 0xf0000000).set(0x14, 4, 0x0000000c).set(0x18, 4, 0x00000040);
  hw.set(0x1c, 4, 0x0000e005).set(0x24, 4, 0x0000e021).set(0x30, 4, 0xf1000000);
  hw.set(0x40, 1, 0x01).set(0x41, 1, 0x50).set(0x42, 2, 0xf803).set(0x44, 2, 0x8108);
  hw.set(0x50, 1, 0x05).set(0x51, 1, 0x60).set(0x52, 2, 0x0084);
  hw.set(0x60, 1, 0x09).set(0x61, 1, 0x70).set(0x62, 1, 12);
  hw.set(0x70, 1, 0x10).set(0x71, 1, 0xb0).set(0x72, 2, 0x0002);
  hw.set(0x74, 4, 0x10000000).set(0x78, 2, 0x2810);
  hw.set(0xb0, 1, 0x0d).set(0xb1, 1, 0xb8);
  hw.set(0xb8, 1, 0x11).set(0xb9, 1, 0xc4).set(0xba, 2, 0x0003);
  hw.set(0xc4, 1, 0x13).set(0xc5, 1, 0xcc).set(0xc6, 1, 6).set(0xc7, 1, 3);
  hw.set(0xcc, 1, 0x03).set(0xcd, 1, 0);
  hw.set(0x100, 4, 0x1101001b).set(0x110, 4, 0x14010001).set(0x140, 4, 0x1501001e);
  hw.set(0x150, 4, 0x17010023).set(0x154, 4, 0x01401234).set(0x170, 4, 0x18010004);
  hw.set(0x180, 4, 0x00010002).set(0x184, 4, 1).set(0x188, 4, 2);
  return hw;
}

/** What the host assigned: memory unless it says otherwise. */
export function resource(
  start: bigint,
  length: number,
  kind: { io?: true; prefetch?: true; wide?: true } = {},
): PciResource {
  if (length === 0) return new PciResource(0n, 0, 0);
  const flags =
    (kind.io ? 0x100 : 0x200) | (kind.prefetch ? 0x2000 : 0) | (kind.wide ? 0x100000 : 0);
  return new PciResource(start, length, flags);
}

/** BAR 0 to 5 and the ROM of the golden vectors. */
export const REFERENCE_RESOURCES = [
  resource(0xf0000000n, 0x10000, {}),
  resource(0x40_00000000n, 8 * 2 ** 30, { prefetch: true, wide: true }),
  resource(0n, 0, {}),
  resource(0xe004n, 4, { io: true }),
  resource(0n, 0, {}),
  resource(0xe020n, 32, { io: true }),
  resource(0xf1000000n, 0x20000, {}),
];

/** Notes the hooks among the accesses, and can be told what the device around the configuration space is like. */
export class NotedEffects implements ConfigEffects {
  msiActive = false;
  msiQmax = 0;
  maxPayload = 256;
  readonly vpd = new Uint8Array(64);
  memoryOpen = () => true;

  constructor(private readonly note: (what: string) => void) {}

  suspendMemory(): void {
    this.note('zap');
    this.note('revoke');
  }

  resumeMemory(): void {
    if (this.memoryOpen()) this.note('unrevoke');
  }

  setPowerState(state: number): void {
    this.note(`power ${state}`);
  }

  resetFunction(): void {
    this.note('reset');
  }

  maskIntx(): void {
    this.note('mask');
  }

  unmaskIntx(): void {
    this.note('unmask');
  }

  readVpd(offset: number, into: Uint8Array): number {
    this.note(`VPD read ${offset.toString(16)}`);
    if (offset >= this.vpd.length) return 0;
    into.set(this.vpd.subarray(offset, offset + into.length));
    return into.length;
  }

  writeVpd(offset: number, from: Uint8Array): number {
    this.note(`VPD write ${offset.toString(16)}`);
    if (offset % 4 !== 0 || offset + from.length > this.vpd.length) return -22;
    this.vpd.set(from, offset);
    return from.length;
  }

  setReadRequest(bytes: number): void {
    this.note(`MRRS ${bytes}`);
  }
}

export interface OpenReference extends DeviceConfig {
  readonly hw: StoredConfig;
  readonly traced: TracedConfig;
  readonly effects: NotedEffects;
  /** Reads and says what that did to the hardware. */
  read(position: number, size: number): { value: number; hw: string };
  write(position: number, size: number, value: number): { result: number; hw: string };
}

export interface ReferenceOptions {
  readonly isVirtfn?: boolean;
  readonly noCommandMemory?: boolean;
  readonly hidePin?: boolean;
  readonly nointx?: boolean;
  readonly resources?: readonly PciResource[];
  readonly firmwareRomSize?: number;
  readonly quirks?: Partial<typeof KERNEL_QUIRKS>;
  readonly registers?: readonly ConfigRegister[];
}

/** Lays out the configuration space of a function. */
export function openConfig(hw: StoredConfig, options: ReferenceOptions = {}): OpenReference {
  const traced = new TracedConfig(hw);
  const effects = new NotedEffects((what) => traced.log.push(what));
  const config = createConfig({
    pdev: {
      config: traced,
      resources: options.resources ?? REFERENCE_RESOURCES,
      vendor: 0x1234,
      device: 0x5678,
      isVirtfn: options.isVirtfn ?? false,
      noCommandMemory: options.noCommandMemory ?? options.isVirtfn ?? false,
    },
    effects,
    hidePin: options.hidePin ?? false,
    nointx: options.nointx ?? false,
    firmwareRomSize: options.firmwareRomSize ?? 0,
    quirks: { ...KERNEL_QUIRKS, ...options.quirks },
    registers: options.registers ?? [],
  });
  if (typeof config === 'number') throw new RangeError(`the open failed with ${config}`);
  const always = options.noCommandMemory ?? options.isVirtfn ?? false;
  effects.memoryOpen = () => always || (config.vconfig[4]! & 2) !== 0;
  traced.take();
  return {
    ...config,
    hw,
    traced,
    effects,
    read(position, size) {
      const bytes = new Uint8Array(size);
      const count = config.space.readBytes(bytes, position);
      if (count < 0) return { value: count, hw: traced.take().join(' ') };
      const value = bytes.reduceRight((sum, byte) => sum * 256 + byte, 0);
      return { value, hw: traced.take().join(' ') };
    },
    write(position, size, value) {
      const bytes = Uint8Array.from({ length: size }, (_, i) => value >>> (8 * i));
      const result = config.space.writeBytes(bytes, position);
      return { result, hw: traced.take().join(' ') };
    },
  };
}
