import {
  Directory,
  type DmaOwnership,
  DriverCore,
  ModelSysfs,
  PciBusDevice,
  type PciDriver,
  PciDriverBus,
  type PciFunctionFacts,
  VirtualClock,
} from '@vfiokit/driver-model';

/** IOMMU groups as far as the driver core meets them: a count of kernel drivers, a user, a default domain. */
export class FakeGroups implements DmaOwnership {
  readonly of = new Map<string, number>();
  readonly kernelUsers = new Map<number, number>();
  readonly userOwned = new Set<number>();
  readonly withoutDefaultDomain = new Set<number>();

  claim(device: PciBusDevice): number {
    const group = this.of.get(device.name);
    if (group === undefined) return 0;
    if (this.userOwned.has(group)) return -16;
    if (this.withoutDefaultDomain.has(group)) return -11;
    this.kernelUsers.set(group, this.count(group) + 1);
    return 0;
  }

  release(device: PciBusDevice): void {
    const group = this.of.get(device.name);
    if (group !== undefined) this.kernelUsers.set(group, this.count(group) - 1);
  }

  count(group: number): number {
    return this.kernelUsers.get(group) ?? 0;
  }
}

const ids = (
  vendor: number,
  device: number,
  class_: number,
  more: Partial<PciFunctionFacts> = {},
) => ({
  vendor,
  device,
  subsystemVendor: 0x8086,
  subsystemDevice: 0xa01f,
  class: class_,
  revision: 3,
  headerType: 0,
  ...more,
});

export const NIC = ids(0x8086, 0x10d3, 0x020000);

export const A = '0000:01:00.0';
export const B = '0000:0a:00.0';
export const P = '0000:03:00.0';
export const V = '0000:03:00.1';
export const G = '0000:04:00.0';
export const H = '0000:04:00.1';
export const R = '0000:00:01.0';
export const X = '0000:05:00.0';

/** The machine of the binding reference, section 7.0: drivers in order of registration, devices in their first state. */
export function fixture() {
  const clock = new VirtualClock();
  const core = new DriverCore(clock);
  const groups = new FakeGroups();
  let removed: (() => PciBusDevice) | undefined;
  const pci: PciDriverBus = new PciDriverBus(core, {
    dma: groups,
    scan: () => (removed === undefined ? [] : [removed()]),
  });
  const root = core.root('pci0000:00');
  const group = (name: string, number: number) => groups.of.set(name, number);
  for (const [name, number] of [
    [A, 10],
    [B, 11],
    [P, 12],
    [V, 13],
    ['0000:03:00.2', 14],
    [R, 15],
    [G, 15],
    [H, 15],
  ] as const)
    group(name, number);

  const enableVfs = (pf: PciBusDevice, count: number) => {
    if (count === 0) {
      const done = pci.disableVfs(pf);
      return done instanceof Promise ? done.then(() => 0) : 0;
    }
    pci.enableVfs(pf, count);
    return count;
  };
  const vfio = (name: string, module: string, entry: object): PciDriver => ({
    name,
    module,
    managedDma: true,
    ids: [{ ...entry, overrideOnly: true }],
    probe: () => 0,
  });
  const drivers = {
    pcieport: {
      name: 'pcieport',
      managedDma: true,
      ids: [{ class: 0x060400, classMask: 0xffffff }],
      probe: () => 0,
    },
    e1000e: {
      name: 'e1000e',
      module: 'e1000e',
      ids: [{ vendor: 0x8086, device: 0x10d3, driverData: 7 }],
      probe: () => 0,
    },
    mlx5_core: {
      name: 'mlx5_core',
      module: 'mlx5_core',
      ids: [
        { vendor: 0x15b3, device: 0x101d },
        { vendor: 0x15b3, device: 0x101e },
      ],
      probe: () => 0,
      sriovConfigure: enableVfs,
    },
    snd_hda_intel: {
      name: 'snd_hda_intel',
      module: 'snd_hda_intel',
      ids: [{ class: 0x040300, classMask: 0xffff00 }],
      probe: () => 0,
    },
    pciStub: { name: 'pci-stub', module: 'pci_stub', managedDma: true, probe: () => 0 },
    vfioPci: vfio('vfio-pci', 'vfio_pci', {}),
    mlx5VfioPci: vfio('mlx5_vfio_pci', 'mlx5_vfio_pci', { vendor: 0x15b3, device: 0x101e }),
  } satisfies Record<string, PciDriver>;
  for (const driver of Object.values(drivers)) pci.register(driver as PciDriver);

  const add = (name: string, facts: PciFunctionFacts): PciBusDevice => {
    const device = new PciBusDevice(name, facts, root);
    void pci.add(device);
    return device;
  };
  const sub = { subsystemVendor: 0x15b3, subsystemDevice: 0x58 };
  const a = add(A, {
    ...NIC,
    resetMethods: ['flr', 'pm'],
    readConfig: () => new Uint8Array(4096).fill(0xab),
    rom: Uint8Array.of(0x55, 0xaa),
  });
  const p = add(P, {
    ...ids(0x15b3, 0x101d, 0x020000, sub),
    sriov: { totalVfs: 4, offset: 1, stride: 1, vfDevice: 0x101e, vfTotalMsix: 60 },
  });
  p.sriov!.driversAutoprobe = false;
  pci.enableVfs(p, 2);
  p.sriov!.driversAutoprobe = true;
  const r = add(R, ids(0x1b36, 0x000c, 0x060400, { headerType: 1 }));
  const g = add(G, ids(0x10de, 0x2204, 0x030000, { bootVga: true }));
  const h = add(H, ids(0x10de, 0x1aef, 0x040300));
  const x = add(X, ids(0x1b36, 0x0010, 0x010802));
  pci.driversAutoprobe = false;
  const b = add(B, NIC);
  pci.driversAutoprobe = true;
  const v = pci.devices.get(V)!;

  const sysfs = new ModelSysfs(new Directory({ sys: core.sys }));
  const bus = '/sys/bus/pci';
  return {
    core,
    clock,
    groups,
    pci,
    drivers,
    add,
    root,
    sysfs,
    devices: { a, b, p, v, r, g, h, x },
    /** Writes to a file of the bus: `drivers/e1000e/bind`. */
    write: (path: string, text: string) => sysfs.write(`${bus}/${path}`, text),
    read: async (path: string) => {
      const bytes = await sysfs.read(`${bus}/${path}`);
      return typeof bytes === 'number' ? bytes : new TextDecoder().decode(bytes);
    },
    bind: (driver: string, name: string) => sysfs.write(`${bus}/drivers/${driver}/bind`, name),
    unbind: (driver: string, name: string) => sysfs.write(`${bus}/drivers/${driver}/unbind`, name),
    probe: (name: string) => sysfs.write(`${bus}/drivers_probe`, name),
    override: (name: string, text: string) =>
      sysfs.write(`${bus}/devices/${name}/driver_override`, text),
    driverOf: async (name: string) => {
      const link = await sysfs.readLink(`${bus}/devices/${name}/driver`);
      return typeof link === 'number' ? undefined : link.slice(link.lastIndexOf('/') + 1);
    },
    actions: (from = 0) => core.uevents.events.slice(from).map((event) => event.action),
    /** What a bus scan will find. */
    willFind: (make: () => PciBusDevice) => {
      removed = make;
    },
  };
}

/** A device like those of the fixture, for hot plug. */
export function nic(
  name: string,
  fixtureRoot: ReturnType<typeof fixture>['root'],
  more: Partial<PciFunctionFacts> = {},
) {
  return new PciBusDevice(name, { ...NIC, ...more }, fixtureRoot);
}

/** Whether a promise is still pending when everything that can run has run. */
export async function pending(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => {
    settled = true;
  });
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  return !settled;
}
