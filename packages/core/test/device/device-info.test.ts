import { EventFd } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import { PLATFORM_HOOKS } from '../../src/tokens.js';
import {
  BAD_POINTER,
  bridge,
  ioctl,
  Machine,
  openAdapter,
  type Registers,
  wordsOf,
} from './fixture.js';

const EFAULT = 14;
const EINVAL = 22;
const EIO = 5;
const ENODEV = 19;
const ENOTTY = 25;
const GET_INFO = 0x3b6b;

describe('VFIO_DEVICE_GET_INFO', () => {
  it('[core:C2.2] tells nine regions and five interrupts of a plain device', () => {
    using adapter = openAdapter();
    expect(adapter.ioctl(GET_INFO, 24, 0, 0, 0, 0, 0)).toEqual([0, 24, 3, 9, 5, 0, 0]);
  });

  it('[core:C2.2] says whether the device can be reset', () => {
    const withoutFlr: Registers = [[0x74, 4, 0x00008000]];
    using adapter = openAdapter({ config: withoutFlr });
    expect(adapter.ioctl(GET_INFO, 24, 0, 0, 0, 0, 0)).toEqual([0, 24, 2, 9, 5, 0, 0]);
  });

  it('[core:C2.1] wants argsz to be 16 at least', () => {
    using adapter = openAdapter();
    expect(adapter.ioctl(GET_INFO, 15, 7, 7, 7, 7, 7)).toEqual([-EINVAL, 15, 7, 7, 7, 7, 7]);
    expect(adapter.ioctl(GET_INFO, 0, 7, 7, 7, 7, 7)[0]).toBe(-EINVAL);
  });

  it('[core:C2.1] writes no more than argsz, nor than it has', () => {
    using adapter = openAdapter();
    expect(adapter.ioctl(GET_INFO, 16, 7, 7, 7, 7, 7)).toEqual([0, 16, 3, 9, 5, 7, 7]);
    expect(adapter.ioctl(GET_INFO, 100, 7, 7, 7, 7, 7, 7)).toEqual([0, 100, 3, 9, 5, 0, 0, 7]);
  });

  it('answers EFAULT for memory that is not there', () => {
    using adapter = openAdapter();
    expect(adapter.device.ioctl(GET_INFO, BAD_POINTER, adapter.process)).toBe(-EFAULT);
    expect(adapter.device.ioctl(GET_INFO, new Uint8Array(15), adapter.process)).toBe(-EFAULT);
  });
});

/** An endpoint behind a root port, with the widths of AtomicOps that each completes. */
function behindPort(completed: number, byEndpoint = 0x180) {
  const machine = new Machine();
  machine.add('0000:00:01.0', {
    base: [...bridge(1), [0x40 + 0x24, 4, completed]],
    description: { bars: [] },
  });
  const pdev = machine.add('0000:01:00.0', { config: [[0x70 + 0x24, 4, byEndpoint]] });
  const device = machine.open(machine.bind(pdev));
  const getInfo = (argsz: number) => {
    const words = Array.from({ length: argsz / 4 - 1 }, () => 0);
    return ioctl(device, machine.process, GET_INFO, argsz, ...words);
  };
  const requesterEnabled = () => (pdev.config.read(0x70 + 0x28, 2) & 0x0040) !== 0;
  return { getInfo, requesterEnabled, [Symbol.dispose]: () => machine[Symbol.dispose]() };
}

describe('the capability for AtomicOps', () => {
  it('[core:C2.3] asks for more room where it does not fit', () => {
    using port = behindPort(0x180);
    expect(port.getInfo(24)).toEqual([0, 40, 0x83, 9, 5, 0, 0]);
    expect(port.getInfo(36)).toEqual([0, 40, 0x83, 9, 5, 0, 0, 0, 0, 0]);
  });

  it('[core:C2.4] stands behind the structure, alone', () => {
    using port = behindPort(0x180);
    expect(port.getInfo(40)).toEqual([0, 40, 0x83, 9, 5, 24, 0, 0x00010005, 0, 3, 0]);
  });

  it.each([
    [0x080, 0x380, 1],
    [0x100, 0x380, 2],
    [0x200, 0x380, 4],
    [0x380, 0x380, 7],
    [0x380, 0x080, 1],
    [0x180, 0x300, 2],
  ])('names the widths that root port (%i) and device (%i) complete', (root, device, flags) => {
    using port = behindPort(root, device);
    expect(port.getInfo(40)[9]).toBe(flags);
  });

  it('[core:C2.5] lets the device send them from now on (quirk W23)', () => {
    using port = behindPort(0x180);
    expect(port.requesterEnabled()).toBe(false);
    port.getInfo(24);
    expect(port.requesterEnabled()).toBe(true);
  });

  it('is not there, and nothing is enabled, where the root port completes none', () => {
    using port = behindPort(0);
    expect(port.getInfo(40).slice(0, 7)).toEqual([0, 40, 3, 9, 5, 0, 0]);
    expect(port.requesterEnabled()).toBe(false);
  });
});

describe('capabilities of the platform', () => {
  const withHook = (answer: number | { id: number; version: number; body: Uint8Array }[]) =>
    openAdapter({
      register: (container) =>
        container.register(PLATFORM_HOOKS, { useValue: { infoCapabilities: () => answer } }),
    });

  it('stand in a chain, padded to eight bytes', () => {
    using adapter = withHook([
      { id: 1, version: 2, body: Uint8Array.of(1, 2, 3, 4, 5) },
      { id: 2, version: 1, body: new Uint8Array(0) },
    ]);
    const info = new Uint8Array(48).fill(0xee);
    info.set([48, 0, 0, 0]);
    expect(adapter.device.ioctl(GET_INFO, info, adapter.process)).toBe(0);
    expect(wordsOf(info)).toEqual([
      48,
      0x83,
      9,
      5,
      24,
      0,
      ...[0x00020001, 40, 0x04030201, 0x00000005],
      ...[0x00010002, 0],
    ]);
  });

  it('fail the call with their error, unless they say that there are none', () => {
    using failing = withHook(-EIO);
    expect(failing.ioctl(GET_INFO, 24, 0, 0, 0, 0, 0)[0]).toBe(-EIO);
    using none = withHook(-ENODEV);
    expect(none.ioctl(GET_INFO, 24, 0, 0, 0, 0, 0)[2]).toBe(3);
  });
});

describe('a device file', () => {
  it('[core:C1.32] answers ENOTTY to what it does not know', () => {
    using adapter = openAdapter();
    for (const command of [0, 0x3b63, 0x3b79, 0x3bff, 0x5401])
      expect(adapter.ioctl(command, 24, 0, 0, 0, 0, 0)[0]).toBe(-ENOTTY);
  });

  it('[core:C1.33] has no planes to query and none to lend', () => {
    using adapter = openAdapter();
    for (const command of [0x3b72, 0x3b73])
      expect(adapter.ioctl(command, 64, ...new Array(15).fill(0))[0]).toBe(-ENOTTY);
  });

  it('[core:C2.67] that was opened through a group is attached to nothing', () => {
    using adapter = openAdapter();
    expect(adapter.ioctl(0x3b77, 16, 0, 1, 0)[0]).toBe(-ENOTTY);
    expect(adapter.ioctl(0x3b78, 12, 0, 0)[0]).toBe(-ENOTTY);
  });

  it('answers nothing once it is closed', () => {
    using adapter = openAdapter();
    const { device, process } = adapter;
    device.close();
    expect(adapter.ioctl(GET_INFO, 24, 0, 0, 0, 0, 0)[0]).toBe(-9);
    expect(device.pread(new Uint8Array(4), 7 * 2 ** 40)).toBe(-9);
    expect(device.pwrite(new Uint8Array(4), 7 * 2 ** 40)).toBe(-9);
    expect(device.mmap({ position: 0, length: 4096, shared: true })).toBe(-9);
    expect(process.fds.install(new EventFd())).toBe(3);
  });

  it('[core:C3.1] reads and writes nothing anywhere', () => {
    using adapter = openAdapter();
    const nothing = new Uint8Array(0);
    for (const position of [0, 0x10000, 2 ** 40, 7 * 2 ** 40 + 4096, 9 * 2 ** 40, 2 ** 50]) {
      expect(adapter.device.pread(nothing, position)).toBe(0);
      expect(adapter.device.pwrite(nothing, position)).toBe(0);
    }
  });

  it('[core:C3.2] has no tenth region by itself', () => {
    using adapter = openAdapter();
    expect(adapter.device.pread(new Uint8Array(4), 9 * 2 ** 40)).toBe(-EINVAL);
    expect(adapter.device.pwrite(new Uint8Array(4), 9 * 2 ** 40)).toBe(-EINVAL);
    expect(adapter.device.read(9, 0, 4)).toBe(-EINVAL);
    expect(adapter.device.write(9, 0, 4, 0)).toBe(-EINVAL);
  });
});
