import type { DeviceOverride, Region } from '@vfiokit/core';
import { overrideCases } from '../src/contracts/override.js';
import { describeOverride, type OverrideSubject, StubOpening, StubRegion } from '../src/index.js';
import { describeBroken, fail } from './broken.js';
import { plugFunction } from './function.js';

const COMMAND = 0x3b6f;

/** Stands in front of BAR 2, one ioctl and two configuration registers. */
function standing(override: Partial<DeviceOverride> = {}): OverrideSubject {
  return {
    override: {
      region: (index, next) => (index === 2 ? new StubRegion(64) : next),
      ioctl: (next) => (command, argument, caller) =>
        command === COMMAND ? 0 : next(command, argument, caller),
      configRegisters: () => [register(0x40, 4), register(0x44, 1)],
      ...override,
    },
    device: new StubOpening(plugFunction()),
    regions: [2],
  };
}

function register(offset: number, length: number) {
  return { name: 'toy', offset, length, read: () => 0, write: () => 0 };
}

/** BAR 2 as a region that fails in one way. */
const failing = (broken: Partial<Region>) =>
  standing({
    region: (index, next) => (index === 2 ? Object.assign(new StubRegion(64), broken) : next),
  });

describeOverride('an override', standing);
describeOverride('an override of nothing', () => ({ ...standing(), override: {}, regions: [] }));

describeBroken('an override', overrideCases, {
  'hands regions that it leaves alone back as they are': () =>
    standing({ region: () => new StubRegion(64) }),
  'answers for the regions that it stands in front of': () =>
    standing({ region: (_index, next) => next }),
  'never throws on the access path': () => failing({ pread: fail }),
  'passes ioctls on that it does not know': () => standing({ ioctl: () => () => 0 }),
  'keeps its configuration registers inside configuration space and apart': () =>
    standing({ configRegisters: () => [register(0x40, 4), register(0x42, 2)] }),
});

describeBroken('an override, once more,', overrideCases, {
  'hands regions that it leaves alone back as they are': () =>
    standing({ region: (index, next) => (index < 9 ? next : new StubRegion(64)) }),
  'answers for the regions that it stands in front of': () => failing({ info: () => 5 }),
  'never throws on the access path': () => failing({ write: fail }),
  'passes ioctls on that it does not know': () =>
    standing({ ioctl: (next) => (_command, argument, caller) => next(COMMAND, argument, caller) }),
  'keeps its configuration registers inside configuration space and apart': () =>
    standing({ configRegisters: () => [register(0xfff, 2)] }),
});
