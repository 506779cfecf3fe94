import { DIRTY_LOG, DMABUF_PROVIDER, MIGRATION, OPEN_HOOKS, RELEASE_HOOKS } from '@vfiokit/core';
import {
  VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY,
  VFIO_REGION_INFO_FLAG_MMAP,
  VfioError,
} from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import {
  BARS,
  composed,
  differs,
  flags,
  maps,
  type Name,
  open,
  openBare,
  openBeside,
  openPlain,
  opsName,
  size,
  USERS,
} from './derived-devices.js';
import type { RecordedDevice } from './recorded-driver.js';

const SET = 0x20000;
const PROBE = 0x40000;
const CONFIG = 7;

type Sees = (name: Name) => boolean;
const seen =
  (look: (device: RecordedDevice) => boolean): Sees =>
  (name) => {
    using device = open(name);
    return look(device);
  };
const against =
  (look: (device: RecordedDevice, plain: RecordedDevice) => boolean): Sees =>
  (name) => {
    using device = open(name);
    using plain = openPlain(name);
    return look(device, plain);
  };

const DERIVED = ['mlx', 'nvgrace', 'virtio', 'hisi', 'pds', 'qat', 'xe', 'ism'] as const;
const MIGRATABLE = ['mlx', 'virtio', 'hisi', 'pds', 'qat', 'xe'] as const;

/** What drivers need of the core (derived drivers, 15.1): who has it, and how that is seen of an open device of theirs. */
const HOOKS: readonly (readonly [row: string, users: readonly Name[], sees: Sees])[] = [
  [
    'H1 own override-only id table',
    DERIVED,
    seen(({ driver, pdev }) =>
      driver.ids.some(({ vendor, device }) => vendor === pdev.vendor && device === pdev.device),
    ),
  ],
  [
    'H3 run-time predicate beyond ids',
    ['igd', 'zpci', 'nvlink', 'mlx', 'nvgrace', 'virtio', 'hisi', 'pds', 'qat', 'xe'],
    differs,
  ],
  [
    'H4 choose op table per device at probe',
    ['nvgrace', 'virtio', 'hisi'],
    (name) => {
      using whole = open(name);
      using bare = openBare(name);
      return opsName(whole) !== opsName(bare);
    },
  ],
  [
    'H5 graceful fallback to plain vfio',
    ['igd', 'nvlink', 'mlx', 'nvgrace', 'virtio', 'hisi'],
    (name) => {
      using bare = openBare(name);
      const plain = bare.regions.length === 0 && !bare.has(MIGRATION);
      using whole = open(name);
      return plain && whole.platform.length === 0 && differs(name);
    },
  ],
  [
    'H6 extend init and release',
    ['mlx', 'pds', 'qat'],
    seen((device) => device.has(RELEASE_HOOKS)),
  ],
  [
    'H7 step between enable and finish',
    ['igd', 'nvlink', 'mlx', 'nvgrace', 'virtio', 'hisi', 'pds', 'qat'],
    seen((device) => device.has(OPEN_HOOKS) || device.regions.length > 0),
  ],
  [
    'H8 hook inside core enable and disable',
    ['zpci'],
    seen(({ platform, pdev }) =>
      platform.some((hook) => hook.open?.(pdev, {}) === -2 && hook.close !== undefined),
    ),
  ],
  [
    'H9 teardown before core close',
    ['mlx', 'nvgrace', 'pds', 'qat'],
    seen(({ used }) => used.has('defer')),
  ],
  [
    'H10 extra region: read, write and release',
    ['igd', 'nvlink'],
    seen(
      ({ regions, client }) =>
        regions.every(({ ops }) => ops.release !== undefined) &&
        client.readRegion(9, 0, 4).length === 4,
    ),
  ],
  ['H11 extra region: mmap', ['nvlink'], seen((device) => maps(device, 9, 0))],
  [
    'H12 extra region: capabilities',
    ['nvlink'],
    seen(({ client }) => client.regionInfo(9).capabilities.length > 1),
  ],
  [
    'H13 change info of a fixed region',
    ['nvgrace', 'virtio', 'hisi', 'ism'],
    against((device, plain) =>
      BARS.some(
        (bar) => size(device, bar) !== size(plain, bar) || flags(device, bar) !== flags(plain, bar),
      ),
    ),
  ],
  [
    'H14 change read and write of a fixed region',
    ['nvgrace', 'virtio', 'hisi', 'ism'],
    seen(({ used }) => BARS.some((bar) => used.has(`region ${bar}`))),
  ],
  [
    'H15 change or withdraw mmap',
    ['nvgrace', 'hisi', 'ism'],
    against((device, plain) =>
      BARS.some((bar) => [0, 32768].some((at) => maps(device, bar, at) !== maps(plain, bar, at))),
    ),
  ],
  [
    'H16 mark config bytes virtual',
    ['igd'],
    seen(({ client, pdev }) => {
      const before = pdev.config.read(0xfc, 4);
      client.writeConfig(0xfc, 4, 0x12345000);
      return client.readConfig(0xfc, 4) === 0x12345000 && pdev.config.read(0xfc, 4) === before;
    }),
  ],
  [
    'H17 overlay config reads, intercept config writes',
    ['nvgrace', 'virtio'],
    against((device, plain) => {
      device.client.writeConfig(0x20, 4, 0xffffffff);
      plain.client.writeConfig(0x20, 4, 0xffffffff);
      return [0, 0x20].some(
        (at) => device.client.readConfig(at, 4) !== plain.client.readConfig(at, 4),
      );
    }),
  ],
  [
    'H18 override ioctl',
    ['nvgrace', 'qat'],
    seen(({ overrides }) => overrides.some(({ ioctl }) => ioctl !== undefined)),
  ],
  [
    'H19 device-info capabilities',
    ['zpci'],
    seen(({ client }) => client.info().capabilities.length > 0),
  ],
  [
    'H20 migration ops',
    MIGRATABLE,
    seen(({ client }) => {
      client.setMigrationState('STOP_COPY');
      return client.migrationState() === 'STOP_COPY';
    }),
  ],
  [
    'H21 pre-copy ioctl on the data file',
    ['mlx', 'virtio', 'hisi', 'qat'],
    seen(
      ({ client }) => client.precopyInfo(client.setMigrationState('PRE_COPY')!).initialBytes > 0n,
    ),
  ],
  [
    'H22 blocking data file with poll',
    ['mlx'],
    seen(({ migration }) => migration!.arc('RUNNING', 'PRE_COPY')?.ready?.() === true),
  ],
  ['H23 dirty-log ops', ['mlx', 'pds'], seen((device) => device.has(DIRTY_LOG))],
  [
    'H24 reset_prepare',
    ['hisi', 'xe'],
    seen(({ resetHooks }) => resetHooks?.prepare !== undefined),
  ],
  [
    'H25 reset_done',
    ['mlx', 'nvgrace', 'virtio', 'hisi', 'pds', 'qat', 'xe'],
    seen(({ resetHooks, migration, client }) => {
      if (migration === undefined) return resetHooks?.done !== undefined;
      client.setMigrationState('STOP');
      client.reset();
      return client.migrationState() === 'RUNNING';
    }),
  ],
  [
    'H26 deferred reset',
    MIGRATABLE,
    seen(({ migration, client }) => {
      const arc = migration!.arc.bind(migration);
      migration!.arc = (from, to) => {
        client.reset();
        return arc(from, to);
      };
      client.setMigrationState('STOP');
      return client.migrationState() === 'RUNNING';
    }),
  ],
  [
    'H27 handle to the native driver of the PF',
    MIGRATABLE,
    (name) => USERS[name].without === 'pf' && differs(name),
  ],
  [
    'H28 asynchronous events from the native driver',
    ['mlx', 'pds'],
    seen(({ pdev, client }) => {
      client.setMigrationState('STOP_COPY');
      const native = pdev.physfn!.driverData as {
        notify?(vf: number, event: string): void;
        notifyReset?(state: number): void;
      };
      native.notify?.(0, 'DISABLE_VF');
      native.notifyReset?.(1);
      try {
        client.setMigrationState('RUNNING');
      } catch (error) {
        return error instanceof VfioError;
      }
      return false;
    }),
  ],
  [
    'H29 KVM handle',
    ['zpci', 'nvlink'],
    seen(
      ({ used, platform, pdev }) =>
        used.has('kvm') ||
        platform.some((hook) => hook.open?.(pdev, {}) !== hook.open?.(pdev, undefined)),
    ),
  ],
  [
    "H30 other devices' config space or companions",
    ['igd', 'nvlink'],
    (name) => {
      using device = open(name);
      if (name === 'igd') return device.client.readRegion(10, 2, 2).join() === [0x41, 0x46].join();
      using bridge = openBeside(name, '0006:00:00.0');
      const target = ({ client }: RecordedDevice) =>
        JSON.stringify([...client.regionInfo(9).capabilities.find(({ id }) => id === 4)!.body]);
      return target(bridge) === target(device);
    },
  ],
  [
    'H31 firmware and platform tables',
    ['igd', 'zpci', 'nvlink', 'nvgrace'],
    (name) => USERS[name].without !== 'pf' && differs(name),
  ],
  [
    'H32 physical memory mapping by the driver',
    ['igd', 'nvlink', 'nvgrace'],
    seen(({ client }) => {
      const region = client.info().numRegions > 9 ? 9 : 4;
      const { flags: what, size: bytes } = client.regionInfo(region);
      if ((what & 2) === 0)
        return new TextDecoder().decode(client.readRegion(region, 0, 16)) === 'IntelGraphicsMem';
      client.writeRegion(region, Number(bytes) / 4, Uint8Array.of(1, 2, 3, 4));
      return client.readRegion(region, Number(bytes) / 4, 4).join() === '1,2,3,4';
    }),
  ],
  [
    'H33 page-fault time checks',
    ['nvlink', 'nvgrace'],
    seen(
      (device) =>
        maps(device, device.regions.length > 0 ? 9 : 4, 0) && device.used.has('accessible'),
    ),
  ],
  ['H34 dma-buf provider', ['nvgrace'], seen((device) => device.has(DMABUF_PROVIDER))],
  [
    'H35 own offset encoding',
    ['ism'],
    seen(({ client }) => client.regionInfo(CONFIG).position === CONFIG * 2 ** 48),
  ],
  [
    'H37 omit a core feature op',
    ['qat', 'ism'],
    against((device, plain) => {
      const lowPower = ({ client }: RecordedDevice) =>
        client.probeFeature(VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, SET | PROBE);
      const mapping = (one: RecordedDevice) =>
        BARS.some((bar) => (flags(one, bar) & VFIO_REGION_INFO_FLAG_MMAP) !== 0);
      return lowPower(device) !== lowPower(plain) || mapping(device) !== mapping(plain);
    }),
  ],
  [
    'H39 region size differs from the hardware BAR',
    ['nvgrace', 'virtio', 'hisi'],
    seen((device) => BARS.some((bar) => size(device, bar) !== device.pdev.resources[bar]!.length)),
  ],
  [
    'H40 synthetic BAR with no hardware BAR behind it',
    ['nvgrace', 'virtio'],
    seen((device) =>
      BARS.some((bar) => size(device, bar) > 0 && device.pdev.resources[bar]!.length === 0),
    ),
  ],
];

/** Rows that are not seen of a function of a machine, with where they are. */
const ELSEWHERE = {
  'H2 second bus id table': 'Mlx5Snap2021, in the tests of its package',
  'H36 debug files': 'debugfs is not modelled',
  'H38 SR-IOV configure': 'a flag of the driver, which plain vfio-pci sets; tested in the core',
} as const;

/** What a device can't even be asked it does not show. */
function shows(sees: Sees, name: Name): boolean {
  try {
    return sees(name);
  } catch (error) {
    if (error instanceof VfioError || error instanceof TypeError) return false;
    throw error;
  }
}

describe('what an extension interface must offer', () => {
  it.each(HOOKS)('%s: used by %j, and by nobody else', (_, users, sees) => {
    const names = (Object.keys(USERS) as Name[]).filter(composed);
    expect(names.filter((name) => shows(sees, name))).toEqual(
      names.filter((name) => users.includes(name)),
    );
  });

  it('is forty rows', () => {
    const rows = [...HOOKS.map(([row]) => row), ...Object.keys(ELSEWHERE)];
    const numbers = rows.map((row) => Number(/^H(\d+)/.exec(row)![1]));
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (__, i) => i + 1));
  });
});
