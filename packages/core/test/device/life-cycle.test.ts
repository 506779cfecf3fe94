import { MemoryBlock, type PciDevice } from '@vfiokit/pci';
import { DeviceClient, EventFd, VfioError } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import type { DeviceRegion, OpenHook, OpeningDevice } from '../../src/extension.js';
import { DEVICE_REGIONS, OPEN_HOOKS } from '../../src/tokens.js';
import type { VfioPciDriver } from '../../src/vfio-pci-driver.js';
import { Machine, openAdapter, type Registers } from './fixture.js';

const EBUSY = 16;
const EINVAL = 22;
const EIO = 5;
const ENODEV = 19;
const ETIMEDOUT = 110;
const DEVICE_GET_INFO = 0x3b6b;
const GROUP_UNSET_CONTAINER = 0x3b69;
/** VFIO_GROUP_FLAGS_VIABLE, VFIO_GROUP_FLAGS_CONTAINER_SET */
const VIABLE_AND_CONTAINER = 0x3;
const MASTER = 0x4;
const IO_AND_MEMORY = 0x3;

/** A driver whose devices do something when they open. */
function driverWith(...hooks: OpenHook[]): VfioPciDriver {
  return {
    name: 'hooked-vfio-pci',
    ids: [{ vendor: 0x8086 }],
    probe(_pdev, container) {
      for (const hook of hooks) container.register(OPEN_HOOKS, { useValue: hook });
    },
  };
}

/** What an open fails with. */
function errorOf(open: () => unknown): string {
  try {
    open();
  } catch (error) {
    return error instanceof VfioError ? error.code : String(error);
  }
  return 'opened';
}

describe('several descriptors of a device', () => {
  function counted() {
    const log: string[] = [];
    const open = (device: OpeningDevice) => {
      log.push('open');
      device.defer(() => log.push('close'));
    };
    return { log, driver: driverWith({ open }) };
  }

  it('[core:C1.10] share one open', () => {
    const { log, driver } = counted();
    using adapter = openAdapter({ driver });
    const second = adapter.machine.open(adapter.core, adapter.group);
    expect(log).toEqual(['open']);
    expect(adapter.core.openCount).toBe(2);
    second.write(7, 0x0c, 1, 0x10);
    expect(adapter.device.read(7, 0x0c, 1)).toBe(0x10);
  });

  it('[core:C1.11] close the device with the last one', () => {
    const { log, driver } = counted();
    using adapter = openAdapter({ driver });
    const second = adapter.machine.open(adapter.core, adapter.group);
    adapter.device.close();
    expect(log).toEqual(['open']);
    expect(second.read(7, 0x00, 4)).toBe(0x10d38086);
    second.close();
    expect(log).toEqual(['open', 'close']);
    expect(adapter.core.openCount).toBe(0);
  });

  it('are closed once each', () => {
    using adapter = openAdapter();
    adapter.machine.open(adapter.core, adapter.group);
    adapter.device.close();
    adapter.device.close();
    expect(adapter.core.openCount).toBe(1);
  });
});

describe('the first open', () => {
  const command = (pdev: PciDevice) => pdev.config.read(0x04, 2);

  it('[core:C1.21] ends bus mastering', () => {
    using adapter = openAdapter({ config: [[0x04, 2, 0x0007]] });
    expect(command(adapter.pdev) & MASTER).toBe(0);
  });

  it('[core:C1.22] decodes memory, and ports if the function has any', () => {
    const ports = { kind: 'io', size: 0x20 } as const;
    const memory = { kind: 'memory', size: 0x1000 } as const;
    const off: Registers = [[0x04, 2, 0x0000]];
    const decoding = (bars: readonly (typeof ports | typeof memory)[]) => {
      using adapter = openAdapter({ config: off, description: { bars } });
      return command(adapter.pdev) & IO_AND_MEMORY;
    };
    expect(decoding([memory])).toBe(2);
    expect(decoding([memory, ports])).toBe(3);
    expect(decoding([ports])).toBe(1);
  });

  it('[core:C1.23] gives up with EAGAIN while somebody holds the device lock', () => {
    let held = false;
    using machine = new Machine({ platform: { lockHeld: () => held } });
    const core = machine.bind(machine.add('0000:00:03.0'));
    const group = machine.openGroup(core);
    held = true;
    expect(errorOf(() => machine.open(core, group))).toBe('EAGAIN');
    expect([core.openCount, core.pdev.enableCount, core.pdev.runtimePm.usage]).toEqual([0, 0, 0]);
    held = false;
    expect(machine.open(core, group).read(7, 0, 2)).toBe(0x8086);
  });

  it('[core:C1.24] goes without a reset that does not work, and says so', () => {
    const withoutFlr: Registers = [[0x74, 4, 0x00008000]];
    using adapter = openAdapter({ config: withoutFlr });
    expect(adapter.pdev.resetMethods).toEqual([]);
    expect(adapter.client.info().flags).toBe(2);
    using resettable = openAdapter();
    expect(resettable.client.info().flags).toBe(3);
  });

  it('[core:C1.31] goes without a BAR that somebody else holds', () => {
    using adapter = openAdapter({
      platform: { reserveBar: (_pdev, index) => (index === 0 ? -EBUSY : 0) },
    });
    expect(adapter.device.pread(new Uint8Array(4), 0)).toBe(-EBUSY);
    expect(adapter.device.read(0, 0, 4)).toBe(-EBUSY);
  });

  it('[core:C1.36] unbinds the IOMMU side if it fails, and takes everything back', () => {
    const undone: string[] = [];
    const driver = driverWith(
      { open: (device) => device.defer(() => undone.push('first')) },
      {
        open: (device) => {
          device.defer(() => undone.push('second'));
          throw new VfioError('ENODEV', `${device.name}: its firmware does not answer`);
        },
      },
    );
    using machine = new Machine({ drivers: [driver] });
    const core = machine.bind(machine.add('0000:00:03.0'), driver.name);
    const group = machine.openGroup(core);
    expect(errorOf(() => machine.open(core, group))).toBe('ENODEV');
    expect(undone).toEqual(['second', 'first']);
    expect([core.openCount, core.opened]).toEqual([0, undefined]);
    expect([core.pdev.enableCount, core.pdev.runtimePm.usage]).toEqual([0, 0]);
    expect(group.ioctl(GROUP_UNSET_CONTAINER, undefined, machine.process)).toBe(0);
  });
});

describe('the last close', () => {
  const wholeConfig = (pdev: PciDevice) =>
    Array.from({ length: 1024 }, (_, dword) => pdev.config.read(4 * dword, 4));

  it('[core:C1.25] brings configuration space back to what it was after the reset of the open', () => {
    using machine = new Machine({ parameters: { disable_idle_d3: true } });
    const pdev = machine.add('0000:00:03.0');
    const core = machine.bind(pdev);
    // What the host has set up and a reset clears, so that close has to put it back.
    pdev.config.write(0x0c, 1, 0x20);
    pdev.config.write(0x78, 2, 0x2030);
    const device = machine.open(core);
    const client = new DeviceClient(device, machine.process);
    const before = wholeConfig(pdev);
    expect([before[3]! & 0xff, before[0x1e]! & 0xffff]).toEqual([0x20, 0x2030]);
    device.write(7, 0x04, 2, 0x0007);
    device.write(7, 0x0c, 1, 0x10);
    device.write(7, 0x98, 2, 0x0009);
    client.setIrqs({ index: 2, eventfds: [() => {}, () => {}] });
    expect(wholeConfig(pdev)).not.toEqual(before);
    device.close();
    expect(wholeConfig(pdev)).toEqual(before);
  });

  it('[core:C1.26] switches the function off before it resets it', () => {
    using adapter = openAdapter();
    adapter.trace.take();
    adapter.device.close();
    const writes = adapter.trace.take().filter((access) => access.startsWith('W16'));
    const off = writes.indexOf('W16@4=0400');
    const reset = writes.findIndex((access) => /^W16@78=8/.test(access));
    expect(off).toBeGreaterThanOrEqual(0);
    expect(reset).toBe(off + 1);
  });

  it('[core:C1.27] forgets what the user wrote to virtual registers', () => {
    using adapter = openAdapter();
    const { device, machine, core, group } = adapter;
    const address = device.read(7, 0x10, 4);
    device.write(7, 0x10, 4, 0xffffffff);
    device.write(7, 0x04, 2, 0x0400);
    device.write(7, 0x54, 4, 0xfee00000);
    expect(device.read(7, 0x10, 4)).toBe(0xffff0000);
    device.close();
    const again = machine.open(core, group);
    expect(again.read(7, 0x10, 4)).toBe(address);
    expect(again.read(7, 0x04, 2) & 0x0400).toBe(0);
    expect(again.read(7, 0x54, 4)).toBe(0);
  });

  it('[core:C1.28] remembers how many MSI vectors there were', () => {
    const queueSize = (device: ReturnType<Machine['open']>) => {
      device.write(7, 0x52, 2, 0x0070);
      return (device.read(7, 0x52, 2) & 0x70) >> 4;
    };
    using adapter = openAdapter();
    const { device, client, machine, core, group } = adapter;
    expect(queueSize(device)).toBe(0);
    client.setIrqs({ index: 1, eventfds: Array.from({ length: 4 }, () => () => {}) });
    client.disableIrqs(1);
    expect(queueSize(device)).toBe(2);
    device.close();
    expect(queueSize(machine.open(core, group))).toBe(2);
  });

  it('[core:C1.29] takes the regions of drivers away', () => {
    const released: string[] = [];
    const region = (name: string): DeviceRegion => ({
      type: 0x80008086,
      subtype: 1,
      size: 4096,
      flags: 1,
      ops: { read: () => 0, write: () => 0, release: () => released.push(name) },
    });
    let present = [region('opregion'), region('bridge')];
    using adapter = openAdapter({
      driver: {
        name: 'regions-vfio-pci',
        ids: [{ vendor: 0x8086 }],
        probe: (_pdev, container) =>
          container.register(DEVICE_REGIONS, { useValue: { regions: () => present } }),
      },
    });
    expect(adapter.client.info().numRegions).toBe(11);
    adapter.device.close();
    expect(released).toEqual(['opregion', 'bridge']);
    present = [];
    const again = adapter.machine.open(adapter.core, adapter.group);
    const info = new Uint8Array(24).fill(24, 0, 1);
    expect(again.ioctl(DEVICE_GET_INFO, info, adapter.process)).toBe(0);
    expect(info[8]).toBe(9);
    expect(again.pread(new Uint8Array(4), 9 * 2 ** 40)).toBe(-EINVAL);
  });

  it('takes BARs and the rest of their pages back', () => {
    using adapter = openAdapter({
      description: { bars: [{ kind: 'memory', size: 256 }] },
      platform: { pageRemainderFree: () => true },
    });
    expect(adapter.pdev.reservations.reserve(0)).toBe(-EBUSY);
    adapter.device.close();
    expect(adapter.pdev.reservations.reserve(0)).toBe(0);
  });
});

describe('the removal of a device', () => {
  it('[core:C1.30] asks its user to give it back, again and again, until it is closed', () => {
    using adapter = openAdapter();
    const asked = new EventFd();
    adapter.client.setIrqs({ index: 4, eventfds: [asked] });
    let gone = false;
    adapter.machine.vfio.unbind(adapter.core, () => {
      gone = true;
    });
    expect(asked.take()).toBe(1);
    adapter.core.request();
    adapter.core.request();
    expect(asked.take()).toBe(2);
    expect(gone).toBe(false);
    expect(adapter.device.read(7, 0, 2)).toBe(0x8086);
    adapter.device.close();
    expect(gone).toBe(true);
    expect(adapter.pdev.driverData).toBeUndefined();
  });

  it('waits for every descriptor', () => {
    using adapter = openAdapter();
    const second = adapter.machine.open(adapter.core, adapter.group);
    let gone = false;
    adapter.machine.vfio.unbind(adapter.core, () => {
      gone = true;
    });
    adapter.device.close();
    expect(gone).toBe(false);
    second.close();
    expect(gone).toBe(true);
  });

  it('lets nobody else in meanwhile', () => {
    using adapter = openAdapter();
    adapter.machine.vfio.unbind(adapter.core);
    expect(errorOf(() => adapter.group.getDevice(adapter.core.name, adapter.process))).toBe(
      'ENODEV',
    );
  });

  it('leaves its group and container alone until then', () => {
    using adapter = openAdapter();
    const { group } = adapter.group;
    adapter.machine.vfio.unbind(adapter.core);
    expect(group.status()).toBe(VIABLE_AND_CONTAINER);
    expect(group.container?.groups).toEqual([group]);
    expect(adapter.machine.groups.deviceNodes).toEqual([]);
    adapter.device.close();
    expect(group.status()).toBe(-ENODEV);
    expect(group.container).toBeUndefined();
  });

  it('is done at once for a device that nobody has open, which can then be bound again', () => {
    using machine = new Machine();
    const pdev = machine.add('0000:00:03.0');
    const core = machine.bind(pdev);
    let gone = false;
    machine.vfio.unbind(core, () => {
      gone = true;
    });
    expect(gone).toBe(true);
    expect(pdev.runtimePm.usage).toBe(1);
    expect(machine.bind(pdev)).not.toBe(core);
  });
});

describe('a device that sleeps and does not wake up', () => {
  const FEATURE = 0x3b75;
  const LOW_POWER_ENTRY = 0x20003;

  it('[core:C1.34] answers EIO to every ioctl, read and write', () => {
    let stuck = false;
    using adapter = openAdapter({
      platform: { resume: () => (stuck ? -ETIMEDOUT : 0) },
      description: { bars: [{ kind: 'memory', size: 0x10000, block: new MemoryBlock(0x10000) }] },
    });
    const { device, ioctl, pdev } = adapter;
    expect(ioctl(FEATURE, 8, LOW_POWER_ENTRY)[0]).toBe(0);
    expect(pdev.runtimePm.suspended).toBe(true);
    stuck = true;
    expect(ioctl(DEVICE_GET_INFO, 24, 0, 0, 0, 0, 0)).toEqual([-EIO, 24, 0, 0, 0, 0, 0]);
    expect(ioctl(0x3bff)).toEqual([-EIO]);
    for (const region of [0, 7]) {
      expect(device.read(region, 0, 4)).toBe(-EIO);
      expect(device.write(region, 0, 4, 0)).toBe(-EIO);
      expect(device.pread(new Uint8Array(4), region * 2 ** 40)).toBe(-EIO);
      expect(device.pwrite(new Uint8Array(4), region * 2 ** 40)).toBe(-EIO);
    }
    stuck = false;
    expect(device.read(7, 0, 2)).toBe(0x8086);
    expect(pdev.runtimePm.suspended).toBe(true);
  });

  it('answers EIO at the open too', () => {
    using machine = new Machine({ platform: { resume: () => -EIO } });
    const core = machine.bind(machine.add('0000:00:03.0'));
    const group = machine.openGroup(core);
    expect(errorOf(() => machine.open(core, group))).toBe('EIO');
    expect(core.openCount).toBe(0);
  });
});
