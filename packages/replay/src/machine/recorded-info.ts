import type { PlatformHook } from '@vfiokit/core';
import {
  decodeCapabilities,
  type InfoCapability,
  VFIO_DEVICE_FLAGS_CAPS,
  VFIO_DEVICE_INFO_CAP_ZPCI_PFIP,
  VFIO_DEVICE_INFO_CAP_ZPCI_UTIL,
  vfioDeviceInfo,
  vfioInfoCapHeader,
  zpciPfipCapability,
  zpciUtilCapability,
} from '@vfiokit/uapi';
import { reverseArgument } from '../trace/byte-order.js';
import type { Trace } from '../trace/trace.js';

/** Capabilities whose length is written in them, so that what follows the last one can be cut off. */
const SIZED = new Map([
  [VFIO_DEVICE_INFO_CAP_ZPCI_UTIL, zpciUtilCapability],
  [VFIO_DEVICE_INFO_CAP_ZPCI_PFIP, zpciPfipCapability],
]);

/**
 * What the machine tells of a device beside its registers (s390's function tables): no line of a trace holds it but the
 * answers of VFIO_DEVICE_GET_INFO themselves. The first complete one is taken, the others are compared with it; where
 * every caller had too little room, only the size is known.
 */
export function recordedInfo({ meta, operations }: Trace): PlatformHook | undefined {
  let size = 0;
  for (const op of operations) {
    if (op.op !== 'ioctl' || op.cmd !== 'GET_INFO' || op.out === undefined) continue;
    const bytes = Buffer.from(op.out, 'hex');
    if (meta.endian === 'big') reverseArgument('GET_INFO', bytes, 'big');
    const { argsz, flags, capOffset } = vfioDeviceInfo.decode(bytes);
    if ((flags & VFIO_DEVICE_FLAGS_CAPS) === 0) continue;
    if (capOffset !== 0) return hook(complete(bytes, capOffset));
    size = argsz;
  }
  if (size === 0) return undefined;
  const body = new Uint8Array(size - vfioDeviceInfo.size - vfioInfoCapHeader.size);
  return hook([{ id: 0, version: 0, body }]);
}

function complete(bytes: Uint8Array, capOffset: number): InfoCapability[] {
  return decodeCapabilities(bytes, capOffset, vfioDeviceInfo.size).capabilities.map(
    (capability) => {
      const codec = SIZED.get(capability.id);
      return codec === undefined ? capability : codec.encode(codec.decode(capability));
    },
  );
}

function hook(capabilities: readonly InfoCapability[]): PlatformHook {
  return { infoCapabilities: () => capabilities };
}
