import { baseName, NO_OVERRIDE, readText, type Sysfs } from '@vfiokit/driver-model';
import { driverLink, overridePath } from '../decision/operation.js';
import type { DeviceIdentity } from './journal.js';

/** What is true of a device at this moment. */
export interface LiveDevice {
  readonly driver: string | null;
  /** null for none; undefined where the kernel has no overrides. */
  readonly override: string | null | undefined;
  readonly identity: DeviceIdentity;
  readonly providesVfio: boolean;
}

/** Reads a device again; undefined if it is gone. */
export async function readLive(sysfs: Sysfs, device: string): Promise<LiveDevice | undefined> {
  const folder = `/sys/bus/pci/devices/${device}`;
  const place = await sysfs.readLink(folder);
  const modalias = await readText(sysfs, `${folder}/modalias`);
  if (typeof modalias === 'number') return undefined;
  const driver = await sysfs.readLink(driverLink(device));
  const override = await readText(sysfs, overridePath(device));
  const text = typeof override === 'number' ? undefined : override.replace(/\n$/, '');
  return {
    driver: typeof driver === 'number' ? null : baseName(driver),
    override: text === undefined ? undefined : text === '' || text === NO_OVERRIDE ? null : text,
    identity: { modalias: modalias.trim(), place: typeof place === 'number' ? folder : place },
    providesVfio: typeof (await sysfs.list(`${folder}/vfio-dev`)) !== 'number',
  };
}

export function sameDevice(a: DeviceIdentity, b: DeviceIdentity): boolean {
  return a.modalias === b.modalias && a.place === b.place;
}
