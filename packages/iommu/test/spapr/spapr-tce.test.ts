import {
  DMA_READ,
  type Iommu,
  KERNEL_QUIRKS,
  POWERNV,
  PSERIES,
  type TcePlatform,
} from '@vfiokit/iommu';
import { describe, expect, test } from 'vitest';
import {
  EBUSY,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOENT,
  ENOMEM,
  ENOSPC,
  ENOTTY,
  ENXIO,
  EPERM,
} from '../support/errno.js';
import { ARENA, HOLE, le, type OpenContainer, type StubDevice, TestHost } from '../support/host.js';

const [GET_INFO, ENABLE, DISABLE, REGISTER, UNREGISTER, CREATE, REMOVE, EEH] = [
  0x3b70, 0x3b73, 0x3b74, 0x3b75, 0x3b76, 0x3b77, 0x3b78, 0x3b79,
];
const [V1, V2] = [2, 7];
const HIGH = 0x800_0000_0000_0000;

class Power {
  readonly host: TestHost;

  constructor(quirks = KERNEL_QUIRKS) {
    this.host = new TestHost({ backends: ['spapr-tce'], parameters: { quirks } });
  }

  device(tce: TcePlatform = POWERNV, caps: Partial<Iommu> = {}): StubDevice {
    return this.host.device({ caps: { ...caps, tce } });
  }

  ready(type: number, ...devices: readonly StubDevice[]): OpenContainer {
    return this.host.ready(type, ...(devices.length > 0 ? devices : [this.device()]));
  }
}

const register = (container: OpenContainer, address: number, size: number, command = REGISTER) =>
  container.ioctl(command, le(24, [0, 4, 24], [8, 8, address], [16, 8, size]));

function create(container: OpenContainer, pageShift: number, size: number, levels = 1) {
  const argument = le(40, [0, 4, 40], [8, 4, pageShift], [16, 8, size], [24, 4, levels]);
  const ret = container.ioctl(CREATE, argument);
  return ret === 0 ? Number(new DataView(argument.buffer).getBigUint64(32, true)) : ret;
}

const remove = (container: OpenContainer, start: number) =>
  container.ioctl(REMOVE, le(16, [0, 4, 16], [8, 8, start]));

const unmapped = (container: OpenContainer, iova: number, size: number, flags = 0) =>
  container.unmap(iova, size, { flags });

/** A v2 container with a mebibyte registered. */
function registered(power = new Power()): OpenContainer {
  const container = power.ready(V2);
  register(container, ARENA, 0x100000);
  return container;
}

describe('groups in a container with TCE tables', () => {
  test('[iommu:196] v1 takes one, v2 takes more of the same kind', () => {
    const power = new Power();
    expect(power.ready(V1).add(power.device())).toBe(EBUSY);
    expect(power.ready(V2).add(power.device())).toBe(0);
  });

  test('of another platform are refused', () => {
    const power = new Power();
    expect(power.ready(V2).add(power.device({ ...POWERNV }))).toBe(EPERM);
  });

  test('[iommu:197] cannot be emulated', () => {
    const power = new Power();
    const container = power.host.container();
    container.add(power.host.emulated());
    expect(container.setIommu(V2)).toBe(EINVAL);
  });

  test('[iommu:198] need dynamic windows for v2', () => {
    const power = new Power();
    const container = power.host.container();
    container.add(power.device({ ...POWERNV, maxDynamicWindows: 0 }));
    expect(container.setIommu(V2)).toBe(EINVAL);
    expect(container.setIommu(V1)).toBe(0);
  });

  test('need windows at all', () => {
    const power = new Power();
    const container = power.host.container();
    container.add(power.host.device());
    expect(container.setIommu(V1)).toBe(ENODEV);
  });

  test('that leave take everybody’s mappings with them, unless the quirk is off', () => {
    const left = [true, false].map((detachClearsTables) => {
      const power = new Power({ ...KERNEL_QUIRKS, detachClearsTables });
      const [stays, leaves] = [power.device(), power.device()];
      const container = power.ready(V2, stays, leaves);
      register(container, ARENA, 0x100000);
      container.map(0, ARENA, 0x1000);
      container.group(leaves).group.unsetContainer();
      return stays.iommuGroup!.dma.translate(0, DMA_READ) !== undefined;
    });
    expect(left).toEqual([false, true]);
  });
});

describe('v1', () => {
  test('[iommu:199] maps nothing before ENABLE, which is once; DISABLE is as often as one likes', () => {
    const container = new Power().ready(V1);
    expect(container.map(0, ARENA, 0x1000)).toBe(EPERM);
    expect(container.unmap(0, 0x1000)).toBe(EPERM);
    expect([container.ioctl(ENABLE), container.ioctl(ENABLE)]).toEqual([0, EBUSY]);
    expect([container.ioctl(DISABLE), container.ioctl(DISABLE)]).toEqual([0, 0]);
  });

  test('[iommu:200] counts the whole window as locked', () => {
    const power = new Power();
    const container = power.ready(V1);
    const { credentials } = power.host.process;
    Object.assign(credentials, { ipcLock: false, memlock: 0x8000_0000 - 0x1000 });
    expect(container.ioctl(ENABLE)).toBe(ENOMEM);
    credentials.memlock = 0x8000_0000;
    expect(container.ioctl(ENABLE)).toBe(0);
    expect(power.host.process.lockedBytes).toBe(0x8000_0000);
    container.ioctl(DISABLE);
    expect(power.host.process.lockedBytes).toBe(0);
  });

  test('[iommu:201] and v2 do not know each other’s calls', () => {
    const power = new Power();
    const [v1, v2] = [power.ready(V1), power.ready(V2)];
    expect([ENABLE, DISABLE].map((command) => v2.ioctl(command))).toEqual([ENOTTY, ENOTTY]);
    expect(
      [REGISTER, UNREGISTER, CREATE, REMOVE].map((command) => v1.ioctl(command, le(40))),
    ).toEqual(Array(4).fill(ENOTTY));
  });

  test('wants memory that is there, and writable if it is written', () => {
    const power = new Power();
    const container = power.ready(V1);
    container.ioctl(ENABLE);
    power.host.process.memory.map({ address: HOLE + 0x10000, size: 0x1000, writable: false });
    expect(container.map(0, HOLE, 0x1000)).toBe(EFAULT);
    expect(container.map(0, HOLE + 0x10000, 0x1000)).toBe(EFAULT);
    expect(container.map(0, HOLE + 0x10000, 0x1000, { flags: 1 })).toBe(0);
  });
});

describe('GET_INFO', () => {
  const info = (container: OpenContainer, argsz: number) => {
    const argument = le(32, [0, 4, argsz], [16, 8, -1], [24, 8, -1]);
    return { ret: container.ioctl(GET_INFO, argument), view: new DataView(argument.buffer) };
  };

  test('[iommu:202] writes what there is room for', () => {
    const container = new Power().ready(V2);
    expect(info(container, 15).ret).toBe(EINVAL);
    const short = info(container, 16).view;
    expect([short.getUint32(4, true), short.getUint32(12, true)]).toEqual([1, 0x8000_0000]);
    expect(short.getBigUint64(16, true)).toBe(0xffff_ffff_ffff_ffffn);
    const { view } = info(container, 32);
    expect([
      view.getBigUint64(16, true),
      view.getUint32(24, true),
      view.getUint32(28, true),
    ]).toEqual([0x11011000n, 2, 5]);
  });

  test('[iommu:203] of v1 tells of no dynamic windows', () => {
    const { view } = info(new Power().ready(V1), 32);
    expect([
      view.getUint32(4, true),
      view.getBigUint64(16, true),
      view.getBigUint64(24, true),
    ]).toEqual([0, 0n, 0n]);
  });
});

describe('whose memory it is', () => {
  test('[iommu:204] is settled by the first who uses it', () => {
    const power = new Power();
    const container = power.ready(V1);
    container.ioctl(ENABLE);
    const other = power.host.newProcess();
    expect(container.ioctl(GET_INFO, le(32, [0, 4, 32]), other)).toBe(EPERM);
    expect(container.map(0, ARENA, 0x1000, { caller: other })).toBe(EPERM);
    expect(container.ioctl(0x3b65, 2, other)).toBe(1);
  });
});

describe('mapping', () => {
  test.each([
    ['[iommu:205] outside of every window', [0x1_0000_0000, ARENA, 0x1000, {}], ENXIO],
    ['[iommu:206] parts of a page', [0, ARENA, 0x1800, {}], EINVAL],
    ['a virtual address within a page', [0, ARENA + 0x800, 0x1000, {}], EINVAL],
    ['[iommu:207] without permission', [0, ARENA, 0x1000, { flags: 0 }], EINVAL],
    [
      '[iommu:207] without permission outside of every window',
      [0x1_0000_0000, ARENA, 0x1000, { flags: 0 }],
      ENXIO,
    ],
    ['with unknown flags', [0, ARENA, 0x1000, { flags: 4 }], EINVAL],
    ['a structure that is too short', [0, ARENA, 0x1000, { argsz: 31 }], EINVAL],
    ['beyond the end of its window', [0x7fff_f000, ARENA, 0x2000, {}], EINVAL],
    ['[iommu:213] memory that is not registered', [0, ARENA + 0x100000, 0x1000, {}], EINVAL],
  ] as const)('%s is refused', (_title, [iova, vaddr, size, options], errno) => {
    const container = registered();
    expect(container.map(iova, vaddr, size, options)).toBe(errno);
    expect(container.file.iommu!.snapshot().mappings).toEqual([]);
  });

  test('[iommu:208] over an entry replaces it', () => {
    const power = new Power();
    const device = power.device();
    const container = power.ready(V2, device);
    register(container, ARENA, 0x100000);
    power.host.arena[0x5000] = 7;
    container.map(0, ARENA, 0x2000);
    expect(container.map(0, ARENA + 0x5000, 0x1000)).toBe(0);
    const seen = new Uint8Array(1);
    device.iommuGroup!.dma.read(0, seen);
    expect(seen[0]).toBe(7);
  });

  test('[iommu:209] nothing does nothing', () => {
    const container = registered();
    expect(container.map(0, ARENA, 0)).toBe(0);
    expect(container.file.iommu!.snapshot().mappings).toEqual([]);
  });

  test('[iommu:210 iommu:211] is undone page by page, mapped or not, without saying how much', () => {
    const container = registered();
    container.map(0, ARENA, 0x4000);
    expect(unmapped(container, 0, 0x2000)).toBe(0x2000n);
    expect(unmapped(container, 0x100000, 0x4000)).toBe(0x4000n);
    expect(container.file.iommu!.snapshot().mappings.map(({ iova }) => iova)).toEqual([
      0x2000n,
      0x3000n,
    ]);
  });

  test('[iommu:212] is not undone all at once', () => {
    expect(registered().unmap(0, 0, { flags: 2 })).toBe(EINVAL);
  });

  test('[iommu:213] wants something registered first', () => {
    expect(new Power().ready(V2).map(0, ARENA, 0x1000)).toBe(EPERM);
  });

  test('at an address within a page answers 1, unless the quirk is off', () => {
    const answers = [true, false].map((tceParameterCheckIsTrue) => {
      const container = registered(new Power({ ...KERNEL_QUIRKS, tceParameterCheckIsTrue }));
      return [
        container.map(1, ARENA, 0x1000),
        container.ioctl(0x3b72, le(24, [0, 4, 24], [8, 8, 1], [16, 8, 0x1000])),
      ];
    });
    expect(answers).toEqual([
      [1, 1],
      [EINVAL, EINVAL],
    ]);
  });

  test('fails as a whole: what it has set is clear again', () => {
    const container = registered();
    container.map(0, ARENA, 0x1000);
    expect(container.map(0, ARENA + 0xff000, 0x2000)).toBe(EINVAL);
    expect(container.file.iommu!.snapshot().mappings).toEqual([]);
  });

  test('large pages wants large pages behind them', () => {
    const power = new Power();
    const container = power.ready(V2);
    const { memory } = power.host.process;
    memory.map({ address: HOLE, size: 0x2000000, writable: true, hugePageSize: 0x1000000 });
    register(container, ARENA, 0x1000000);
    register(container, HOLE, 0x2000000);
    const start = create(container, 24, 2 ** 30);
    expect(container.map(start, ARENA, 0x1000000)).toBe(EINVAL);
    expect(container.map(start, HOLE, 0x1000000)).toBe(0);
  });
});

describe('registered memory', () => {
  test.each([
    ['[iommu:214] within a page', ARENA + 0x800, 0x1000, EINVAL],
    ['[iommu:214] of parts of a page', ARENA, 0x1800, EINVAL],
    ['[iommu:214] a second time', ARENA, 0x100000, EBUSY],
    ['[iommu:214] that overlaps other', ARENA + 0x80000, 0x100000, EINVAL],
    ['of nothing', ARENA, 0, ENOMEM],
    ['that is not there', HOLE, 0x1000, EFAULT],
  ])('%s is refused', (_title, address, size, errno) => {
    const container = registered();
    expect(register(container, address, size)).toBe(errno);
    expect(container.process.lockedBytes).toBe(0x100000 + 0);
  });

  test('[iommu:214] is shared by the containers of a process, and counted once', () => {
    const power = new Power();
    const [one, two] = [power.ready(V2), power.ready(V2)];
    expect([register(one, ARENA, 0x100000), register(two, ARENA, 0x100000)]).toEqual([0, 0]);
    expect(power.host.process.lockedBytes).toBe(0x100000);
    register(one, ARENA, 0x100000, UNREGISTER);
    expect(two.map(0, ARENA, 0x1000)).toBe(0);
  });

  test('[iommu:215] goes as it came, and only when it is not mapped', () => {
    const container = registered(new Power({ ...KERNEL_QUIRKS, unregisterWhileMapped: false }));
    expect(register(container, ARENA, 0x1000, UNREGISTER)).toBe(ENOENT);
    container.map(0, ARENA, 0x1000);
    expect(register(container, ARENA, 0x100000, UNREGISTER)).toBe(EBUSY);
    unmapped(container, 0, 0x1000);
    expect(register(container, ARENA, 0x100000, UNREGISTER)).toBe(0);
    expect(register(container, ARENA, 0x100000, UNREGISTER)).toBe(ENOENT);
  });

  test('of the kernel goes while it is mapped, but stays pinned', () => {
    const container = registered();
    container.map(0, ARENA, 0x1000);
    const locked = container.process.lockedBytes;
    expect(register(container, ARENA, 0x100000, UNREGISTER)).toBe(0);
    expect(container.process.lockedBytes).toBe(locked);
    expect(register(container, ARENA, 0x100000, UNREGISTER)).toBe(ENOENT);
  });

  test('is nobody’s before somebody has registered', () => {
    expect(register(new Power().ready(V2), ARENA, 0x1000, UNREGISTER)).toBe(EPERM);
  });

  test('has a limit', () => {
    const power = new Power();
    const container = power.ready(V2);
    Object.assign(power.host.process.credentials, { ipcLock: false, memlock: 0x1000 });
    expect([register(container, ARENA, 0x2000), register(container, ARENA, 0x1000)]).toEqual([
      ENOMEM,
      0,
    ]);
  });
});

describe('windows', () => {
  test('[iommu:216] are two, of pages that the platform has', () => {
    const container = new Power().ready(V2);
    expect(create(container, 13, 2 ** 28)).toBe(EINVAL);
    expect(create(container, 16, 2 ** 28)).toBe(HIGH);
    expect(create(container, 16, 2 ** 28)).toBe(ENOSPC);
  });

  test('[iommu:217] come behind the default one, which appears first', () => {
    const container = new Power().ready(V2);
    expect(create(container, 16, 2 ** 28)).toBe(HIGH);
    expect(container.file.iommu!.snapshot().ranges).toEqual([
      { start: 0n, last: 0x7fff_ffffn },
      { start: BigInt(HIGH), last: BigInt(HIGH) + 0xfff_ffffn },
    ]);
  });

  test('[iommu:218] take the place of the default one if that is given up before', () => {
    const container = new Power().ready(V2);
    expect(remove(container, 0)).toBe(0);
    expect(create(container, 12, 2 ** 30)).toBe(0);
  });

  test('[iommu:219] are removed by an address inside, unless the quirk is off', () => {
    const removed = [true, false].map((windowByContainment) => {
      const container = new Power({ ...KERNEL_QUIRKS, windowByContainment }).ready(V2);
      create(container, 16, 2 ** 28);
      return [remove(container, 0x1_0000_0000), remove(container, HIGH + 0x1000)];
    });
    expect(removed).toEqual([
      [EINVAL, 0],
      [EINVAL, EINVAL],
    ]);
  });

  test.each([
    ['of no size', 12, 0, 1],
    ['of a size that is no power of two', 12, 0x10001000, 1],
    ['smaller than a page of it', 16, 0x1000, 1],
    ['without levels', 12, 2 ** 28, 0],
    ['of more levels than there are', 12, 2 ** 28, 6],
  ])('%s are refused', (_title, shift, size, levels) => {
    expect(create(new Power().ready(V2), shift, size, levels)).toBe(EINVAL);
  });

  test('count as locked memory themselves', () => {
    const power = new Power();
    const container = power.ready(V2);
    remove(container, 0);
    Object.assign(power.host.process.credentials, { ipcLock: false, memlock: 0x1000 });
    expect(create(container, 12, 2 ** 24)).toBe(ENOMEM);
    power.host.process.credentials.memlock = 0x8000;
    expect(create(container, 12, 2 ** 24)).toBe(0);
    expect(power.host.process.lockedBytes).toBe(0x8000);
    remove(container, 0);
    expect(power.host.process.lockedBytes).toBe(0);
  });

  test('of an LPAR do not come back at the low address', () => {
    const power = new Power();
    const container = power.ready(V2, power.device(PSERIES));
    register(container, ARENA, 0x10000);
    container.map(0, ARENA, 0x1000);
    remove(container, 0);
    expect(create(container, 12, 2 ** 26)).toBe(EPERM);
  });

  test('give everything back when the last group leaves', () => {
    const power = new Power();
    const device = power.device();
    const container = power.ready(V2, device);
    register(container, ARENA, 0x100000);
    container.map(0, ARENA, 0x4000);
    container.group(device).group.unsetContainer();
    expect(power.host.process.lockedBytes).toBe(0);
  });
});

describe('error handling of partitionable endpoints', () => {
  const eeh = (container: OpenContainer, op: number, argsz = 40) =>
    container.ioctl(EEH, le(40, [0, 4, argsz], [8, 4, op]));

  test('[iommu:220] tells the state, and refuses what it does not know', () => {
    const container = new Power().ready(V2);
    expect(eeh(container, 4)).toBe(0);
    expect(eeh(container, 77)).toBe(EINVAL);
    expect(eeh(container, 9, 12)).toBe(EINVAL);
    expect(eeh(container, 4, 11)).toBe(EINVAL);
    expect(container.checkExtension(5)).toBe(1);
  });

  test('walks from an error back to normal', () => {
    const power = new Power();
    const device = power.device();
    const container = power.ready(V2, device);
    register(container, ARENA, 0x10000);
    container.map(0, ARENA, 0x1000);
    const reaches = () => device.iommuGroup!.dma.translate(0, DMA_READ) !== undefined;
    const seen = [9, 2, 3, 6, 5].map((op) => [eeh(container, op), eeh(container, 4), reaches()]);
    expect(seen).toEqual([
      [0, 2, false],
      [0, 4, false],
      [0, 0, true],
      [0, 1, false],
      [0, 0, true],
    ]);
  });

  test('is not there on an LPAR, before the argument is looked at', () => {
    const power = new Power();
    const container = power.ready(V2, power.device(PSERIES));
    expect(container.ioctl(EEH, undefined)).toBe(ENODEV);
    expect(container.checkExtension(5)).toBe(0);
  });

  test('goes from group to group up to the first answer', () => {
    const power = new Power();
    const container = power.ready(V2, power.device(), power.device());
    eeh(container, 6);
    expect(eeh(container, 4)).toBe(1);
  });
});
