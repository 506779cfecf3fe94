import {
  type CapabilityCodec,
  type InfoCapability,
  nvlink2LnkspdCapability,
  nvlink2SsatgtCapability,
  pciAtomicCompCapability,
  zpciBaseCapability,
  zpciGroupCapability,
  zpciPfipCapability,
  zpciUtilCapability,
} from '@vfiokit/uapi';
import { hex } from '../output.js';

/** A capability behind the answer of an info ioctl, for people. */
export interface InfoCapabilityReport {
  readonly id: number;
  /** As in vfio.h and vfio_zdev.h, without the prefix; its number where they know none. */
  readonly name: string;
  readonly version: number;
  readonly text: string;
}

interface Known {
  readonly id: number;
  readonly name: string;
  tell(capability: InfoCapability): string;
}

function known<T>(codec: CapabilityCodec<T>, name: string, tell: (value: T) => string): Known {
  return { id: codec.id, name, tell: (capability) => tell(codec.decode(capability)) };
}

const bytes = (value: Uint8Array) =>
  [...value].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');

const OF_A_DEVICE: readonly Known[] = [
  known(
    zpciBaseCapability,
    'ZPCI_BASE',
    ({ startDma, endDma, pchid, vfn, pft, gid, fh }) =>
      `DMA ${hex(startDma)}-${hex(endDma)}, pchid ${hex(pchid)}, vfn ${vfn}, pft ${pft}, gid ${gid}, fh ${hex(fh)}`,
  ),
  known(
    zpciGroupCapability,
    'ZPCI_GROUP',
    ({ dasm, msiAddr, noi, mui, maxstbl, imaxstbl }) =>
      `mask ${hex(dasm)}, ${noi} MSIs at ${hex(msiAddr)}, MUI ${mui}, stores ≤ ${maxstbl} or ${imaxstbl} bytes`,
  ),
  known(zpciUtilCapability, 'ZPCI_UTIL', bytes),
  known(zpciPfipCapability, 'ZPCI_PFIP', bytes),
  known(pciAtomicCompCapability, 'PCI_ATOMIC_COMP', ({ flags }) => `completes ${hex(flags)}`),
];

const OF_A_REGION: readonly Known[] = [
  known(nvlink2SsatgtCapability, 'NVLINK2_SSATGT', ({ tgt }) => hex(tgt)),
  known(nvlink2LnkspdCapability, 'NVLINK2_LNKSPD', ({ linkSpeed }) => String(linkSpeed)),
];

/** A capability of VFIO_DEVICE_GET_INFO. */
export function deviceCapability(capability: InfoCapability): InfoCapabilityReport {
  const { id, version } = capability;
  const { name, tell } = OF_A_DEVICE.find((each) => each.id === id) ?? {
    name: `capability ${id}`,
    tell: ({ body }) => bytes(body),
  };
  return { id, name, version, text: tell(capability) };
}

/** Capabilities of VFIO_DEVICE_GET_REGION_INFO that a driver adds, as notes. */
export function regionCapabilityNotes(capabilities: readonly InfoCapability[]): string[] {
  return capabilities.flatMap((capability) => {
    const found = OF_A_REGION.find(({ id }) => id === capability.id);
    return found === undefined ? [] : [`${found.name} ${found.tell(capability)}`];
  });
}
