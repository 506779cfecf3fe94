import { type BarDescription, type FunctionDescription, MemoryBlock } from '@vfiokit/pci';
import type { FunctionSpec } from './description.js';

const PM = 0x40;
const MSIX = 0x50;
const EXPRESS = 0x60;
const SRIOV = 0x160;
const CLASS_BRIDGE = 0x0604;
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};

/** The silicon of a function that a machine describes by a few words: header, capabilities, BARs. */
export function functionDescription(spec: FunctionSpec): FunctionDescription {
  const { express, rom } = spec;
  const config = new Uint8Array(express ? 4096 : 256);
  const view = new DataView(config.buffer);
  const [vendor, device] = pair(spec.ids);
  const [subvendor, subdevice] = pair(spec.subsystem ?? '0000:0000');
  const isBridge = parseInt(spec.class.slice(0, 4), 16) === CLASS_BRIDGE;
  view.setUint16(0x00, vendor, true);
  view.setUint16(0x02, device, true);
  view.setUint16(0x06, 0x0010, true);
  view.setUint32(0x08, parseInt(spec.class + spec.revision, 16), true);
  config[0x0e] = isBridge ? 1 : 0;
  if (isBridge) {
    config[0x18] = parseInt(spec.at.split(':')[1]!, 16);
    config[0x19] = parseInt(spec.bridgeTo ?? '0', 16);
    config[0x1a] = config[0x19]!;
  } else {
    view.setUint16(0x2c, subvendor, true);
    view.setUint16(0x2e, subdevice, true);
  }
  layCapabilities(view, spec, isBridge);
  if (spec.sriov !== undefined && express) laySriov(view, spec.sriov);
  return {
    config,
    configSize: config.length,
    bars: parseBars(spec.bars),
    ...(rom === undefined ? {} : { rom: rom * 1024 }),
    ...(spec.sriov === undefined ? {} : virtualFunctions(spec, spec.sriov)),
  };
}

/** VFs of their PF's kind, whose own registers hold no ids (PCIe 6.0 9.3.4.1). */
function virtualFunctions(
  { sriov: _, rom: __, ...pf }: FunctionSpec,
  { bars, msix }: NonNullable<FunctionSpec['sriov']>,
): Partial<FunctionDescription> {
  const vf = () => functionDescription({ ...pf, ids: 'ffff:ffff', bars, msix });
  return { vfBars: parseBars(bars), virtualFunction: vf };
}

/** By register number: a 64-bit one takes two. */
function parseBars(texts: readonly string[]): readonly (BarDescription | undefined)[] {
  return texts.flatMap((text) => {
    const bar = text === 'none' ? undefined : parseBar(text);
    return bar?.is64Bit ? [bar, undefined] : [bar];
  });
}

function pair(text: string): readonly [number, number] {
  const [first, second] = text.split(':').map((part) => parseInt(part, 16));
  return [first!, second!];
}

function parseBar(text: string): BarDescription {
  const [, digits, unit, words] = /^(\d+)([KMGT]?)(.*)$/.exec(text)!;
  const size = Number(digits) * UNITS[unit!]!;
  return {
    size,
    ...(words!.includes('ram') && { block: new MemoryBlock(size) }),
    kind: words!.includes('io') ? 'io' : 'memory',
    is64Bit: words!.includes('64'),
    prefetchable: words!.includes('prefetch'),
  };
}

/** Power management, MSI-X and PCI Express, each pointing to the next. */
function layCapabilities(
  view: DataView,
  { msix, express, at, sriov, bars }: FunctionSpec,
  isBridge: boolean,
): void {
  const present = [PM, ...(msix === undefined ? [] : [MSIX]), ...(express ? [EXPRESS] : [])];
  view.setUint8(0x34, present[0]!);
  for (const [index, offset] of present.entries())
    view.setUint8(offset + 1, present[index + 1] ?? 0);
  view.setUint8(PM, 0x01);
  view.setUint16(PM + 2, 0x0003, true);
  view.setUint16(PM + 4, 0x0008, true);
  if (msix !== undefined) {
    view.setUint8(MSIX, 0x11);
    view.setUint16(MSIX + 2, msix - 1, true);
    const bir = parseBars(bars).findIndex((bar) => bar !== undefined);
    view.setUint32(MSIX + 4, Math.max(bir, 0), true);
    view.setUint32(MSIX + 8, 0x800 + Math.max(bir, 0), true);
  }
  if (!express) return;
  const onRootBus = at.split(':')[1] === '00';
  // Root ports on the root bus, downstream ports below; endpoints behind a port, integrated ones on the root bus.
  const type = isBridge ? (onRootBus ? 4 : 6) : onRootBus && sriov === undefined ? 9 : 0;
  view.setUint8(EXPRESS, 0x10);
  view.setUint16(EXPRESS + 2, (type << 4) | 2, true);
  view.setUint32(EXPRESS + 4, isBridge ? 0x8000 : 0x10008000, true);
}

function laySriov(view: DataView, sriov: NonNullable<FunctionSpec['sriov']>): void {
  view.setUint32(0x100, SRIOV * 2 ** 20 + 0x1000e, true);
  view.setUint32(SRIOV, 0x10010, true);
  view.setUint16(SRIOV + 0x0c, sriov.total, true);
  view.setUint16(SRIOV + 0x0e, sriov.total, true);
  view.setUint16(SRIOV + 0x14, sriov.offset, true);
  view.setUint16(SRIOV + 0x16, sriov.stride, true);
  view.setUint16(SRIOV + 0x1a, parseInt(sriov.device, 16), true);
  view.setUint32(SRIOV + 0x1c, 0x553, true);
  view.setUint32(SRIOV + 0x20, 0x1, true);
}
