import type { PciDevice } from '@vfiokit/pci';
import { describe, expect, it } from 'vitest';
import { pfDriverData, vfIndex } from '../src/pf-driver-data.js';

const EINVAL = 22;

class NativeDriver {}
class OtherDriver {}

/** A PF with this driver and two VFs, of which the second is returned. */
function secondVf(driverData: unknown): PciDevice {
  const physfn = { driverData, virtualFunctions: [] as unknown[] };
  const vfs = [{ physfn }, { physfn }];
  physfn.virtualFunctions.push(...vfs);
  return vfs[1] as unknown as PciDevice;
}

describe('the native driver of a PF', () => {
  it('is found by the class that it is expected to be of', () => {
    const native = new NativeDriver();
    expect(pfDriverData(secondVf(native), NativeDriver)).toBe(native);
  });

  it('[derived:15] is -EINVAL while the PF is bound to another driver', () => {
    expect(pfDriverData(secondVf(new OtherDriver()), NativeDriver)).toBe(-EINVAL);
    expect(pfDriverData(secondVf(undefined), NativeDriver)).toBe(-EINVAL);
  });

  it('is -EINVAL for a function that is no VF', () => {
    expect(pfDriverData({ physfn: undefined } as unknown as PciDevice, NativeDriver)).toBe(-EINVAL);
  });

  it('counts VFs from 0', () => {
    expect(vfIndex(secondVf(undefined))).toBe(1);
    expect(vfIndex({ physfn: undefined } as unknown as PciDevice)).toBe(-EINVAL);
  });
});
