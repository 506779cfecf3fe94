import { describeDriver, describeMigration } from '@vfiokit/testing';
import { VFIO_DEVICE_FEATURE_DMA_BUF, VFIO_DEVICE_FEATURE_MIGRATION } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import {
  FakeQatMigDevice,
  FakeQatPf,
  QAT_VFIO_PCI,
  type QatCapabilities,
  type QatMigDevice,
  QatPf,
} from '../src/index.js';
import { QatMigration } from '../src/qat/qat-migration.js';
import { open, pfOf, readAll, refusal, vfOf } from './pf-with-vf.js';

const ENOTTY = 25;
const ENOMEM = 12;
const EINVAL = 22;
const IDS = { vendor: 0x8086, device: 0x4941 };
/** Preamble, section CONFIG, and three sections of 4 bytes in it. */
const SETUP = 16 + 16 + 3 * (16 + 4);

/** The setup part of a device with these capabilities. */
function setupOf(capabilities: Partial<QatCapabilities>): Uint8Array {
  const device = new FakeQatMigDevice();
  device.capabilities = { ...device.capabilities, ...capabilities };
  const state = new Uint8Array(4096);
  expect(device.saveSetup(state)).toBe(SETUP);
  return state.subarray(0, SETUP);
}

/** A PF whose driver can't do everything that migration takes. */
class HalfPf extends QatPf {
  migDevice(): Partial<QatMigDevice> {
    return Object.assign(new FakeQatMigDevice(), { loadSetup: undefined });
  }
}

const qat = (pf = new FakeQatPf()) => open(vfOf(IDS, pf), QAT_VFIO_PCI);

describeDriver('qat', () => ({ driver: QAT_VFIO_PCI, pdev: vfOf(IDS, new FakeQatPf()) }));
describeMigration('qat', () => {
  const device = new FakeQatMigDevice();
  return {
    ops: new QatMigration('vf', device),
    fill: () => {
      device.state = new Uint8Array(300).fill(9);
    },
    snapshot: () => [...device.state],
    failAfter: (count) => device.fault.after(count),
  };
});

describe('a QuickAssist VF', () => {
  it("[derived:182] has none of the core's features, and those of migration", () => {
    using vf = qat();
    // VF token, low power entry, with wakeup, exit, dma-buf.
    for (const feature of [0, 3, 4, 5, 11]) {
      expect(() => vf.client.setFeature(feature, new Uint8Array(16))).toThrow(
        expect.objectContaining({ errno: -ENOTTY }),
      );
      expect(vf.client.probeFeature(feature, 0x20000)).toBe(false);
    }
    expect(vf.client.probeFeature(VFIO_DEVICE_FEATURE_MIGRATION, 0x10000)).toBe(true);
  });

  it('[derived:49] says ENOTTY where others say that they lend no memory', () => {
    using vf = qat();
    const call = (flags: number) => {
      const bytes = new Uint8Array(64);
      const view = new DataView(bytes.buffer);
      view.setUint32(0, 64, true);
      view.setUint32(4, flags, true);
      return vf.device.ioctl(0x3b75, bytes, vf.process);
    };
    expect(call(0x10000 + VFIO_DEVICE_FEATURE_DMA_BUF)).toBe(-ENOTTY);
    expect(call(0x30000 + VFIO_DEVICE_FEATURE_DMA_BUF)).toBe(-EINVAL);
  });

  it('[derived:183] is not bound without a QAT PF, nor with half of one', () => {
    expect(refusal(pfOf(IDS), QAT_VFIO_PCI)).toBe('ENODEV');
    expect(refusal(vfOf(IDS, {}), QAT_VFIO_PCI)).toBe('ENODEV');
    expect(refusal(vfOf(IDS, new HalfPf()), QAT_VFIO_PCI)).toBe('EINVAL');
  });

  it('[derived:184] is 4096 bytes, of which the first can be had while it runs', () => {
    using vf = qat();
    const file = vf.client.setMigrationState('PRE_COPY')!;
    expect(vf.client.precopyInfo(file)).toMatchObject({
      initialBytes: BigInt(SETUP),
      dirtyBytes: 0n,
    });
    expect(readAll(file)).toHaveLength(SETUP);
    expect(file.read(new Uint8Array(1))).toBe(0);
    vf.client.setMigrationState('STOP_COPY');
    expect(readAll(file)).toHaveLength(4096 - SETUP);
  });

  it('[derived:185] takes no more than 4096 bytes', () => {
    using vf = qat();
    const file = vf.client.setMigrationState('RESUMING')!;
    expect(file.write(new Uint8Array(4097))).toBe(-ENOMEM);
    expect(file.write(setupOf({}))).toBe(SETUP);
    expect(file.write(new Uint8Array(4096 - SETUP + 1))).toBe(-ENOMEM);
    expect(file.write(new Uint8Array(4096 - SETUP))).toBe(4096 - SETUP);
  });

  it.each([{ gencap: 2 }, { gencap: 3 }, { svcmap: 3 }, { extdc: 1 }])(
    '[derived:186] refuses a setup that it does not fit, with the write that completes it: %o',
    (capabilities) => {
      using vf = qat();
      const file = vf.client.setMigrationState('RESUMING')!;
      const setup = setupOf(capabilities);
      expect(file.write(setup.subarray(0, SETUP - 1))).toBe(SETUP - 1);
      expect(file.write(setup.subarray(SETUP - 1))).toBe(-EINVAL);
      // It is not checked again.
      expect(file.write(new Uint8Array(1))).toBe(1);
    },
  );

  it('takes the setup of a device that can do less', () => {
    const pf = new FakeQatPf();
    pf.migDevice(0).capabilities = { gencap: 7, svcmap: 1, extdc: 3 };
    using vf = qat(pf);
    const setup = setupOf({ gencap: 5, extdc: 2 });
    expect(vf.client.setMigrationState('RESUMING')!.write(setup)).toBe(SETUP);
    expect(pf.migDevice(0).log).toContain('loadSetup');
  });

  it('refuses what is no setup as soon as that shows', () => {
    using vf = qat();
    const file = vf.client.setMigrationState('RESUMING')!;
    expect(file.write(new Uint8Array(15))).toBe(15);
    expect(file.write(new Uint8Array(1))).toBe(-EINVAL);
  });

  it('tells its PF of everything', () => {
    const pf = new FakeQatPf();
    const vf = qat(pf);
    vf.client.setMigrationState('STOP');
    vf.client.setMigrationState('RUNNING');
    vf.client.reset();
    vf[Symbol.dispose]();
    expect(pf.migDevice(0).log.filter((what) => what !== 'reset')).toEqual([
      'init',
      'open',
      'suspend',
      'resume',
      'close',
      'cleanup',
    ]);
    expect(pf.migDevice(0).log).toContain('reset');
    // Binding asks for init, opening for a reset and for open.
    pf.migDevice(0).fault.after(2);
    expect(refusal(vfOf(IDS, pf), QAT_VFIO_PCI)).toBe('EIO');
  });
});
