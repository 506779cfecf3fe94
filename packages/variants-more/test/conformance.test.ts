import {
  DEVICE_REGIONS,
  type DeviceRegion,
  DIRTY_LOG,
  MIGRATION,
  type MigrationOps,
  type MigrationStream,
  openFunction,
  PLATFORM_HOOKS,
  registerCore,
  VFIO_PCI,
  VFIO_PCI_DRIVERS,
  VfioPci,
  type VfioPciDriver,
} from '@vfiokit/core';
import { GENERIC_IOMMU, IommuGroups, registerIommu } from '@vfiokit/iommu';
import { type PciDevice, type PciIdPattern, pciAlias } from '@vfiokit/pci';
import {
  DeviceClient,
  type MigrationState,
  VFIO_DEVICE_FEATURE_DMA_BUF,
  type VfioDevice,
  VfioError,
} from '@vfiokit/uapi';
import { type DependencyContainer, container as root } from 'tsyringe';
import { describe, expect, it } from 'vitest';
import { open, pfOf, vfOf } from './pf-with-vf.js';

const EINVAL = 22;
const ENODEV = 19;
const ENOTTY = 25;
const ESPIPE = 29;
const IDS = { vendor: 0x1234, device: 0x0001 };
const REGION_INFO = 0x3b6c;
const DEVICE_INFO = 0x3b6b;

/** A driver that puts these into its device's container. */
const bringing = (add: (container: DependencyContainer) => void): VfioPciDriver => ({
  name: 'test-driver',
  ids: [{ vendor: IDS.vendor }],
  dmaBuf: false,
  probe: (_, container) => add(container),
});

function region(
  log: string[],
  name: string,
  more: Partial<DeviceRegion['ops']> = {},
): DeviceRegion {
  return {
    type: 0x80001234,
    subtype: 1,
    size: 64,
    flags: 7,
    ops: {
      read: (offset) => {
        log.push(`read ${name} ${offset}`);
        return 0;
      },
      write: () => 0,
      release: () => log.push(`release ${name}`),
      ...more,
    },
  };
}

const withRegions = (regions: () => readonly DeviceRegion[]) =>
  bringing((container) => container.register(DEVICE_REGIONS, { useValue: { regions } }));

/** GET_REGION_INFO or GET_INFO with a buffer of this size: the result, and the buffer. */
function info(device: VfioDevice, command: number, argsz: number, index = 0) {
  const bytes = new Uint8Array(256).fill(0xcc, argsz);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, argsz, true);
  view.setUint32(8, index, true);
  return { result: device.ioctl(command, bytes, undefined as never), view, bytes };
}

describe('regions of a driver and their capabilities', () => {
  it('[derived:16 derived:29] begin at index 9, at 9 << 40, and may be alike', () => {
    using opened = open(
      pfOf(IDS),
      withRegions(() => [region([], 'a'), region([], 'b')]),
    );
    expect([9, 10].map((index) => opened.client.regionInfo(index).position)).toEqual([
      9 * 2 ** 40,
      10 * 2 ** 40,
    ]);
    expect(opened.client.regionInfo(9).type).toEqual(opened.client.regionInfo(10).type);
  });

  it('[derived:17 derived:18] count for one open only', () => {
    let regions = [region([], 'a')];
    const pdev = pfOf(IDS);
    const driver = withRegions(() => regions);
    const first = open(pdev, driver);
    expect(first.client.info().numRegions).toBe(10);
    expect(info(first.device, REGION_INFO, 32, 10).result).toBe(-EINVAL);
    first[Symbol.dispose]();
    regions = [];
    using second = open(pdev, driver);
    expect(second.client.info().numRegions).toBe(9);
    expect(info(second.device, REGION_INFO, 32, 9).result).toBe(-EINVAL);
  });

  it('[derived:19 derived:20 derived:23] have TYPE first, the others in order, at multiples of 8 and padded with zeroes', () => {
    const capabilities = () => [
      { id: 4, version: 1, body: Uint8Array.of(1, 2, 3) },
      { id: 5, version: 1, body: Uint8Array.of(4) },
    ];
    using opened = open(
      pfOf(IDS),
      withRegions(() => [region([], 'a', { capabilities })]),
    );
    const { result, view, bytes } = info(opened.device, REGION_INFO, 200, 9);
    expect(result).toBe(0);
    const entry = (at: number) => [
      view.getUint16(at, true),
      view.getUint16(at + 2, true),
      view.getUint32(at + 4, true),
    ];
    expect(view.getUint32(12, true)).toBe(32);
    expect([entry(32), entry(48), entry(64)]).toEqual([
      [2, 1, 48],
      [4, 1, 64],
      [5, 1, 0],
    ]);
    expect([...bytes.subarray(56, 64)]).toEqual([1, 2, 3, 0, 0, 0, 0, 0]);
    expect([...bytes.subarray(72, 80)]).toEqual([4, 0, 0, 0, 0, 0, 0, 0]);
  });

  it('[derived:21 derived:22] are announced to a caller with too little room, and argsz has a minimum', () => {
    using opened = open(
      pfOf(IDS),
      withRegions(() => [region([], 'a')]),
    );
    const { result, view } = info(opened.device, REGION_INFO, 32, 9);
    expect([result, view.getUint32(0, true), view.getUint32(12, true)]).toEqual([0, 48, 0]);
    expect(view.getUint32(4, true) & 8).toBe(8);
    expect(info(opened.device, REGION_INFO, 31, 9).result).toBe(-EINVAL);
  });

  it('[derived:24 derived:25] are mapped only with a way to do it, the flag, and shared', () => {
    const mmap = () => -1;
    const flagless = { ...region([], 'b', { mmap }), flags: 3 };
    using opened = open(
      pfOf(IDS),
      withRegions(() => [region([], 'a'), flagless, region([], 'c', { mmap })]),
    );
    const map = (index: number, shared = true) =>
      opened.device.mmap({ position: index * 2 ** 40, length: 64, shared });
    expect([map(9), map(10), map(11), map(11, false)]).toEqual([-EINVAL, -EINVAL, -1, -EINVAL]);
  });

  it('[derived:26] are not asked for nothing', () => {
    const log: string[] = [];
    using opened = open(
      pfOf(IDS),
      withRegions(() => [region(log, 'a')]),
    );
    expect(opened.device.pread(new Uint8Array(0), 9 * 2 ** 40)).toBe(0);
    expect(opened.device.pwrite(new Uint8Array(0), 9 * 2 ** 40)).toBe(0);
    expect(log).toEqual([]);
  });

  it('[derived:27 derived:28] are released in order, also when the open fails later', () => {
    const log: string[] = [];
    open(
      pfOf(IDS),
      withRegions(() => [region(log, 'a'), region(log, 'b')]),
    )[Symbol.dispose]();
    expect(log).toEqual(['release a', 'release b']);
    log.length = 0;
    const failing = bringing((container) => {
      container.register(DEVICE_REGIONS, { useValue: { regions: () => [region(log, 'a')] } });
      container.register(DEVICE_REGIONS, {
        useValue: {
          regions: () => {
            throw new Error('no');
          },
        },
      });
    });
    expect(() => open(pfOf(IDS), failing)).toThrow('no');
    expect(log).toEqual(['release a']);
  });

  it('[derived:30 derived:31] of the device itself: too small an argsz, and a provider that has nothing or fails', () => {
    const withHook = (answer: number) =>
      openFunction(pfOf(IDS), {
        register: (host) =>
          host.register(PLATFORM_HOOKS, { useValue: { infoCapabilities: () => answer } }),
      });
    using nothing = withHook(-ENODEV);
    expect(info(nothing.device, DEVICE_INFO, 15).result).toBe(-EINVAL);
    expect(info(nothing.device, DEVICE_INFO, 16).result).toBe(0);
    using failing = withHook(-12);
    expect(info(failing.device, DEVICE_INFO, 24).result).toBe(-12);
  });
});

/** A device that notes its arcs. */
class Noted implements MigrationOps {
  readonly log: string[] = [];
  failing: string | undefined;
  /** Hands out a stream on this arc, where none is due. */
  rogue: string | undefined;

  constructor(readonly support = { p2p: true, preCopy: true }) {}

  arc(from: MigrationState, to: MigrationState): MigrationStream | undefined {
    const name = `${from}>${to}`;
    if (name === this.failing) throw new VfioError('EIO', name);
    this.log.push(name);
    const saves = ['STOP>STOP_COPY', 'RUNNING>PRE_COPY', 'RUNNING_P2P>PRE_COPY_P2P'].includes(name);
    if (saves || name === this.rogue)
      return { read: () => 0, precopyInfo: () => ({ initialBytes: 0n, dirtyBytes: 0n }) };
    return name === 'STOP>RESUMING' ? { write: (from) => from.length } : undefined;
  }

  dataSize(): bigint {
    return 1n;
  }
}

const migrating = (ops: MigrationOps) =>
  open(
    pfOf(IDS),
    bringing((container) => container.register(MIGRATION, { useValue: ops })),
  );

describe('the state machine under drivers', () => {
  it.each([
    [true, ['RUNNING>RUNNING_P2P', 'RUNNING_P2P>STOP']],
    [false, ['RUNNING>STOP']],
  ])('[derived:32] stops over RUNNING_P2P or in one arc: %s', (p2p, arcs) => {
    const ops = new Noted({ p2p, preCopy: true });
    using opened = migrating(ops);
    opened.client.setMigrationState('STOP');
    expect(ops.log).toEqual(arcs);
  });

  it.each([
    [true, ['PRE_COPY>PRE_COPY_P2P', 'PRE_COPY_P2P>STOP_COPY']],
    [false, ['PRE_COPY>STOP_COPY']],
  ])('[derived:33] goes from PRE_COPY to STOP_COPY over P2P or in one arc: %s', (p2p, arcs) => {
    const ops = new Noted({ p2p, preCopy: true });
    using opened = migrating(ops);
    opened.client.setMigrationState('PRE_COPY');
    ops.log.length = 0;
    opened.client.setMigrationState('STOP_COPY');
    expect(ops.log).toEqual(arcs);
  });

  it('[derived:34 derived:35] goes from PRE_COPY to STOP over RUNNING, and never back to PRE_COPY from STOP_COPY', () => {
    const ops = new Noted();
    using opened = migrating(ops);
    opened.client.setMigrationState('PRE_COPY');
    ops.log.length = 0;
    opened.client.setMigrationState('STOP');
    expect(ops.log[0]).toBe('PRE_COPY>RUNNING');
    opened.client.setMigrationState('STOP_COPY');
    expect(() => opened.client.setMigrationState('PRE_COPY')).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
  });

  it('[derived:38] stays where it got when an arc fails', () => {
    const ops = new Noted();
    ops.failing = 'RUNNING_P2P>STOP';
    using opened = migrating(ops);
    expect(() => opened.client.setMigrationState('STOP_COPY')).toThrow(
      expect.objectContaining({ code: 'EIO' }),
    );
    expect(opened.client.migrationState()).toBe('RUNNING_P2P');
  });

  it('[derived:39] refuses a file that comes before the last arc', () => {
    const ops = new Noted();
    ops.rogue = 'RUNNING>RUNNING_P2P';
    using opened = migrating(ops);
    expect(() => opened.client.setMigrationState('STOP')).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    expect(opened.client.migrationState()).toBe('RUNNING_P2P');
  });

  it('[derived:40 derived:41 derived:42 derived:43] hands out files that are streams, and dead after their transfer', () => {
    using opened = migrating(new Noted());
    expect(opened.client.setMigrationState('STOP')).toBeUndefined();
    const file = opened.client.setMigrationState('STOP_COPY')! as ReturnType<
      DeviceClient['setMigrationState']
    > & { pread(): number; pwrite(): number };
    expect([file.pread(), file.pwrite()]).toEqual([-ESPIPE, -ESPIPE]);
    const ask = (command: number, argsz: number) => {
      const bytes = new Uint8Array(24);
      new DataView(bytes.buffer).setUint32(0, argsz, true);
      return file.ioctl!(command, bytes, opened.process);
    };
    expect([ask(0x3b7a, 24), ask(0x3b79, 23)]).toEqual([-ENOTTY, -EINVAL]);
    opened.client.setMigrationState('STOP');
    expect(file.read(new Uint8Array(1))).toBe(-ENODEV);
  });

  it('[derived:36] leaves ERROR by no transition', () => {
    let control: { fail(): void } | undefined;
    const ops: MigrationOps = Object.assign(new Noted(), {
      attach: (given: { fail(): void }) => {
        control = given;
      },
    });
    using opened = migrating(ops);
    control!.fail();
    expect(opened.client.migrationState()).toBe('ERROR');
    for (const state of ['RUNNING', 'STOP', 'RESUMING'] as const)
      expect(() => opened.client.setMigrationState(state)).toThrow();
  });

  it('[derived:45] forgets at the last close what its user understood', () => {
    const asked: boolean[] = [];
    const ops: MigrationOps = Object.assign(new Noted(), {
      arc: (): MigrationStream => ({
        read: () => 0,
        precopyInfo: (v2: boolean) => {
          asked.push(v2);
          return { initialBytes: 0n, dirtyBytes: 0n };
        },
      }),
    });
    const pdev = pfOf(IDS);
    const driver = bringing((container) => container.register(MIGRATION, { useValue: ops }));
    const ask = (optIn: boolean) => {
      using opened = open(pdev, driver);
      if (optIn) opened.client.setFeature(12);
      opened.client.precopyInfo(opened.client.setMigrationState('PRE_COPY')!);
    };
    ask(true);
    ask(false);
    expect(asked).toEqual([true, false]);
  });

  it('[derived:46] is not there without a driver for it', () => {
    using opened = open(
      pfOf(IDS),
      bringing(() => {}),
    );
    for (const feature of [1, 2, 9])
      expect(() => opened.client.setFeature(feature)).toThrow(
        expect.objectContaining({ code: 'ENOTTY' }),
      );
  });

  it('[derived:47 derived:48] checks ranges and pages before the driver is asked', () => {
    const asked: string[] = [];
    const log = {
      start: () => {
        asked.push('start');
        return 4096n;
      },
      stop: () => 0,
      readAndClear: () => 0,
    };
    using opened = open(
      pfOf(IDS),
      bringing((container) => container.register(DIRTY_LOG, { useValue: log })),
    );
    const address = 0x10000;
    const bytes = new Uint8Array(4096);
    const ranges = new DataView(bytes.buffer);
    for (const at of [0, 16]) ranges.setBigUint64(at + 8, 0x2000n, true);
    ranges.setBigUint64(16, 0x1000n, true);
    opened.process.memory.map({ address, size: 4096, writable: true, bytes });
    const start = (count: number) => {
      const data = new DataView(new ArrayBuffer(24));
      data.setBigUint64(0, 4096n, true);
      data.setUint32(8, count, true);
      data.setBigUint64(16, BigInt(address), true);
      return () => opened.client.setFeature(6, new Uint8Array(data.buffer));
    };
    expect(start(0)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(start(2)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(asked).toEqual([]);
    expect(start(1)).not.toThrow();
    const report = new DataView(new ArrayBuffer(40));
    report.setUint32(0, 40, true);
    report.setUint32(4, 0x10000 + 8, true);
    report.setBigUint64(8 + 8, 4096n, true);
    report.setBigUint64(8 + 16, 2048n, true);
    report.setBigUint64(8 + 24, BigInt(address), true);
    expect(opened.device.ioctl(0x3b75, new Uint8Array(report.buffer), opened.process)).toBe(
      -EINVAL,
    );
  });
});

describe('registering a driver', () => {
  const bind = (pdev: PciDevice, driver: VfioPciDriver) => {
    const host = root.createChildContainer();
    registerIommu(host);
    registerCore(host);
    host.register(VFIO_PCI_DRIVERS, { useValue: driver });
    const group = host.resolve(IommuGroups).create({ iommu: GENERIC_IOMMU });
    group.members.add(pdev.name);
    return () => host.resolve(VfioPci).bind(pdev, group, driver.name);
  };

  it("takes no function whose driver data is somebody else's", () => {
    const pdev = pfOf(IDS);
    pdev.driverData = {};
    expect(
      bind(
        pdev,
        bringing(() => {}),
      ),
    ).toThrow(expect.objectContaining({ code: 'EBUSY' }));
  });

  it('[derived:10] takes no bridge and no driver without a name', () => {
    const bridge = Object.create(pfOf(IDS), { headerType: { value: 1 } }) as PciDevice;
    expect(
      bind(
        bridge,
        bringing(() => {}),
      ),
    ).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(bind(pfOf(IDS), { ...bringing(() => {}), name: '' })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
  });

  it('[derived:11 derived:12] takes no half of a migration or of a log', () => {
    const half = (token: typeof MIGRATION | typeof DIRTY_LOG, ops: object) =>
      bind(
        pfOf(IDS),
        bringing((container) => container.register(token as symbol, { useValue: ops })),
      );
    expect(half(MIGRATION, { support: {}, arc: () => undefined })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    expect(half(MIGRATION, { support: {}, dataSize: () => 0n })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    expect(half(DIRTY_LOG, { start: () => 0n, stop: () => 0 })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
  });

  it('[derived:13] takes no PF that has VFs', () => {
    const { physfn } = vfOf(IDS, undefined);
    expect(
      bind(
        physfn!,
        bringing(() => {}),
      ),
    ).toThrow(expect.objectContaining({ code: 'EBUSY' }));
  });

  it('[derived:5 derived:6] gives ids an alias of their own, with the most wildcards for the catch-all', () => {
    const alias = (id: PciIdPattern) => pciAlias({ ...id, overrideOnly: true });
    expect(alias({ vendor: 0x15b3, device: 0x101e })).toBe(
      'vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i*',
    );
    expect(VFIO_PCI.ids.map(alias)).toEqual(['vfio_pci:v*d*sv*sd*bc*sc*i*']);
  });

  it('[derived:8] refuses what is on the list, unless the list is off', () => {
    const denied = { vendor: 0x8086, device: 0x37c8 };
    const attempt = (disable_denylist: boolean) => () =>
      openFunction(pfOf(denied), { parameters: { disable_denylist } })[Symbol.dispose]();
    expect(attempt(false)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(attempt(true)).not.toThrow();
  });

  it('[derived:49] lends memory only under drivers that say so', () => {
    using plain = openFunction(pfOf(IDS));
    using variant = open(
      pfOf(IDS),
      bringing(() => {}),
    );
    const probe = (device: VfioDevice) => {
      const bytes = new Uint8Array(8);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, 8, true);
      view.setUint32(4, 0x50000 + VFIO_DEVICE_FEATURE_DMA_BUF, true);
      return device.ioctl(0x3b75, bytes, undefined as never);
    };
    expect([probe(plain.device), probe(variant.device)]).toEqual([0, -95]);
  });
});
