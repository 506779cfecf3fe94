import { describeDriver, describeMigration } from '@vfiokit/testing';
import {
  VFIO_DEVICE_FEATURE_DMA_BUF,
  VFIO_DEVICE_FEATURE_DMA_LOGGING_START,
  VFIO_DEVICE_FEATURE_MIG_DATA_SIZE,
  VFIO_DEVICE_FEATURE_MIGRATION,
  vfioDeviceFeatureMigDataSize,
  vfioDeviceFeatureMigration,
} from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { MLX5_VFIO_PCI, Mlx5Migration, Vhca } from '../src/index.js';
import { drain, MlxMachine, type MlxMachineOptions } from './mlx-machine.js';

const ENODEV = 19;
const ENOTCONN = 107;
const GET = 0x10000;
const SET = 0x20000;
const CONFIG = 7;

describeDriver('mlx5', () => ({ driver: MLX5_VFIO_PCI, pdev: new MlxMachine().vf }));

for (const chunk of [false, true])
  describeMigration(
    chunk ? 'mlx5 in chunks' : 'mlx5',
    () => {
      const machine = new MlxMachine({ chunkSize: 4096 });
      const vhca = new Vhca(0x101, machine.firmware, chunk);
      return {
        ops: new Mlx5Migration({ name: 'vf', vhca, chunk, reportsInit: false }),
        fill: () => machine.vhca.change(8, new Uint8Array(machine.state.length - 8).fill(0xa5)),
        snapshot: () => [...machine.state],
        failAfter: (count) => machine.failAfter(count),
      };
    },
    {
      'refuses a stream that is cut short, or lets it be completed later':
        'images are loaded as they arrive and nothing is asked at the end; the VMM knows whether all of it came',
      'notices every change of a stream':
        'images carry sums, the headers of records do not: one that says that it is longer is waited for',
      'keeps its own state when it refuses a stream': 'images are loaded as they arrive',
      ...(chunk && {
        'keeps its own state or takes all of the new one when a stream is cut short anywhere':
          'images are loaded as they arrive',
      }),
    },
  );

const features = (options?: MlxMachineOptions) => {
  using vf = new MlxMachine(options).open();
  // It works as a plain device in any case.
  expect(vf.client.readRegion(CONFIG, 0, 4)).toEqual(Uint8Array.of(0xb3, 0x15, 0x1e, 0x10));
  return {
    migration: vf.client.probeFeature(VFIO_DEVICE_FEATURE_MIGRATION, GET),
    logging: vf.client.probeFeature(VFIO_DEVICE_FEATURE_DMA_LOGGING_START, SET),
    dmaBuf: vf.client.probeFeature(VFIO_DEVICE_FEATURE_DMA_BUF, GET),
  };
};

describe('a ConnectX VF', () => {
  it('[derived:115] migrates with STOP_COPY, P2P and PRE_COPY, and logs dirty pages', () => {
    expect(features()).toEqual({ migration: true, logging: true, dmaBuf: false });
    using vf = new MlxMachine().open();
    const { flags } = vf.client.getFeature(
      VFIO_DEVICE_FEATURE_MIGRATION,
      vfioDeviceFeatureMigration,
    );
    expect(flags).toBe(7n);
  });

  it.each<[string, MlxMachineOptions]>([
    ['[derived:113] a PF of another driver', { foreignPf: true }],
    ['[derived:114] a function that may not migrate', { migratable: false }],
    ['a firmware without migration', { capabilities: { migration: false } }],
    ['a firmware that loads in one piece', { capabilities: { migrationMultiLoad: false } }],
    ['a firmware that does not track', { capabilities: { migrationTrackingState: false } }],
  ])('%s leaves a plain device', (_, options) => {
    expect(features(options)).toEqual({ migration: false, logging: false, dmaBuf: false });
  });

  it('is a plain device while its PF recovers', () => {
    const machine = new MlxMachine();
    machine.core.interfaceUp = false;
    using vf = machine.open();
    expect(vf.client.probeFeature(VFIO_DEVICE_FEATURE_MIGRATION, GET)).toBe(false);
  });

  it('[derived:116] logs no dirty pages without advanced virtualization', () => {
    expect(features({ capabilities: { pageTrack: undefined } })).toEqual({
      migration: true,
      logging: false,
      dmaBuf: false,
    });
  });

  it('[derived:139] is not connected once its PF has disabled it', () => {
    const machine = new MlxMachine();
    using vf = machine.open();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    machine.core.notify(0, 'DISABLE_VF');
    expect(file.read(new Uint8Array(1))).toBe(-ENODEV);
    expect(() =>
      vf.client.getFeature(VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, vfioDeviceFeatureMigDataSize),
    ).toThrow(expect.objectContaining({ errno: -ENOTCONN }));
    machine.core.notify(0, 'ENABLE_VF');
    vf.client.setMigrationState('RUNNING');
    expect(vf.client.migrationState()).toBe('RUNNING');
  });

  it.each([
    ['RUNNING', 'RUNNING_P2P'],
    ['RUNNING', 'PRE_COPY'],
    ['RUNNING_P2P', 'RUNNING'],
    ['RUNNING_P2P', 'STOP'],
    ['RUNNING_P2P', 'PRE_COPY_P2P'],
    ['STOP', 'RUNNING_P2P'],
    ['STOP', 'STOP_COPY'],
    ['STOP', 'RESUMING'],
    ['PRE_COPY', 'RUNNING'],
    ['PRE_COPY', 'PRE_COPY_P2P'],
    ['PRE_COPY_P2P', 'PRE_COPY'],
    ['PRE_COPY_P2P', 'RUNNING_P2P'],
    ['PRE_COPY_P2P', 'STOP_COPY'],
  ] as const)('[derived:139] can not go from %s to %s once its PF has disabled it', (from, to) => {
    const machine = new MlxMachine();
    using vf = machine.open();
    vf.client.setMigrationState(from);
    machine.core.notify(0, 'DISABLE_VF');
    machine.commands();
    expect(() => vf.client.setMigrationState(to)).toThrow(
      expect.objectContaining({ errno: -ENOTCONN }),
    );
    expect(vf.client.migrationState()).toBe(from);
    expect(machine.commands()).toEqual([]);
  });

  it.each(['STOP_COPY', 'RESUMING'] as const)(
    'has a dead file, and lets go of it, when its PF disables it in %s',
    (state) => {
      const machine = new MlxMachine();
      using vf = machine.open();
      const file = vf.client.setMigrationState(state)!;
      machine.core.notify(0, 'DISABLE_VF');
      machine.core.notify(0, 'ENABLE_VF');
      const bytes = new Uint8Array(24);
      expect(state === 'RESUMING' ? file.write(bytes) : file.read(bytes)).toBe(-ENODEV);
      vf.client.setMigrationState('STOP');
      expect(machine.firmware.resources).toBe(0);
    },
  );

  it('does not mind what happens to another VF', () => {
    const machine = new MlxMachine();
    using vf = machine.open();
    machine.core.notify(1, 'DISABLE_VF');
    vf.client.setMigrationState('STOP');
    expect(vf.client.migrationState()).toBe('STOP');
  });

  it('hears nothing of its PF any more when it is unbound', () => {
    const machine = new MlxMachine();
    machine.open()[Symbol.dispose]();
    const heard: string[] = [];
    const { listen } = machine.core;
    machine.core.listen = (vf, listener) =>
      listen.call(machine.core, vf, (event) => {
        heard.push(event);
        listener(event);
      });
    machine.open()[Symbol.dispose]();
    machine.core.notify(0, 'DISABLE_VF');
    expect(heard).toEqual([]);
  });

  it('runs again after a reset, of which the firmware is not told', () => {
    const machine = new MlxMachine();
    using vf = machine.open();
    const file = vf.client.setMigrationState('STOP_COPY')!;
    machine.commands();
    vf.client.reset();
    expect(vf.client.migrationState()).toBe('RUNNING');
    expect(drain(file).end).toBe(-ENODEV);
    expect(machine.commands()).toEqual([]);
  });

  it('[derived:147] takes a reset that comes in the middle of an arc when the arc has ended', () => {
    const machine = new MlxMachine();
    using vf = machine.open();
    const execute = machine.firmware.execute.bind(machine.firmware);
    const seen: string[] = [];
    machine.firmware.execute = (input, memory) => {
      if (seen.length === 0) {
        seen.push('reset');
        machine.vf.tryResetFunction();
        seen.push(vf.client.migrationState());
      }
      return execute(input, memory);
    };
    vf.client.setMigrationState('STOP');
    expect(seen).toEqual(['reset', 'RUNNING']);
    expect([machine.vhca.initiatorSuspended, machine.vhca.responderSuspended]).toEqual([
      true,
      true,
    ]);
    expect(vf.client.migrationState()).toBe('RUNNING');
  });

  it('forgets its tracker at the last close', () => {
    const machine = new MlxMachine();
    const vf = machine.open();
    const address = 0x10000;
    const range = new Uint8Array(16);
    new DataView(range.buffer).setBigUint64(8, 1n << 20n, true);
    vf.process.memory.map({ address, size: 4096, writable: true, bytes: new Uint8Array(4096) });
    vf.process.memory.write(address, range);
    const data = new Uint8Array(24);
    const view = new DataView(data.buffer);
    view.setBigUint64(0, 4096n, true);
    view.setUint32(8, 1, true);
    view.setBigUint64(16, BigInt(address), true);
    vf.client.setFeature(VFIO_DEVICE_FEATURE_DMA_LOGGING_START, data);
    expect(machine.firmware.resources).toBeGreaterThan(0);
    vf[Symbol.dispose]();
    expect(machine.firmware.resources).toBe(0);
  });
});
