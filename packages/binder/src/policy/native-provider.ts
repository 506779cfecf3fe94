import { refuse, type SelectionPolicy } from './policy.js';

/**
 * P7: the native driver stays and offers the VFIO device itself. Nothing is unbound and no override is written; what is
 * attached is a child of the native driver's.
 */
export const NATIVE_PROVIDER: SelectionPolicy = {
  name: 'native-provider',
  summary: 'the native driver stays, and provides the VFIO device',
  choose({ device }) {
    const { driver, vfioDevices, name } = device;
    if (driver.value === undefined) return refuse('native-provider: the bound driver is unknown');
    if (driver.value === null)
      return refuse(`native-provider: ${name} has no driver that could provide anything`);
    if (vfioDevices.length === 0)
      return refuse(
        `native-provider: ${driver.value} provides no VFIO device itself; create a child of it, or take another policy`,
      );
    return {
      candidates: [],
      rejections: [],
      rule: `native-provider: already provided by ${driver.value} as ${vfioDevices.join(', ')}`,
      style: 'provided',
      warnings: ['its life is tied to the native driver: unbinding that takes the device away'],
    };
  },
};
