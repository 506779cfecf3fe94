import { type FunctionDescription, type PciDevice, PciTopology } from '@vfiokit/pci';

/** A PCI Express function with 4 KiB of configuration space and as many capabilities as a network adapter has, or more. */
export function describeAdapter(extendedCapabilities = 4): FunctionDescription {
  const config = new Uint8Array(4096);
  const view = new DataView(config.buffer);
  const standard = (at: number, id: number, next: number, word: number) => {
    view.setUint8(at, id);
    view.setUint8(at + 1, next);
    view.setUint16(at + 2, word, true);
  };
  view.setUint32(0x00, 0x10d38086, true);
  view.setUint16(0x04, 0x0007, true);
  view.setUint16(0x06, 0x0010, true);
  view.setUint8(0x34, 0x40);
  view.setUint8(0x3d, 1);
  standard(0x40, 0x01, 0x50, 0x0003);
  standard(0x50, 0x05, 0x70, 0x0080);
  standard(0x70, 0x10, 0xb0, 0x0002);
  standard(0xb0, 0x11, 0x00, 0x0007);
  for (let i = 0; i < extendedCapabilities; i += 1) {
    const at = 0x100 + 0x40 * i;
    const next = i === extendedCapabilities - 1 ? 0 : at + 0x40;
    view.setUint32(at, 0x00010003 + next * 2 ** 20, true);
  }
  return { config, bars: [{ kind: 'memory', size: 0x20000 }] };
}

/** Puts it into a machine of its own. */
export function plug(description: FunctionDescription): PciDevice {
  return new PciTopology().add('0000:00:03.0', description);
}
