import { KvmTceTable, KvmVfio, KvmVm, POWERNV, type TceTableRequest } from '@vfiokit/iommu';
import { describe, expect, test } from 'vitest';
import { le, OtherFile, type StubDevice, TestHost } from '../support/host.js';

const FILE = 1;
const [ADD, DEL, SET_SPAPR_TCE] = [1, 2, 3];

class Machine {
  readonly vm: KvmVm;
  readonly vfio: KvmVfio;

  constructor(readonly host: TestHost) {
    this.vm = new KvmVm(host.process);
    this.vfio = this.vm.createVfioDevice() as KvmVfio;
  }

  set(attribute: number, ...words: readonly number[]): number {
    const payload = le(
      words.length * 4,
      ...words.map((word, i) => [i * 4, 4, word >>> 0] as const),
    );
    return this.vfio.setAttribute(FILE, attribute, payload, this.host.process);
  }

  /** Opens a device's group. */
  groupFd(device: StubDevice): number {
    return this.host.fd(this.host.openGroup(device));
  }
}

describe('the pseudo-device that tells KVM of VFIO', () => {
  test('[iommu:56] is one to a machine', () => {
    const { vm, vfio } = new Machine(new TestHost());
    expect(vm.createVfioDevice()).toBe(-16);
    vfio.destroy();
    expect(vm.createVfioDevice()).toBeInstanceOf(KvmVfio);
  });

  test('[iommu:57 iommu:58] takes groups and devices only', () => {
    const machine = new Machine(new TestHost());
    expect(machine.set(ADD, machine.host.fd(new OtherFile()))).toBe(-22);
    expect(machine.set(ADD, 900)).toBe(-9);
    expect(machine.vfio.setAttribute(FILE, ADD, undefined, machine.host.process)).toBe(-14);
  });

  test('[iommu:59] knows a file by whatever number', () => {
    const machine = new Machine(new TestHost());
    const fd = machine.groupFd(machine.host.device());
    const copy = machine.host.fd(machine.host.process.fds.get(fd)!);
    expect(machine.set(ADD, fd)).toBe(0);
    expect([machine.set(ADD, fd), machine.set(ADD, copy)]).toEqual([-17, -17]);
  });

  test('[iommu:60] lets go only of what it has', () => {
    const machine = new Machine(new TestHost());
    expect(machine.set(DEL, machine.groupFd(machine.host.device()))).toBe(-2);
  });

  test('[iommu:61] keeps a group open whose descriptor is closed', () => {
    const machine = new Machine(new TestHost());
    const device = machine.host.device();
    const fd = machine.groupFd(device);
    const spare = machine.host.process.fds.get(fd)!;
    machine.set(ADD, fd);
    machine.host.process.fds.close(fd);
    expect(() => machine.host.openGroup(device)).toThrow('it is open');
    expect(machine.set(DEL, machine.host.fd(spare))).toBe(0);
    expect(() => machine.host.openGroup(device)).not.toThrow();
  });

  test('[iommu:62] knows no other attribute', () => {
    const machine = new Machine(new TestHost());
    expect(machine.set(9, 0)).toBe(-6);
    expect(machine.vfio.setAttribute(2, ADD, new Uint8Array(4), machine.host.process)).toBe(-6);
  });

  test('[iommu:63] says once that there is DMA past the caches, and once that there is none', () => {
    const machine = new Machine(new TestHost());
    const coherent = machine.groupFd(machine.host.device());
    const other = machine.groupFd(machine.host.device({ caps: { enforcesCacheCoherency: false } }));
    const seen = [ADD, ADD, DEL].map((attribute, i) => {
      machine.set(attribute, i === 0 ? coherent : other);
      expect(machine.vm.noncoherentDma).toBe(machine.vm.noncoherentRegistrations > 0);
      return machine.vm.noncoherentRegistrations;
    });
    expect(seen).toEqual([0, 1, 0]);
  });

  test('[iommu:64] ties tables only to groups that it has', () => {
    const machine = new Machine(new TestHost());
    expect(machine.set(SET_SPAPR_TCE, machine.groupFd(machine.host.device()), 900)).toBe(-2);
  });

  test('a driver sees the machine that its group was given before it opens', () => {
    const machine = new Machine(new TestHost());
    const device = machine.host.device();
    const container = machine.host.ready(3, device);
    machine.set(ADD, container.groupFds.get(device)!);
    container.group(device).getDevice(device.name, machine.host.process);
    expect(device.kvmAtOpen).toBe(machine.vm);
  });

  test('a device’s own node counts as well', () => {
    const machine = new Machine(new TestHost());
    const device = machine.host.device();
    const node = machine.host.groups.deviceNode(0).open();
    expect(machine.set(ADD, machine.host.fd(node))).toBe(0);
    node.bind(machine.host.dev.openIommufd());
    expect(device.kvmAtOpen).toBe(machine.vm);
    machine.vfio.destroy();
    expect(node.kvm).toBeUndefined();
  });
});

describe('tables of TCEs that the kernel fills', () => {
  const power = () => {
    const host = new TestHost({ backends: ['spapr-tce'] });
    const device = host.device({ caps: { tce: POWERNV } });
    const machine = new Machine(host);
    const container = host.ready(7, device);
    machine.set(ADD, container.groupFds.get(device)!);
    // The default window exists from the first registration and mapping on.
    container.ioctl(0x3b75, le(24, [0, 4, 24], [8, 8, 0x100_0000_0000], [16, 8, 0x10000]));
    container.map(0, 0x100_0000_0000, 0x1000);
    return { machine, container, fd: container.groupFds.get(device)! };
  };
  const WINDOW: TceTableRequest = { liobn: 0x80000000, pageShift: 12, offset: 0, size: 0x80000 };
  const table = (machine: Machine, request: Partial<TceTableRequest>) =>
    machine.host.fd(machine.vm.createTceTable({ ...WINDOW, ...request }) as KvmTceTable);

  test('[iommu:65] fit hardware windows at the same bus addresses only', () => {
    const { machine, fd } = power();
    expect(machine.set(SET_SPAPR_TCE, fd, table(machine, { offset: 0x1000 }))).toBe(-22);
    expect(machine.set(SET_SPAPR_TCE, fd, table(machine, { liobn: 1 }))).toBe(0);
  });

  test('fit windows that are as large and have pages no larger', () => {
    const { machine, fd } = power();
    expect(machine.set(SET_SPAPR_TCE, fd, table(machine, { size: 0x80001 }))).toBe(-22);
    expect(
      machine.set(SET_SPAPR_TCE, fd, table(machine, { liobn: 1, pageShift: 16, size: 0x8000 })),
    ).toBe(0);
  });

  test('have to be this machine’s', () => {
    const { machine, fd } = power();
    const foreign = new KvmVm(machine.host.process).createTceTable(WINDOW) as KvmTceTable;
    expect(machine.set(SET_SPAPR_TCE, fd, machine.host.fd(foreign))).toBe(-22);
    expect(machine.set(SET_SPAPR_TCE, fd, 900)).toBe(-9);
  });

  test('are for groups with windows', () => {
    const machine = new Machine(new TestHost());
    const device = machine.host.device();
    const container = machine.host.ready(3, device);
    const fd = container.groupFds.get(device)!;
    machine.set(ADD, fd);
    expect(machine.set(SET_SPAPR_TCE, fd, table(machine, {}))).toBe(-14);
  });

  test('have a size, a page and a number of their own', () => {
    const { vm } = new Machine(new TestHost());
    const make = (request: Partial<TceTableRequest>) =>
      vm.createTceTable({ ...WINDOW, ...request });
    expect([make({ size: 0 }), make({ pageShift: 11 }), make({ pageShift: 35 })]).toEqual([
      -22, -22, -22,
    ]);
    expect(make({ offset: 2 ** 52, size: 1 })).toBe(-22);
    const made = make({}) as KvmTceTable;
    expect(make({})).toBe(-16);
    made.close();
    expect(make({})).toBeInstanceOf(KvmTceTable);
  });

  test('count as locked memory', () => {
    const { vm, host } = new Machine(new TestHost());
    host.process.credentials.ipcLock = false;
    host.process.credentials.memlock = 0x1000;
    expect(vm.createTceTable(WINDOW)).toBe(-12);
    expect(host.process.lockedBytes).toBe(0);
    expect(vm.createTceTable({ ...WINDOW, size: 0x100 })).toBeInstanceOf(KvmTceTable);
    expect(host.process.lockedBytes).toBe(0x1000);
  });
});
