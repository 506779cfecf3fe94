import type { DeviceNodeFile } from '@vfiokit/iommu';
import { EventFd } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';
import type { VfioPciCoreDevice } from '../../src/core-device.js';
import {
  BAD_POINTER,
  bridge,
  ioctl,
  Machine,
  type MachineOptions,
  SRIOV,
  words,
} from './fixture.js';

const E2BIG = 7;
const EACCES = 13;
const EBADF = 9;
const EBADFD = 77;
const EBUSY = 16;
const EFAULT = 14;
const EINVAL = 22;
const ENOENT = 2;
const BIND = 0x3b76;
const ATTACH = 0x3b77;
const DETACH = 0x3b78;
const GET_INFO = 0x3b6b;
const GET_HOT_RESET_INFO = 0x3b70;
const HOT_RESET = 0x3b71;
const IOAS_ALLOC = 0x3b81;
const TOKEN = 1;

/** A bound function, its node, open, and an iommufd. */
function openNode(options: MachineOptions = {}) {
  const machine = new Machine(options);
  const core = machine.bind(machine.add('0000:00:03.0'));
  const iommufd = machine.openIommufd();
  const { process } = machine;
  return {
    machine,
    core,
    process,
    iommufd,
    fd: process.fds.install(iommufd),
    node: machine.openNode(core),
    [Symbol.dispose]: () => machine[Symbol.dispose](),
  };
}

/** argsz, flags, iommufd, out_devid, and the address of a token. */
function bind(
  node: DeviceNodeFile,
  { process }: Pick<Machine, 'process'>,
  fd: number,
  { argsz = 24, flags = 0, token = 0 } = {},
) {
  return ioctl(node, process, BIND, argsz, flags, fd, 0, token, 0);
}

describe("a function's own node", () => {
  it('[core:C1.16] answers EINVAL to everything until it is bound', () => {
    using cdev = openNode();
    const { node, process, core } = cdev;
    for (const command of [GET_INFO, ATTACH, DETACH, 0x3b6c, 0x3b6f, 0x3b75, 0x3bff])
      expect(ioctl(node, process, command, 32, 0, 0, 0, 0, 0, 0, 0)[0]).toBe(-EINVAL);
    expect(node.read(7, 0, 4)).toBe(-EINVAL);
    expect(node.write(7, 4, 2, 0)).toBe(-EINVAL);
    expect(node.pread(new Uint8Array(4), 7 * 2 ** 40)).toBe(-EINVAL);
    expect(node.pread(new Uint8Array(0), 0)).toBe(-EINVAL);
    expect(node.pwrite(new Uint8Array(4), 7 * 2 ** 40)).toBe(-EINVAL);
    expect(node.mmap({ position: 0, length: 4096, shared: true })).toBe(-EINVAL);
    expect(core.openCount).toBe(0);
  });

  it('opens the device when it is bound', () => {
    using cdev = openNode();
    const { node, fd, core, iommufd, process } = cdev;
    const [result, , , , devid] = bind(node, cdev, fd);
    expect(result).toBe(0);
    expect(devid).toBe(iommufd.devid(core));
    expect(core.openCount).toBe(1);
    expect(ioctl(node, process, GET_INFO, 24, 0, 0, 0, 0, 0)).toEqual([0, 24, 3, 9, 5, 0, 0]);
    node.close();
    expect(core.openCount).toBe(0);
    expect(iommufd.devid(core)).toBeUndefined();
  });

  it('[core:C1.12] is bound once at a time', () => {
    using cdev = openNode();
    const { node, fd, machine, core } = cdev;
    const second = machine.openNode(core);
    bind(node, cdev, fd);
    expect(bind(second, cdev, fd)[0]).toBe(-EINVAL);
    expect(bind(node, cdev, fd)[0]).toBe(-EINVAL);
    expect(core.openCount).toBe(1);
    node.close();
    expect(bind(second, cdev, fd)[0]).toBe(0);
  });

  it('[core:C1.14] keeps the group closed while it is bound', () => {
    using cdev = openNode();
    const { node, fd, machine, core, process } = cdev;
    const openGroup = () => machine.groups.openGroup(core.iommuGroup!.id, process);
    bind(node, cdev, fd);
    expect(openGroup).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    node.close();
    expect(openGroup().kind).toBe('group');
  });

  it('[core:C1.15] is not bound while the group is open', () => {
    using cdev = openNode();
    const { node, fd, machine, core, process } = cdev;
    const group = machine.groups.openGroup(core.iommuGroup!.id, process);
    expect(bind(node, cdev, fd)[0]).toBe(-EBUSY);
    group.close();
    expect(bind(node, cdev, fd)[0]).toBe(0);
  });

  it('[core:C2.66] wants to be told an iommufd, and nothing that it does not know', () => {
    using cdev = openNode();
    const { node, fd, process } = cdev;
    expect(bind(node, cdev, fd, { argsz: 15 })[0]).toBe(-EINVAL);
    expect(bind(node, cdev, fd, { flags: 2 })[0]).toBe(-EINVAL);
    expect(bind(node, cdev, -1)[0]).toBe(-EINVAL);
    expect(bind(node, cdev, 99)[0]).toBe(-EBADF);
    expect(bind(node, cdev, process.fds.install(new EventFd()))[0]).toBe(-EBADFD);
    const trailing = words(28, 0, fd, 0, 0, 0, 0x01000000);
    expect(node.ioctl(BIND, trailing, process)).toBe(-E2BIG);
    expect(node.ioctl(BIND, BAD_POINTER, process)).toBe(-EFAULT);
    expect(node.ioctl(BIND, words(28, 0, fd, 0, 0, 0, 0), process)).toBe(0);
  });

  it('attaches its device to an address space and detaches it', () => {
    using cdev = openNode();
    const { node, fd, process, iommufd, core } = cdev;
    bind(node, cdev, fd);
    const [, , , ioas] = ioctl(iommufd, process, IOAS_ALLOC, 12, 0, 0);
    expect(ioctl(node, process, ATTACH, 12, 0, 99)[0]).toBe(-ENOENT);
    expect(ioctl(node, process, ATTACH, 12, 0, ioas!)[0]).toBe(0);
    expect(ioctl(node, process, DETACH, 8, 0)[0]).toBe(0);
    expect(core.openCount).toBe(1);
  });
});

describe('a token in VFIO_DEVICE_BIND_IOMMUFD', () => {
  const RIGHT = 0x1000;
  const WRONG = 0x1010;
  const NOWHERE = 0x9000;

  /** A PF of ours with a VF whose node is open, and two tokens in memory. */
  function openVf() {
    const machine = new Machine({
      parameters: { enable_sriov: true },
      randomToken: () => new Uint8Array(16).fill(0xab),
    });
    const pf = machine.bind(machine.add('0000:00:03.0', { config: SRIOV }));
    machine.vfio.setNumVfs(pf, 1);
    const vf = machine.bind(pf.pdev.virtualFunctions[0]!);
    const bytes = new Uint8Array(32).fill(0xab, 0, 16);
    machine.process.memory.map({ address: 0x1000, size: 32, writable: false, bytes });
    const fd = machine.process.fds.install(machine.openIommufd());
    const attempt = (core: VfioPciCoreDevice, token?: number) => {
      const node = machine.openNode(core);
      const flags = token === undefined ? 0 : TOKEN;
      const [result] = bind(node, machine, fd, { flags, token: token ?? 0 });
      node.close();
      return result;
    };
    return { machine, pf, vf, fd, attempt };
  }

  it('[core:C9.15] is the one that a VF of ours wants', () => {
    const { vf, attempt } = openVf();
    expect(attempt(vf)).toBe(-EACCES);
    expect(attempt(vf, WRONG)).toBe(-EACCES);
    expect(attempt(vf, NOWHERE)).toBe(-EFAULT);
    expect(attempt(vf, RIGHT)).toBe(0);
  });

  it('[core:C9.15] becomes the one of a PF without open VFs, and is wanted with some', () => {
    const { machine, pf, vf, fd, attempt } = openVf();
    expect(attempt(pf, WRONG)).toBe(0);
    expect([...pf.vfToken!.uuid]).toEqual(new Array(16).fill(0));
    expect(bind(machine.openNode(vf), machine, fd, { flags: TOKEN, token: WRONG })[0]).toBe(0);
    expect(attempt(pf)).toBe(-EACCES);
    expect(attempt(pf, RIGHT)).toBe(-EACCES);
    expect(attempt(pf, WRONG)).toBe(0);
  });

  it('[core:C9.15] is out of place on a function that is neither', () => {
    const { machine, attempt } = openVf();
    const core = machine.bind(machine.add('0000:00:04.0'));
    machine.process.memory.map({ address: 0x5000, size: 16, writable: false });
    expect(attempt(core, RIGHT)).toBe(-EINVAL);
    expect(attempt(core)).toBe(0);
  });
});

describe('a hot reset of functions that were opened by their nodes', () => {
  /** Two functions of one slot behind a root port, the first of them bound to an iommufd. */
  function behindPort(groups: 'shared' | 'apart') {
    const machine = new Machine();
    machine.add('0000:00:01.0', { base: bridge(1), description: { bars: [] } });
    const multifunction = { config: [[0x0e, 1, 0x80]] } as const;
    const first = machine.bind(machine.add('0000:01:00.0', multifunction));
    const second = machine.bind(
      machine.add('0000:01:00.1', multifunction),
      undefined,
      groups === 'shared' ? first.iommuGroup : undefined,
    );
    const fd = machine.process.fds.install(machine.openIommufd());
    const node = machine.openNode(first);
    const [, , , , devid] = bind(node, machine, fd);
    const info = () =>
      ioctl(node, machine.process, GET_HOT_RESET_INFO, 28, ...new Array(6).fill(0));
    const reset = () => ioctl(node, machine.process, HOT_RESET, 12, 0, 0)[0];
    return { machine, second, fd, devid, info, reset };
  }

  it('[core:C6.11] may hit others of a group that the iommufd has', () => {
    const { info, reset, devid } = behindPort('shared');
    expect(info()).toEqual([0, 28, 3, 2, devid, 0x00010000, 0, 0x01010000]);
    expect(reset()).toBe(0);
  });

  it('may hit others that are bound to the same iommufd', () => {
    const { machine, second, fd, info, reset, devid } = behindPort('apart');
    const [, , , , other] = bind(machine.openNode(second), machine, fd);
    expect(info()).toEqual([0, 28, 3, 2, devid, 0x00010000, other, 0x01010000]);
    expect(reset()).toBe(0);
  });

  it('[core:C6.12] may not hit what is bound to another iommufd', () => {
    const { machine, second, info, reset, devid } = behindPort('apart');
    const other = machine.process.fds.install(machine.openIommufd());
    bind(machine.openNode(second), machine, other);
    expect(info()).toEqual([0, 28, 1, 2, devid, 0x00010000, 0xffffffff, 0x01010000]);
    expect(reset()).toBe(-EINVAL);
  });

  it('may not hit what is bound to none', () => {
    const { info, reset, devid } = behindPort('apart');
    expect(info()).toEqual([0, 28, 1, 2, devid, 0x00010000, 0xffffffff, 0x01010000]);
    expect(reset()).toBe(-EINVAL);
  });
});
