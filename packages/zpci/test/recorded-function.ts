import { PciTopology } from '@vfiokit/pci';
import { type ClpFunction, type ClpFunctionGroup, ZpciFunction } from '../src/index.js';

/** What firmware told a real kernel of the function 0001:00:00.0 of an s390x guest. */
export const RECORDED_FUNCTION: ClpFunction = {
  fid: 8,
  uid: 1,
  fh: 0x80020000,
  startDma: 0x1_0000_0000n,
  endDma: 0x1_3fff_ffffn,
  pchid: 0,
  vfn: 0,
  gid: 0xff,
  pft: 0,
  fmbLength: 0,
  pfip: new Uint8Array(4),
};

/** The group that it is in. */
export const RECORDED_GROUP: ClpFunctionGroup = {
  dasm: 0n,
  msiAddr: 0xfe00_0000_0000_0000n,
  mui: 4000,
  noi: 128,
  maxstbl: 128,
  version: 0,
  refresh: true,
};

/** Behind the 24 bytes of struct vfio_device_info, big-endian: BASE, GROUP, PFIP, as Linux 6.12 on s390x delivered them. */
export const RECORDED_CHAIN =
  '0001000200000040' +
  '0000000100000000000000013fffffff00000000000000ff8002000000000000' +
  '0002000200000070' +
  '0000000000000000fe0000000000000000000000000000010fa000800080000000800000' +
  '00000000' +
  '0004000100000000' +
  '0000000400000000';

/** Bytes of each member of the chain, by which the order of bytes is turned around. */
export const RECORDED_WIDTHS = [
  ...[2, 2, 4, 8, 8, 2, 2, 2, 1, 1, 4, 4],
  ...[2, 2, 4, 8, 8, 8, 2, 2, 2, 1, 1, 2, 6],
  ...[2, 2, 4, 4, 4],
];

export function recordedFunction(
  clp: Partial<ClpFunction> = {},
  group: Partial<ClpFunctionGroup> = {},
): ZpciFunction {
  return new ZpciFunction({ ...RECORDED_FUNCTION, ...clp }, { ...RECORDED_GROUP, ...group });
}

/** The same function for the PCI core: a virtio device without interrupt pin. */
export function recordedPciDevice() {
  const config = new Uint8Array(256);
  config.set([0xf4, 0x1a, 0x44, 0x10, 0x02, 0x00, 0x10, 0x00, 0x01, 0x00, 0xff, 0x00]);
  config.set([0xf4, 0x1a, 0x00, 0x11], 0x2c);
  config[0x34] = 0x98;
  config.set([0x11, 0x84, 0x01, 0x00], 0x84);
  config.set([0x09, 0x84, 0x10, 0x04], 0x98);
  return new PciTopology().add('0001:00:00.0', { config });
}
