import { EventFd } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import type { MigrationOps } from '../../src/extension.js';
import { MIGRATION } from '../../src/tokens.js';
import type { VfioPciDriver } from '../../src/vfio-pci-driver.js';
import { BAD_POINTER, openAdapter, SRIOV, words } from './fixture.js';

const EBADF = 9;
const EFAULT = 14;
const EINVAL = 22;
const ENODEV = 19;
const ENOTTY = 25;
const EOPNOTSUPP = 95;

const FEATURE = 0x3b75;
const GET = 0x10000;
const SET = 0x20000;
const PROBE = 0x40000;

const VF_TOKEN = 0;
const MIGRATION_FLAGS = 1;
const MIG_DEVICE_STATE = 2;
const LOW_POWER_ENTRY = 3;
const LOW_POWER_ENTRY_WITH_WAKEUP = 4;
const LOW_POWER_EXIT = 5;
const MIG_DATA_SIZE = 9;
const BUS_MASTER = 10;
const DMA_BUF = 11;
const PRECOPY_INFO_V2 = 12;

describe('VFIO_DEVICE_FEATURE', () => {
  it('[core:C2.53] has a header of eight bytes', () => {
    using adapter = openAdapter();
    expect(adapter.ioctl(FEATURE, 7, SET | LOW_POWER_EXIT)[0]).toBe(-EINVAL);
    expect(adapter.ioctl(FEATURE, 8, SET | LOW_POWER_EXIT)[0]).toBe(0);
    expect(adapter.ioctl(FEATURE, 8)[0]).toBe(-EFAULT);
    expect(adapter.device.ioctl(FEATURE, BAD_POINTER, adapter.process)).toBe(-EFAULT);
  });

  it.each([19, 20, 31])('[core:C2.53] knows no flag in bit %i', (bit) => {
    using adapter = openAdapter();
    expect(adapter.ioctl(FEATURE, 8, (SET | LOW_POWER_EXIT | (1 << bit)) >>> 0)[0]).toBe(-EINVAL);
  });

  it('[core:C2.53] gets or sets, but may probe for both', () => {
    using adapter = openAdapter({ driver: migrating({ p2p: false, preCopy: false }) });
    const both = GET | SET | MIG_DEVICE_STATE;
    const RUNNING = 2;
    expect(adapter.ioctl(FEATURE, 16, both, RUNNING, 0)[0]).toBe(-EINVAL);
    expect(adapter.ioctl(FEATURE, 8, PROBE | both)[0]).toBe(0);
  });

  it.each([13, 14, 0xffff])('[core:C2.54] %i is no feature', (feature) => {
    using adapter = openAdapter();
    for (const flags of [GET, SET, PROBE, PROBE | GET, PROBE | SET, 0])
      expect(adapter.ioctl(FEATURE, 24, flags | feature, 0, 0, 0, 0)[0]).toBe(-ENOTTY);
  });

  it('[core:C2.55] can be probed for what it does', () => {
    using adapter = openAdapter();
    expect(adapter.ioctl(FEATURE, 8, PROBE | SET | LOW_POWER_ENTRY)[0]).toBe(0);
    expect(adapter.ioctl(FEATURE, 8, PROBE | LOW_POWER_ENTRY)[0]).toBe(0);
    expect(adapter.ioctl(FEATURE, 8, PROBE | GET | LOW_POWER_ENTRY)[0]).toBe(-EINVAL);
    expect(adapter.ioctl(FEATURE, 8, PROBE | GET | SET | LOW_POWER_ENTRY)[0]).toBe(-EINVAL);
  });

  it('does nothing when it is probed for', () => {
    using adapter = openAdapter();
    adapter.ioctl(FEATURE, 8, PROBE | SET | LOW_POWER_ENTRY);
    expect(adapter.pdev.runtimePm.suspended).toBe(false);
  });

  it('[core:C2.56] wants to be told what to do', () => {
    using adapter = openAdapter();
    expect(adapter.ioctl(FEATURE, 8, LOW_POWER_ENTRY)[0]).toBe(-EINVAL);
    expect(adapter.ioctl(FEATURE, 8, GET | LOW_POWER_ENTRY)[0]).toBe(-EINVAL);
  });

  it('are as many as the kernel knows', () => {
    using adapter = openAdapter({ kernel: { newestFeature: 5 } });
    expect(adapter.ioctl(FEATURE, 8, PROBE | SET | LOW_POWER_EXIT)[0]).toBe(0);
    expect(adapter.ioctl(FEATURE, 8, PROBE | PRECOPY_INFO_V2)[0]).toBe(-ENOTTY);
  });

  it('[core:C2.59] leaves bus mastering to the command register', () => {
    using adapter = openAdapter();
    for (const flags of [SET, PROBE, PROBE | SET])
      expect(adapter.ioctl(FEATURE, 12, flags | BUS_MASTER, 1)[0]).toBe(-ENOTTY);
  });
});

describe('the feature PCI_VF_TOKEN', () => {
  const uuid = [0x33221100, 0x77665544, 0xbbaa9988, 0xffeeddcc] as const;

  it('[core:C2.57] is one of PFs', () => {
    using adapter = openAdapter();
    for (const flags of [SET, GET, PROBE, PROBE | SET])
      expect(adapter.ioctl(FEATURE, 24, flags | VF_TOKEN, ...uuid)[0]).toBe(-ENOTTY);
  });

  it('[core:C2.58] is set, to 16 bytes', () => {
    using adapter = openAdapter({ config: SRIOV });
    expect(adapter.ioctl(FEATURE, 24, GET | VF_TOKEN, ...uuid)[0]).toBe(-EINVAL);
    expect(adapter.ioctl(FEATURE, 23, SET | VF_TOKEN, ...uuid)[0]).toBe(-EINVAL);
    expect(adapter.ioctl(FEATURE, 24, SET | VF_TOKEN, ...uuid.slice(1))[0]).toBe(-EFAULT);
    expect(adapter.ioctl(FEATURE, 8, PROBE | SET | VF_TOKEN)[0]).toBe(0);
    expect(adapter.ioctl(FEATURE, 24, SET | VF_TOKEN, ...uuid)[0]).toBe(0);
    expect([...adapter.core.vfToken!.uuid]).toEqual(
      [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77].concat([
        0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
      ]),
    );
  });
});

describe('the feature LOW_POWER_ENTRY_WITH_WAKEUP', () => {
  it('[core:C2.61] wants an eventfd', () => {
    using adapter = openAdapter();
    const enter = (fd: number, argsz = 16) =>
      adapter.ioctl(FEATURE, argsz, SET | LOW_POWER_ENTRY_WITH_WAKEUP, fd, 0)[0];
    const { fds } = adapter.process;
    expect(enter(-1)).toBe(-EINVAL);
    expect(enter(-2)).toBe(-EINVAL);
    expect(enter(99)).toBe(-EBADF);
    expect(enter(fds.install(adapter.group))).toBe(-EINVAL);
    expect(enter(fds.install(new EventFd()), 15)).toBe(-EINVAL);
    expect(adapter.pdev.runtimePm.suspended).toBe(false);
    expect(enter(fds.install(new EventFd()))).toBe(0);
    expect(adapter.pdev.runtimePm.suspended).toBe(true);
  });
});

function migrating(support: MigrationOps['support']): VfioPciDriver {
  const ops: MigrationOps = { support, arc: () => ({}), dataSize: () => 0x1_0000_0002n };
  return {
    name: 'moving-vfio-pci',
    ids: [{ vendor: 0x8086 }],
    probe: (_pdev, container) => container.register(MIGRATION, { useValue: ops }),
  };
}

describe('the features of migration', () => {
  it('[core:C2.60] are there for drivers that can migrate', () => {
    using adapter = openAdapter();
    for (const feature of [MIGRATION_FLAGS, MIG_DEVICE_STATE, MIG_DATA_SIZE])
      for (const flags of [GET, SET, PROBE, PROBE | GET])
        expect(adapter.ioctl(FEATURE, 16, flags | feature, 2, 0)[0]).toBe(-ENOTTY);
  });

  it('[core:C2.60] MIG_PRECOPY_INFOv2 is EINVAL without PRE_COPY (quirk W26)', () => {
    const set = SET | PRECOPY_INFO_V2;
    using plain = openAdapter();
    expect(plain.ioctl(FEATURE, 8, set)[0]).toBe(-EINVAL);
    using stopCopy = openAdapter({ driver: migrating({ p2p: true, preCopy: false }) });
    expect(stopCopy.ioctl(FEATURE, 8, set)[0]).toBe(-EINVAL);
    expect(stopCopy.ioctl(FEATURE, 8, PROBE | set)[0]).toBe(-EINVAL);
    using preCopy = openAdapter({ driver: migrating({ p2p: false, preCopy: true }) });
    expect(preCopy.ioctl(FEATURE, 8, set)[0]).toBe(0);
    using mended = openAdapter({ quirks: { precopyInfoNotTty: true } });
    expect(mended.ioctl(FEATURE, 8, set)[0]).toBe(-ENOTTY);
  });

  it.each([
    [{ p2p: false, preCopy: false }, 1],
    [{ p2p: true, preCopy: false }, 3],
    [{ p2p: false, preCopy: true }, 5],
    [{ p2p: true, preCopy: true }, 7],
  ])('MIGRATION of %o is %i', (support, flags) => {
    using adapter = openAdapter({ driver: migrating(support) });
    const get = GET | MIGRATION_FLAGS;
    expect(adapter.ioctl(FEATURE, 16, get, 9, 9)).toEqual([0, 16, get, flags, 0]);
  });

  it('MIG_DATA_SIZE is a 64-bit number', () => {
    using adapter = openAdapter({ driver: migrating({ p2p: false, preCopy: false }) });
    const get = GET | MIG_DATA_SIZE;
    expect(adapter.ioctl(FEATURE, 16, get, 9, 9)).toEqual([0, 16, get, 2, 1]);
    expect(adapter.ioctl(FEATURE, 15, get, 9, 9)[0]).toBe(-EINVAL);
  });
});

describe('the feature DMA_BUF', () => {
  const lend = (...data: number[]) =>
    [FEATURE, 8 + 4 * data.length, GET | DMA_BUF, ...data] as const;
  /** region, open flags, flags, count, then offset and length as two words each. */
  const range = (offset: number, length: number) => [offset, 0, length, 0] as const;
  const lender = () =>
    openAdapter({
      description: {
        bars: [
          { kind: 'memory', size: 0x10000 },
          { kind: 'io', size: 0x1000 },
        ],
      },
    });

  it('is the descriptor of a buffer', () => {
    using adapter = lender();
    const [fd] = adapter.ioctl(...lend(0, 0, 0, 2, ...range(0, 0x1000), ...range(0x8000, 0x2000)));
    expect(adapter.process.fds.get(fd)).toMatchObject({
      kind: 'dma-buf',
      ranges: [
        { iova: adapter.pdev.resources[0]!.start, length: 0x1000n },
        { iova: adapter.pdev.resources[0]!.start + 0x8000n, length: 0x2000n },
      ],
    });
  });

  it('[core:C2.64] lends at least one range, without flags', () => {
    using adapter = lender();
    expect(adapter.ioctl(...lend(0, 0, 0, 0))[0]).toBe(-EINVAL);
    expect(adapter.ioctl(...lend(0, 0, 1, 1, ...range(0, 0x1000)))[0]).toBe(-EINVAL);
  });

  it('[core:C2.64] lends BARs, that are memory', () => {
    using adapter = lender();
    for (const region of [2, 6, 7, 9, 0xffffffff])
      expect(adapter.ioctl(...lend(region, 0, 0, 1, ...range(0, 0x1000)))[0]).toBe(-ENODEV);
    expect(adapter.ioctl(...lend(1, 0, 0, 1, ...range(0, 0x1000)))[0]).toBe(-EINVAL);
  });

  it('[core:C2.64] lends whole pages, inside the BAR', () => {
    using adapter = lender();
    const one = (offset: number, length: number) =>
      adapter.ioctl(...lend(0, 0, 0, 1, ...range(offset, length)))[0];
    expect(one(0x800, 0x1000)).toBe(-EINVAL);
    expect(one(0, 0x800)).toBe(-EINVAL);
    expect(one(0, 0)).toBe(-EINVAL);
    expect(one(0xf000, 0x2000)).toBe(-EINVAL);
    expect(one(0x10000, 0x1000)).toBe(-EINVAL);
    expect(one(0xf000, 0x1000)).toBeGreaterThan(0);
  });

  it('has its header and its ranges in memory', () => {
    using adapter = lender();
    const { device, process } = adapter;
    expect(adapter.ioctl(FEATURE, 23, GET | DMA_BUF, 0, 0, 0, 1)[0]).toBe(-EINVAL);
    const short = words(24, GET | DMA_BUF, 0, 0, 0, 1, 0, 0);
    expect(device.ioctl(FEATURE, short, process)).toBe(-EFAULT);
  });

  it('is not there if the kernel is built without it, nor with drivers that do not want it', () => {
    using without = openAdapter({ kernel: { dmabuf: false } });
    expect(without.ioctl(FEATURE, 8, PROBE | DMA_BUF)[0]).toBe(-ENOTTY);
    using refusing = openAdapter({ driver: { name: 'own-vfio-pci', ids: [{}], dmaBuf: false } });
    expect(refusing.ioctl(FEATURE, 8, PROBE | DMA_BUF)[0]).toBe(-EOPNOTSUPP);
  });

  it('is revoked when the device is closed, and its descriptor stays', () => {
    using adapter = lender();
    const [fd] = adapter.ioctl(...lend(0, 0, 0, 1, ...range(0, 0x1000)));
    adapter.device.close();
    expect(adapter.process.fds.get(fd)).toMatchObject({ kind: 'dma-buf', revoked: true });
  });
});
