import {
  describeDriver,
  describeOpenHook,
  describeOverride,
  describeResetHooks,
  StubOpening,
} from '@vfiokit/testing';
import { EventFd, VFIO_DEVICE_FEATURE_DMA_BUF, VFIO_DEVICE_FEATURE_MIGRATION } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import {
  adminMember,
  DEV_PARTS_COMMANDS,
  LEGACY_COMMANDS,
  TransitionalDevice,
  virtioDriver,
} from '../src/index.js';
import { NOTIFY, VirtioMachine } from './virtio-machine.js';

const EIO = 5;
const EFAULT = 14;
const EINVAL = 22;
const GET = 0x10000;
const COMMAND_IO = 1;
const COMMAND_MEMORY = 2;

describeDriver('virtio', () => {
  const machine = new VirtioMachine({ notify: NOTIFY });
  return { driver: virtioDriver(machine.clock), pdev: machine.vf };
});

describeOverride('transitional virtio', () => {
  const machine = new VirtioMachine({ notify: NOTIFY });
  const override = new TransitionalDevice(adminMember(machine.vf)!, NOTIFY);
  return { override, device: new StubOpening(machine.vf), regions: [0] };
});

describeResetHooks('transitional virtio', () => {
  const { vf } = new VirtioMachine({ notify: NOTIFY });
  return { hooks: new TransitionalDevice(adminMember(vf)!, NOTIFY) };
});

describeOpenHook('transitional virtio', () => {
  const { vf } = new VirtioMachine({ notify: NOTIFY });
  const physfn = vf.physfn!;
  return {
    hook: new TransitionalDevice(adminMember(vf)!, NOTIFY),
    device: new StubOpening(vf),
    // A function without the BAR of notifications.
    refused: new StubOpening(physfn),
  };
});

/** A VF whose guest has switched I/O on. */
function transitional() {
  const machine = new VirtioMachine({ notify: NOTIFY });
  const vf = machine.open();
  vf.client.writeConfig(4, 2, COMMAND_IO | COMMAND_MEMORY);
  return { ...vf, machine };
}

describe('a transitional VF', () => {
  it('[derived:160] shows the ids of a legacy network device and a BAR 0 of 32 ports', () => {
    using vf = transitional();
    const { client } = vf;
    expect(client.readConfig(2, 2)).toBe(0x1000);
    expect(client.readConfig(0, 4)).toBe(0x1000_1af4);
    expect(client.readConfig(8, 1)).toBe(0);
    expect(client.readConfig(8, 4)).toBe(0x0200_0000);
    expect(client.readConfig(0x2c, 4)).toBe(0x0001_1af4);
    client.writeConfig(0x10, 4, 0xffffffff);
    expect(client.readConfig(0x10, 4)).toBe(0xffff_ffe1);
    client.writeConfig(0x10, 2, 0xc040);
    expect(client.readConfig(0x10, 4)).toBe(0xffff_c041);
    const info = client.regionInfo(0);
    expect([info.size, info.flags, info.capabilities]).toEqual([32, 3, []]);
  });

  it('shows the I/O bit that its guest set, which the hardware does not have', () => {
    using vf = transitional();
    expect(vf.client.readConfig(4, 2) & COMMAND_IO).toBe(COMMAND_IO);
    vf.client.writeConfig(4, 1, COMMAND_MEMORY);
    expect(vf.client.readConfig(4, 1) & COMMAND_IO).toBe(0);
  });

  it('reads the same registers in one long read', () => {
    using vf = transitional();
    const bytes = vf.client.readRegion(7, 0, 0x30);
    expect([...bytes.subarray(0, 4)]).toEqual([0xf4, 0x1a, 0x00, 0x10]);
    expect([...bytes.subarray(0x2c, 0x30)]).toEqual([0xf4, 0x1a, 0x01, 0x00]);
  });

  it('[derived:161] does not answer while its guest has I/O switched off', () => {
    using vf = transitional();
    vf.client.writeConfig(4, 2, COMMAND_MEMORY);
    expect(vf.device.read(0, 0, 4)).toBe(-EIO);
    expect(vf.device.pwrite(new Uint8Array(2), 16)).toBe(-EIO);
  });

  it('[derived:162] ends at byte 32, all or nothing', () => {
    using vf = transitional();
    expect(vf.device.pread(new Uint8Array(5), 28)).toBe(-EINVAL);
    expect(vf.device.pread(new Uint8Array(4), 28)).toBe(4);
    expect(vf.device.pread(new Uint8Array(0), 40)).toBe(0);
  });

  it('[derived:163] is notified with 2 bytes, which go straight to the VF', () => {
    using vf = transitional();
    for (const size of [1, 4]) expect(vf.device.pwrite(new Uint8Array(size), 16)).toBe(-EINVAL);
    expect(vf.device.write(0, 16, 2, 0x0102)).toBe(2);
    expect(vf.machine.doorbells.read(0x100, 2)).toBe(0x0102);
    expect(vf.device.read(0, 16, 2)).toBe(0x0102);
    vf.client.writeConfig(4, 2, COMMAND_IO);
    // A VF's memory is enabled by its PF, so COMMAND has no say.
    expect(vf.device.write(0, 16, 2, 7)).toBe(2);
  });

  it('[derived:164] has its own registers at 20 without MSI-X and at 24 with it', () => {
    using vf = transitional();
    vf.machine.member.device.set([0xaa, 0xbb]);
    vf.machine.member.common.set([0xcc], 20);
    expect(vf.device.read(0, 20, 2)).toBe(0xbbaa);
    vf.client.setIrqs({ index: 2, eventfds: [new EventFd()] });
    expect(vf.device.read(0, 20, 1)).toBe(0xcc);
    expect(vf.device.read(0, 24, 2)).toBe(0xbbaa);
  });

  it('writes the registers through its PF', () => {
    using vf = transitional();
    expect(vf.device.pwrite(Uint8Array.of(1, 2, 3, 4), 4)).toBe(4);
    expect([...vf.machine.member.common.subarray(4, 8)]).toEqual([1, 2, 3, 4]);
    expect(vf.device.write(0, 22, 2, 0x0807)).toBe(2);
    expect([...vf.machine.member.device.subarray(2, 4)]).toEqual([7, 8]);
  });

  it('hands out what a command fails with', () => {
    using vf = transitional();
    vf.machine.pf.failing.set(3, EFAULT);
    expect(vf.device.read(0, 0, 4)).toBe(-EFAULT);
  });

  it('[derived:166] forgets the I/O bit when it is reset', () => {
    using vf = transitional();
    vf.client.reset();
    expect(vf.device.read(0, 0, 4)).toBe(-EIO);
  });
});

describe('which flavour a virtio VF gets', () => {
  const flavour = (options: ConstructorParameters<typeof VirtioMachine>[0]) => {
    using vf = new VirtioMachine(options).open();
    const { opsName } = (vf.device as unknown as { core: { opsName: string } }).core;
    const transitionalId = vf.client.readConfig(2, 2) === 0x1000;
    return [opsName, transitionalId, vf.client.probeFeature(VFIO_DEVICE_FEATURE_MIGRATION, GET)];
  };

  it.each([
    ['everything', { notify: NOTIFY }, 'virtio-vfio-pci-trans-lm', true, true],
    [
      'no device parts',
      { notify: NOTIFY, commands: LEGACY_COMMANDS },
      'virtio-vfio-pci-trans-lm',
      true,
      false,
    ],
    ['no legacy commands', { commands: DEV_PARTS_COMMANDS }, 'virtio-vfio-pci-lm', false, true],
    ['a block device', { device: 0x1042, notify: NOTIFY }, 'virtio-vfio-pci-lm', false, true],
    ['a BAR 0 of its own', { bar0: true, notify: NOTIFY }, 'virtio-vfio-pci-lm', false, true],
    ['nothing', { commands: [] }, 'virtio-vfio-pci', false, false],
    ['a PF of another driver', { foreignPf: true }, 'virtio-vfio-pci', false, false],
  ])('depends on its PF: %s', (_, options, ops, isTransitional, migrates) => {
    expect(flavour(options)).toEqual([ops, isTransitional, migrates]);
  });

  it('is none if the PF names no place for notifications', () => {
    expect(() => new VirtioMachine().open()).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });

  it('does not open if the BAR of notifications is not there', () => {
    const machine = new VirtioMachine({ notify: { bar: 2, offset: 0 } });
    expect(() => machine.open()).toThrow(expect.objectContaining({ code: 'ENODEV' }));
  });

  it('[derived:49] lends no memory', () => {
    using vf = new VirtioMachine({ notify: NOTIFY }).open();
    expect(() =>
      vf.client.getFeature(VFIO_DEVICE_FEATURE_DMA_BUF, {
        encode: () => new Uint8Array(32),
      } as never),
    ).toThrow(expect.objectContaining({ code: 'EOPNOTSUPP' }));
  });
});
