import {
  type InfoCapability,
  VFIO_DEVICE_INFO_ZPCI_FLAG_REFRESH,
  zpciBaseCapability,
  zpciGroupCapability,
  zpciPfipCapability,
  zpciUtilCapability,
} from '@vfiokit/uapi';
import type { ZpciFunction } from './zpci-function.js';

/** The longest store block that the host carries out for a guest, whatever the device could do. */
const ZPCI_MAX_WRITE_SIZE = 128;

/** What VFIO_DEVICE_GET_INFO tells of a function, in this order (vfio_pci_zdev.c: vfio_pci_info_zdev_add_caps). */
export function zpciInfoCapabilities(zdev: ZpciFunction): readonly InfoCapability[] {
  const { clp } = zdev;
  return [
    base(zdev),
    group(zdev),
    ...(clp.util === undefined ? [] : [zpciUtilCapability.encode(clp.util)]),
    zpciPfipCapability.encode(clp.pfip),
  ];
}

function base({ clp, fh, fmbLength }: ZpciFunction): InfoCapability {
  const { startDma, endDma, pchid, vfn, pft, gid } = clp;
  return zpciBaseCapability.encode({ startDma, endDma, pchid, vfn, fmbLength, pft, gid, fh });
}

function group({ group: { dasm, msiAddr, mui, version }, maxMsi, maxstbl }: ZpciFunction) {
  return zpciGroupCapability.encode({
    dasm,
    msiAddr,
    // The host's translations are refreshed for every guest, so guests are always told to do so.
    flags: BigInt(VFIO_DEVICE_INFO_ZPCI_FLAG_REFRESH),
    mui,
    noi: maxMsi,
    maxstbl: ZPCI_MAX_WRITE_SIZE,
    version,
    reserved: 0,
    imaxstbl: maxstbl,
  });
}
