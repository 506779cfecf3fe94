// What no kind of IOMMU may be led astray by: for each the errno of the reference, and nothing has changed.
import { POWERNV } from '@vfiokit/iommu';
import { describe, expect, test } from 'vitest';
import { Compat } from '../support/compat.js';
import {
  EBADF,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOENT,
  ENOMEM,
  ENOSPC,
  ENOTTY,
  ENXIO,
  EOPNOTSUPP,
  EOVERFLOW,
} from '../support/errno.js';
import {
  ARENA,
  getDeviceFd,
  HOLE,
  le,
  type OpenContainer,
  StubDevice,
  setContainer,
  TestHost,
  unsetContainer,
} from '../support/host.js';
import { OpenIommufd } from '../support/iommufd.js';

const PAGE = 0x1000;
const MSI = 0xfee0_0000;
const TOP = 0xffff_ffff_ffff_f000n;
/** Where something is mapped already: four pages, to the start of the arena. */
const MAPPED = 0x10000;

type Address = number | bigint;

/** A kind of IOMMU with a device behind it and four pages mapped. */
interface Subject {
  readonly host: TestHost;
  map(iova: Address, vaddr: Address, size: Address, flags?: number): number;
  /** 0, or what it answers instead. */
  unmap(iova: Address, size: Address): number;
  /** All that could have changed. */
  state(): unknown;
}

const RESERVED = [{ start: BigInt(MSI), end: BigInt(MSI) + 0xfffffn, type: 'msi' }] as const;
const CAPS = { tce: POWERNV, aperture: { start: 0, end: 2 ** 48 } };

function ready<T extends Subject>(subject: T): T {
  Object.assign(subject.host.process.credentials, { ipcLock: false, memlock: 2 ** 40 });
  expect(subject.map(MAPPED, ARENA, 4 * PAGE)).toBe(0);
  return subject;
}

const ofContainer = (host: TestHost, container: OpenContainer): Subject => ({
  host,
  map: (iova, vaddr, size, flags = 3) => container.map(iova, vaddr, size, { flags }),
  unmap: (iova, size) => {
    const result = container.unmap(iova, size);
    return typeof result === 'number' ? result : 0;
  },
  state: () => [container.file.iommu?.snapshot(), host.process.lockedBytes],
});

function type1(type: number) {
  const host = new TestHost();
  const device = host.device({ caps: CAPS, reserved: RESERVED });
  const container = host.ready(type, device);
  return { ...ready(ofContainer(host, container)), container, device };
}

function spapr(type: number) {
  const host = new TestHost({ backends: ['spapr-tce'] });
  const device = host.device({ caps: CAPS, reserved: RESERVED });
  const container = host.ready(type, device);
  if (type === 2) container.ioctl(0x3b73);
  else container.ioctl(0x3b75, le(24, [0, 4, 24], [8, 8, ARENA], [16, 8, 0x100000]));
  return { ...ready(ofContainer(host, container)), container, device };
}

function compat(type: number) {
  const made = new Compat(type, undefined, RESERVED);
  const { host, iommufd } = made;
  return {
    made,
    ...ready({
      host,
      map: (iova, vaddr, size, flags) => made.map(iova, vaddr, size, flags),
      unmap: (iova, size) => made.unmap(iova, size)[0],
      state: () => [iommufd.file.snapshots(), host.process.lockedBytes],
    }),
  };
}

function iommufd() {
  const host = new TestHost();
  const open = new OpenIommufd(host);
  open.option(0, 1);
  const ioas = open.ioasAlloc();
  const bound = open.bind(host.device({ caps: CAPS, reserved: RESERVED }));
  bound.attach(ioas);
  return {
    open,
    ioas,
    bound,
    ...ready({
      host,
      map: (iova, vaddr, size, flags = 3) => {
        // Bit 0 asks for a fixed address; permissions are bits 1 and 2.
        const wanted = 1 | ((flags & 3) << 1) | (flags & ~3 ? flags << 4 : 0);
        const at = open.map(ioas, vaddr as number, size as number, { iova, flags: wanted });
        return typeof at === 'bigint' ? 0 : at;
      },
      unmap: (iova, size) => {
        const result = open.unmap(ioas, iova, size);
        return typeof result === 'bigint' ? 0 : result;
      },
      state: () => [open.file.snapshots(), host.process.lockedBytes],
    }),
  };
}

function noiommu() {
  const host = new TestHost({
    backends: ['noiommu'],
    parameters: { enableUnsafeNoiommuMode: true },
  });
  const device = new StubDevice('0000:00:03.0', undefined);
  host.groups.register(device);
  const container = host.container();
  container.add(device);
  container.setIommu(8);
  return { ...ofContainer(host, container), container, device };
}

const KINDS: readonly (readonly [name: string, make: () => Subject])[] = [
  ['type1 v1', () => type1(1)],
  ['type1 v2', () => type1(3)],
  ['spapr-tce v1', () => spapr(2)],
  ['spapr-tce v2', () => spapr(7)],
  ['iommufd as type1 v1', () => compat(1)],
  ['iommufd as type1 v2', () => compat(3)],
  ['iommufd', iommufd],
  ['noiommu', noiommu],
];

/** MAP with something wrong, and what each kind answers, in their order; `null` where it is not wrong. */
const MAPS: readonly (readonly [
  string,
  (map: Subject['map']) => number,
  readonly (number | null)[],
])[] = [
  [
    'a range that overlaps one that is mapped',
    (map) => map(MAPPED + 2 * PAGE, ARENA, 4 * PAGE),
    // Entries of a table are replaced.
    [EEXIST, EEXIST, null, null, EEXIST, EEXIST, EEXIST, ENOTTY],
  ],
  [
    'addresses that wrap around at 2^64',
    (map) => map(TOP, ARENA, 2 * PAGE),
    [EOVERFLOW, EOVERFLOW, ENXIO, ENXIO, EOVERFLOW, EOVERFLOW, EOVERFLOW, ENOTTY],
  ],
  [
    'memory that wraps around at 2^64',
    (map) => map(0, TOP, 2 * PAGE),
    [EOVERFLOW, EOVERFLOW, EFAULT, EINVAL, EOVERFLOW, EOVERFLOW, EOVERFLOW, ENOTTY],
  ],
  [
    'no bytes',
    (map) => map(0, ARENA, 0),
    // A loop over no pages succeeds.
    [EINVAL, EINVAL, 0, 0, EINVAL, EINVAL, EINVAL, ENOTTY],
  ],
  [
    'half a page',
    (map) => map(0, ARENA, PAGE / 2),
    [EINVAL, EINVAL, EINVAL, EINVAL, EINVAL, EINVAL, EINVAL, ENOTTY],
  ],
  [
    'an address within a page',
    (map) => map(PAGE / 2, ARENA, PAGE),
    // The oddity D2.
    [EINVAL, EINVAL, 1, 1, EINVAL, EINVAL, EINVAL, ENOTTY],
  ],
  [
    'memory within a page',
    (map) => map(0, ARENA + PAGE / 2, PAGE),
    [EINVAL, EINVAL, EINVAL, EINVAL, EINVAL, EINVAL, EINVAL, ENOTTY],
  ],
  [
    'a flag that there is not',
    (map) => map(0, ARENA, PAGE, 0x13),
    [EINVAL, EINVAL, EINVAL, EINVAL, EINVAL, EINVAL, EOPNOTSUPP, ENOTTY],
  ],
  [
    'memory that the process does not have',
    (map) => map(0, HOLE + 0x1000000, PAGE),
    // What is not registered is not looked for.
    [EFAULT, EFAULT, EFAULT, EINVAL, EFAULT, EFAULT, EFAULT, ENOTTY],
  ],
  [
    'a reserved window',
    (map) => map(MSI - PAGE, ARENA, 2 * PAGE),
    [EINVAL, EINVAL, ENXIO, ENXIO, EINVAL, EINVAL, EINVAL, ENOTTY],
  ],
  [
    'addresses that the IOMMU does not reach',
    (map) => map(2 ** 48, ARENA, PAGE),
    [EINVAL, EINVAL, ENXIO, ENXIO, EINVAL, EINVAL, EINVAL, ENOTTY],
  ],
];

const UNMAPS: readonly (readonly [
  string,
  (unmap: Subject['unmap']) => number,
  readonly number[],
])[] = [
  [
    'addresses that wrap around at 2^64',
    (unmap) => unmap(TOP, 2 * PAGE),
    [EOVERFLOW, EOVERFLOW, ENXIO, ENXIO, EOVERFLOW, EOVERFLOW, EOVERFLOW, ENOTTY],
  ],
  ['no bytes', (unmap) => unmap(MAPPED, 0), [EINVAL, EINVAL, 0, 0, EINVAL, EINVAL, EINVAL, ENOTTY]],
  [
    'half a page',
    (unmap) => unmap(MAPPED, PAGE / 2),
    [EINVAL, EINVAL, EINVAL, EINVAL, EINVAL, ENOENT, ENOENT, ENOTTY],
  ],
  [
    'an address within a page',
    (unmap) => unmap(MAPPED + PAGE / 2, PAGE),
    [EINVAL, EINVAL, 1, 1, EINVAL, ENOENT, ENOENT, ENOTTY],
  ],
  [
    'where nothing is mapped',
    (unmap) => unmap(0x40000000, PAGE),
    [0, 0, 0, 0, 0, 0, ENOENT, ENOTTY],
  ],
];

describe.each(KINDS.map(([name, make], column) => [name, make, column] as const))(
  '%s',
  (_name, make, column) => {
    test.each(MAPS)('refuses to map %s', (_what, call, answers) => {
      const subject = make();
      const before = subject.state();
      const wanted = answers[column]!;
      expect(call(subject.map)).toBe(wanted ?? 0);
      if (wanted !== null) expect(subject.state()).toEqual(before);
    });

    test.each(UNMAPS)('refuses to unmap %s', (_what, call, answers) => {
      const subject = make();
      const before = subject.state();
      expect(call(subject.unmap)).toBe(answers[column]!);
      expect(subject.state()).toEqual(before);
    });
  },
);

describe('pages that are smaller than the IOMMU’s', () => {
  const caps = { pageSizes: 0x10000n };

  test.each([1, 3])('cannot be mapped on type1 (%i)', (type) => {
    const host = new TestHost();
    const container = host.ready(type, host.device({ caps }));
    expect(container.map(0, ARENA, PAGE)).toBe(EINVAL);
    expect(container.map(PAGE, ARENA, 0x10000)).toBe(EINVAL);
    expect(container.map(0, ARENA, 0x10000)).toBe(0);
    expect(container.unmap(0, PAGE)).toBe(EINVAL);
  });

  test.each([2, 7])('cannot be mapped in a window of sPAPR (%i)', (type) => {
    const host = new TestHost({ backends: ['spapr-tce'] });
    const tce = { ...POWERNV, dma32: { ...POWERNV.dma32, pageShift: 16 } };
    const container = host.ready(type, host.device({ caps: { tce } }));
    container.ioctl(
      ...((type === 2
        ? [0x3b73]
        : [0x3b75, le(24, [0, 4, 24], [8, 8, ARENA], [16, 8, 0x10000])]) as [number]),
    );
    expect(container.map(0, ARENA, PAGE)).toBe(EINVAL);
    expect(container.map(0, ARENA + PAGE, 0x10000)).toBe(EINVAL);
    expect(container.file.iommu!.snapshot().mappings).toEqual([]);
  });

  test('keep a device from every address space of iommufd', () => {
    const host = new TestHost();
    const open = new OpenIommufd(host);
    const ioas = open.ioasAlloc();
    const bound = open.bind(host.device({ caps }));
    expect(bound.attach(ioas)).toBe(EINVAL);
    expect(open.iovaRanges(ioas, 1).alignment).toBe(1n);
    expect(open.destroy(ioas)).toBe(0);
  });
});

describe('limits that are exhausted', () => {
  test.each([
    ['type1 v1', () => type1(1)],
    ['type1 v2', () => type1(3)],
    ['iommufd as type1 v1', () => compat(1)],
    ['iommufd as type1 v2', () => compat(3)],
    ['iommufd', iommufd],
  ])('of locked memory: %s maps no page more', (_name, make) => {
    const subject: Subject = make();
    subject.host.process.credentials.memlock = 4 * PAGE;
    const before = subject.state();
    expect(subject.map(0, ARENA, PAGE)).toBe(ENOMEM);
    expect(subject.state()).toEqual(before);
    subject.host.process.credentials.memlock = 5 * PAGE;
    expect(subject.map(0, ARENA, PAGE)).toBe(0);
  });

  test('of locked memory: sPAPR v1 counts its window when it is enabled', () => {
    const host = new TestHost({ backends: ['spapr-tce'] });
    const container = host.ready(2, host.device({ caps: CAPS }));
    Object.assign(host.process.credentials, { ipcLock: false, memlock: 2 ** 31 - PAGE });
    expect(container.ioctl(0x3b73)).toBe(ENOMEM);
    expect([host.process.lockedBytes, container.map(0, ARENA, PAGE)]).toEqual([0, -1]);
  });

  test('of locked memory: sPAPR v2 counts memory when it is registered', () => {
    const { host, container, state } = spapr(7);
    const before = state();
    host.process.credentials.memlock = host.process.lockedBytes;
    const more = le(24, [0, 4, 24], [8, 8, ARENA + 0x200000], [16, 8, PAGE]);
    expect(container.ioctl(0x3b75, more)).toBe(ENOMEM);
    expect(state()).toEqual(before);
  });

  test.each([1, 3])('of mappings: type1 (%i) makes none more', (type) => {
    const host = new TestHost({ parameters: { dmaEntryLimit: 1 } });
    const subject = ready(ofContainer(host, host.ready(type, host.device())));
    const before = subject.state();
    expect(subject.map(0, ARENA, PAGE)).toBe(ENOSPC);
    expect(subject.state()).toEqual(before);
    expect([subject.unmap(MAPPED, 4 * PAGE), subject.map(0, ARENA, PAGE)]).toEqual([0, 0]);
  });
});

describe('leaving with mappings', () => {
  const CONTAINERS = [
    ['type1 v1', () => type1(1)],
    ['type1 v2', () => type1(3)],
    ['spapr-tce v1', () => spapr(2)],
    ['spapr-tce v2', () => spapr(7)],
  ] as const;

  test.each(CONTAINERS)(
    '%s: with the last group they go, and the container is as new',
    (_n, make) => {
      const { host, container, device } = make();
      expect(unsetContainer(container.group(device), host.process)).toBe(0);
      expect([host.process.lockedBytes, container.file.iommu]).toEqual([0, undefined]);
      expect(device.iommuGroup!.domain.name).toBe('identity');
      expect(container.map(0, ARENA, PAGE)).toBe(EINVAL);
    },
  );

  test.each(CONTAINERS)('%s: not while a device is open', (_name, make) => {
    const { host, container, device, state } = make();
    getDeviceFd(container.group(device), device.name, host.process);
    const before = state();
    expect(unsetContainer(container.group(device), host.process)).toBe(EBUSY);
    expect(state()).toEqual(before);
  });

  test('iommufd: an address space is busy while devices are attached, and keeps its mappings without', () => {
    const { open, ioas, bound, state, host } = iommufd();
    const before = state();
    expect(open.destroy(ioas)).toBe(EBUSY);
    expect(state()).toEqual(before);
    expect(bound.detach()).toBe(0);
    expect(open.file.snapshots()[0]!.dma.mappings).toHaveLength(1);
    expect(host.process.lockedBytes).toBe(0);
    expect([open.destroy(ioas), open.file.snapshots()]).toEqual([0, []]);
  });
});

describe('after close', () => {
  test.each([
    ['type1 v1', () => type1(1)],
    ['type1 v2', () => type1(3)],
    ['spapr-tce v1', () => spapr(2)],
    ['spapr-tce v2', () => spapr(7)],
    ['noiommu', noiommu],
  ])('%s: its descriptor is none, and closing it again changes nothing', (_name, make) => {
    const { host, container, device } = make();
    const { fds } = host.process;
    expect([fds.close(container.fd), fds.close(container.fd)]).toEqual([0, EBADF]);
    container.file.close();
    expect(setContainer(container.group(device), container.fd, host.process)).toBe(EBADF);
    // The group keeps the container; with it the rest goes.
    expect(fds.close(container.groupFds.get(device)!)).toBe(0);
    expect([host.process.lockedBytes, container.file.groups]).toEqual([0, []]);
    expect(container.map(0, ARENA, PAGE)).toBe(EINVAL);
  });

  test('iommufd: its descriptor is none, and what it had is gone with its last device', () => {
    const { host, open, ioas, bound } = iommufd();
    const { fds } = host.process;
    expect([fds.close(open.fd), fds.close(open.fd)]).toEqual([0, EBADF]);
    bound.close();
    bound.close();
    expect([host.process.lockedBytes, open.map(ioas, ARENA, PAGE, { iova: 0 })]).toEqual([
      0,
      ENOENT,
    ]);
  });
});

describe('without anything to map in', () => {
  test.each([['type1'], ['spapr-tce'], ['noiommu']] as const)(
    'a container that was given no IOMMU refuses every call of one: %s',
    (backend) => {
      const host = new TestHost({ backends: [backend] });
      const container = host.container();
      container.add(host.device({ caps: CAPS }));
      for (let command = 0x3b70; command < 0x3b80; command += 1)
        expect(container.ioctl(command, new Uint8Array(64))).toBe(EINVAL);
      expect(container.map(0, ARENA, PAGE)).toBe(EINVAL);
    },
  );

  test('an iommufd without an address space has none to map in', () => {
    const host = new TestHost();
    const open = new OpenIommufd(host);
    expect(open.map(1, ARENA, PAGE)).toBe(ENOENT);
    const map = le(32, [0, 4, 32], [4, 4, 3], [8, 8, ARENA], [24, 8, PAGE]);
    expect(open.file.ioctl(0x3b71, map, host.process)).toBe(ENODEV);
  });
});
