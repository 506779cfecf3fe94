import {
  type DeviceOverride,
  overrideRegisters,
  type Region,
  type RegionRegister,
} from '@vfiokit/core';
import { overrideCases } from '../src/contracts/override.js';
import { describeOverride, type OverrideSubject, StubOpening, StubRegion } from '../src/index.js';
import { describeBroken, fail } from './broken.js';
import { plugFunction } from './function.js';

const COMMAND = 0x3b6f;

/** Stands in front of a BAR, one ioctl and two configuration registers. */
function standing(
  override: Partial<DeviceOverride> = {},
  regions: readonly number[] = [2],
): OverrideSubject {
  return {
    override: {
      region: (index, next) => (index === 2 ? new StubRegion(64) : next),
      ioctl: (next) => (command, argument, caller) =>
        command === COMMAND ? 0 : next(command, argument, caller),
      configRegisters: () => [register(0x40, 4), register(0x44, 1)],
      ...override,
    },
    device: new StubOpening(plugFunction()),
    regions,
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

/** A register that keeps what is written, at a place that nothing else looks at. */
function sensor(): RegionRegister {
  let celsius = 42;
  const write = (value: number) => {
    celsius = value;
    return 0;
  };
  return { offset: 0x12c, length: 4, read: () => celsius, write };
}

/** BAR 2 with one register put in front by hand, which forgets some way in. */
const halfway = (override: (next: Region) => Partial<Region>) =>
  standing({
    region(index, next) {
      if (index !== 2) return next;
      const whole = overrideRegisters(next, [sensor()]);
      const methods: Region = {
        info: () => whole.info(),
        read: (offset, size) => whole.read(offset, size),
        write: (offset, size, value) => whole.write(offset, size, value),
        pread: (into, offset) => whole.pread(into, offset),
        pwrite: (from, offset) => whole.pwrite(from, offset),
      };
      return { ...methods, ...override(next) };
    },
  });
const isSensor = (offset: number, size: number) => offset === 0x12c && size === 4;

describeOverride('an override', standing);
describeOverride('a register in front of a region', () => halfway(() => ({})));
describeOverride('a register at the end of a BAR', () =>
  standing(
    {
      region: (index, next) =>
        index === 0 ? overrideRegisters(next, [{ ...sensor(), offset: 0xfffc }]) : next,
    },
    [0],
  ),
);
describeOverride('an override of nothing', () => ({ ...standing(), override: {}, regions: [] }));

describeBroken('an override', overrideCases, {
  'hands regions that it leaves alone back as they are': () =>
    standing({ region: () => new StubRegion(64) }),
  'answers for the regions that it stands in front of': () =>
    standing({ region: (_index, next) => next }),
  'never throws on the access path': () => failing({ pread: fail }),
  'reads by pread what single reads show, at every width': () =>
    halfway((next) => ({ pread: (into, offset) => next.pread(into, offset) })),
  'shows the same bytes at every width': () =>
    halfway((next) => ({
      read: (offset, size) => (isSensor(offset, size) ? 42 : next.read(offset, size)),
    })),
  'writes by pwrite what single writes do, at every width': () =>
    halfway((next) => ({ pwrite: (from, offset) => next.pwrite(from, offset) })),
  'can be mapped only where loads show what reads show': () =>
    halfway((next) => ({
      info: () => next.info(),
      mmap: (offset, length) => next.mmap?.(offset, length) ?? fail(),
    })),
  'passes ioctls on that it does not know': () => standing({ ioctl: () => () => 0 }),
  'keeps its configuration registers inside configuration space and apart': () =>
    standing({ configRegisters: () => [register(0x40, 4), register(0x42, 2)] }),
});

describeBroken('an override, once more,', overrideCases, {
  'hands regions that it leaves alone back as they are': () =>
    standing({ region: (index, next) => (index < 9 ? next : new StubRegion(64)) }),
  'answers for the regions that it stands in front of': () => failing({ info: () => 5 }),
  'never throws on the access path': () =>
    failing({ write: (offset) => (offset === 0x20 ? fail() : 1) }),
  'reads by pread what single reads show, at every width': () =>
    failing({ pread: (into) => into.length - 1 }),
  'shows the same bytes at every width': () => failing({ read: (_offset, size) => size }),
  'writes by pwrite what single writes do, at every width': () =>
    halfway((next) => ({ write: (offset, size, value) => next.write(offset, size, value) + 1 })),
  'can be mapped only where loads show what reads show': () =>
    halfway((next) => ({ mmap: (offset, length) => next.mmap?.(offset, length) ?? fail() })),
  'passes ioctls on that it does not know': () =>
    standing({ ioctl: (next) => (_command, argument, caller) => next(COMMAND, argument, caller) }),
  'keeps its configuration registers inside configuration space and apart': () =>
    standing({ configRegisters: () => [register(0xfff, 2)] }),
});
