import {
  AddressSpace,
  type DmaSpace,
  EXPLICIT,
  type FillProblem,
  Iommufd,
  MAP_ALL,
  PAPR_BRIDGE,
  SHADOW,
  type SpaceCapabilities,
  SpaceFiller,
} from '@vfiokit/iommu';
import { describe, expect, test } from 'vitest';
import { ARENA, HOLE, StubDevice } from '../support/host.js';
import { Guest } from '../support/monitor.js';

const GIB = 2 ** 30;

describe('giving devices spaces', () => {
  test('[iommu:230] map-all: a second group joins the first one’s container', () => {
    const guest = new Guest('type1 v2', MAP_ALL);
    const [one, two] = [guest.assign(), guest.assign()];
    expect(guest.monitor.connect(one)).toBe(guest.monitor.connect(two));
    expect(guest.monitor.decisions.map(({ outcome }) => outcome)).toEqual(['creates', 'joins']);
  });

  test('[iommu:231] map-all: a group that the first container refuses gets another, filled alike', () => {
    const guest = new Guest('type1 v2', MAP_ALL);
    guest.monitor.connect(guest.assign());
    const short = guest.host.device({ caps: { aperture: { start: 2 ** 24, end: 2 ** 32 } } });
    // It does not reach what is mapped at 0: with an empty container of its own it still would not.
    expect(() => guest.monitor.connect(guest.assign(guest.system, short))).toThrow('ranges');
    const lenient = new Guest('type1 v2', { ...MAP_ALL, lacks: () => [] }, { ram: false });
    lenient.system.add(0x1000, 0x4000, { type: 'ram', name: 'RAM', address: ARENA });
    const far = lenient.host.device({ caps: { aperture: { start: 0x1000, end: 2 ** 32 } } });
    const first = lenient.monitor.connect(lenient.assign());
    first.map(0, ARENA, 0x1000, 3);
    expect(lenient.monitor.connect(lenient.assign(lenient.system, far))).not.toBe(first);
    expect(lenient.contents()).toEqual([
      [`0+1000=${ARENA.toString(16)}`, `1000+4000=${ARENA.toString(16)}`],
      [`1000+4000=${ARENA.toString(16)}`],
    ]);
  });

  test('[iommu:232] guest-visible: a group is not in two address spaces', () => {
    const guest = new Guest('type1 v2', SHADOW);
    const first = guest.assign(guest.endpoint('gpu').addressSpace);
    const sibling = new StubDevice('0000:00:10.1', first.device.iommuGroup);
    guest.host.groups.register(sibling);
    guest.monitor.connect(first);
    const audio = guest.assign(guest.endpoint('audio').addressSpace, sibling);
    expect(() => guest.monitor.connect(audio)).toThrow(
      'is used in gpu, and can’t be in audio'.replace('’', "'"),
    );
    expect(guest.monitor.connect({ ...audio, addressSpace: first.addressSpace })).toBe(
      guest.monitor.spaceOf(first),
    );
  });

  test('[iommu:233] guest-visible: two bridges are two containers, though one would take both groups', () => {
    const guest = new Guest('spapr-tce v2', PAPR_BRIDGE);
    const [one, two] = guest.bridges.map(({ addressSpace }) => guest.assign(addressSpace));
    expect(guest.monitor.connect(one!)).not.toBe(guest.monitor.connect(two!));
    const third = guest.assign(guest.bridges[0]!.addressSpace);
    expect(guest.monitor.connect(third)).toBe(guest.monitor.spaceOf(one!));
  });

  test('[iommu:243] the last group leaves when nobody fills its container any more', () => {
    const guest = new Guest('type1 v2', MAP_ALL);
    const [one, two] = [guest.assign(), guest.assign()];
    const space = guest.monitor.connect(one);
    guest.monitor.connect(two);
    guest.monitor.disconnect(one);
    expect(guest.contents()).toHaveLength(1);
    const left: number[] = [];
    const { expel } = space;
    space.expel = (group) => {
      left.push(space.snapshot().mappings.length);
      return expel.call(space, group);
    };
    guest.monitor.disconnect(two);
    expect(left).toEqual([0]);
    expect(guest.monitor.spaces).toEqual([]);
    expect(two.device.iommuGroup!.ownerClaimed).toBe(false);
  });

  test.each(['type1 v2', 'iommufd', 'spapr-tce v2'] as const)(
    'a space of %s that the last group has left is closed, and made anew for the next',
    (kind) => {
      const guest = new Guest(kind, EXPLICIT);
      const { process } = guest.host;
      /** Open files, and address spaces of an iommufd. */
      const held = () => {
        const open = Array.from({ length: 64 }, (_, fd) => process.fds.get(fd)).filter(
          (file) => file !== undefined,
        );
        const spaces = open.map((file) => (file instanceof Iommufd ? file.snapshots().length : 0));
        return spaces.reduce((sum, count) => sum + count, open.length);
      };
      const device = guest.assign();
      const before = held();
      const space = guest.monitor.connect(device);
      expect(held()).toBeGreaterThan(before);
      guest.monitor.disconnect(device);
      expect([held(), process.lockedBytes]).toEqual([before, 0]);
      expect(guest.monitor.connect(device)).not.toBe(space);
    },
  );

  test('[iommu:245] spaces that can do the same lead to the same decisions', () => {
    const traces = (['type1 v2', 'iommufd'] as const).map((kind) => {
      const guest = new Guest(kind, SHADOW);
      const endpoints = ['a', 'b'].map((name) => guest.endpoint(name).addressSpace);
      const devices = [endpoints[0], endpoints[0], endpoints[1]].map((space) =>
        guest.assign(space),
      );
      for (const device of devices) guest.monitor.connect(device);
      guest.monitor.disconnect(devices[0]!);
      guest.monitor.connect(devices[0]!);
      return guest.monitor.decisions;
    });
    expect(traces[0]).toEqual(traces[1]);
  });

  test('a group that is not viable is refused, with who uses it', () => {
    const guest = new Guest('type1 v2', MAP_ALL);
    const assigned = guest.assign();
    assigned.device.iommuGroup!.useDefaultDomain('0000:00:10.1 (i915)');
    expect(() => guest.monitor.connect(assigned)).toThrow(
      'not viable: 0000:00:10.1 (i915) uses it',
    );
    expect(guest.monitor.decisions.at(-1)!.outcome).toBe('refused');
  });
});

/** A space that takes everything, and writes it down. */
class Recorder implements DmaSpace {
  readonly calls: string[] = [];
  readonly label = 'recorder';
  readonly groups = [{}] as unknown as DmaSpace['groups'];
  mapResult = 0;
  windowStart: number | undefined;
  capabilities: SpaceCapabilities = {
    name: 'recorder',
    protects: true,
    pageSizes: 0x1000n,
    ranges: [{ start: 0, end: 2 ** 64 }],
    maxMappings: null,
    maxGroups: null,
    dynamicWindows: false,
    registersMemory: false,
    mapsDeviceMemory: true,
    nesting: false,
    outlivesGroups: true,
  };
  accept = () => 0;
  expel = () => 0;
  map(iova: number, address: number, size: number, access: number): number {
    this.calls.push(
      `map ${iova.toString(16)} ${size.toString(16)} ${(address - ARENA).toString(16)} ${access}`,
    );
    return this.mapResult;
  }
  unmap(iova: number, size: number): number {
    this.calls.push(`unmap ${iova.toString(16)} ${size.toString(16)}`);
    return size;
  }
  addWindow({ start }: { start: number }) {
    this.calls.push(`window ${start.toString(16)}`);
    return { start: this.windowStart ?? start };
  }
  removeWindow(start: number): number {
    this.calls.push(`no window ${start.toString(16)}`);
    return 0;
  }
  windows = () => [];
  snapshot = () => ({ kind: '', pageSizes: 0n, available: null, ranges: [], mappings: [] });
  close(): void {}
}

function filled(change: (space: Recorder) => void = () => {}) {
  const space = new Recorder();
  change(space);
  const source = new AddressSpace('source');
  const problems: FillProblem[] = [];
  const system = new AddressSpace('system');
  system.add(0, 0x100000, { type: 'ram', name: 'RAM', address: ARENA });
  system.add(0x200000, 0x1000, {
    type: 'ram',
    name: 'ROM',
    address: ARENA + 0x200000,
    readonly: true,
  });
  const stop = source.listen(
    new SpaceFiller(space, { system, hostPage: 4096, report: (problem) => problems.push(problem) }),
  );
  return { space, source, problems, stop };
}

const ram = (address = ARENA, name = 'RAM') => ({ type: 'ram', name, address }) as const;

describe('filling a space from an address space', () => {
  test('[iommu:234] maps the whole host pages of a section', () => {
    const { space, source } = filled();
    source.add(0x1800, 0x2800, ram(ARENA + 0x800));
    expect(space.calls).toEqual(['map 2000 2000 1000 3']);
  });

  test('[iommu:235] leaves out what is less than a page', () => {
    const { space, source, problems } = filled();
    source.add(0x1000, 0x800, ram());
    expect([space.calls, problems]).toEqual([[], []]);
  });

  test('[iommu:236] leaves out registers, protected memory, and the upper half of the space', () => {
    const { space, source, problems } = filled();
    source.add(0x1000, 0x1000, { type: 'mmio', name: 'UART' });
    source.add(0x3000, 0x1000, { ...ram(), protected: true });
    source.add(2 ** 63, 0x1000, ram());
    expect([space.calls, problems]).toEqual([[], []]);
  });

  test('[iommu:237] complains of memory that lies otherwise in its page, and leaves it out', () => {
    const { space, source, problems } = filled();
    source.add(0x1200, 0x4000, ram(), 0x400);
    expect(space.calls).toEqual([]);
    expect(problems).toMatchObject([
      { severity: 'warning', message: expect.stringContaining('otherwise in its page') },
    ]);
  });

  test('[iommu:238] only warns when another device’s memory cannot be mapped', () => {
    const guest = new Guest('iommufd', MAP_ALL);
    guest.host.process.memory.map({
      address: HOLE,
      size: 0x1000,
      writable: true,
      deviceMemory: true,
    });
    guest.system.add(0x10000000, 0x1000, { type: 'ram-device', name: 'BAR 0', address: HOLE });
    expect(() => guest.monitor.connect(guest.assign())).not.toThrow();
    expect(guest.monitor.warnings).toEqual([
      expect.stringContaining('DMA between devices will not work'),
    ]);
  });

  test('[iommu:239] fails a device whose memory cannot be mapped, and the machine once it runs', () => {
    const guest = new Guest('type1 v2', MAP_ALL);
    const bad = guest.system.add(0x10000000, 0x1000, { type: 'ram', name: 'DIMM', address: HOLE });
    const assigned = guest.assign();
    expect(() => guest.monitor.connect(assigned)).toThrow('DIMM: mapping 0x10000000');
    expect(assigned.device.iommuGroup!.ownerClaimed).toBe(false);
    guest.system.remove(bad);
    guest.monitor.connect(assigned);
    guest.monitor.start();
    guest.system.add(0x10000000, 0x1000, { type: 'ram', name: 'DIMM', address: HOLE });
    expect(guest.monitor.failure).toContain('EFAULT');
  });

  test('[iommu:240] lets devices only read what the guest only reads', () => {
    const { space, source } = filled();
    source.add(0x1000, 0x1000, { ...ram(), readonly: true });
    expect(space.calls).toEqual(['map 1000 1000 0 1']);
  });

  test('[iommu:241] maps nothing for a guest’s IOMMU but what the guest maps, and has mapped', () => {
    const guest = new Guest('type1 v2', SHADOW);
    const endpoint = guest.endpoint();
    guest.domain.map(0x5000, 0x1000, 0x2000, 3);
    guest.monitor.connect(guest.assign(endpoint.addressSpace));
    expect(guest.contents()).toEqual([[`5000+1000=${(ARENA + 0x2000).toString(16)}`]]);
    guest.domain.map(0x8000, 0x2000, 0x4000, 1);
    expect(guest.contents()[0]).toHaveLength(2);
  });

  test('[iommu:242] unmaps what a guest’s IOMMU gives no permission for any more', () => {
    const { space, source } = filled();
    let tell = (_event: { iova: number; size: number; target: number; access: number }) => {};
    source.add(0x100000, GIB, {
      type: 'iommu',
      name: 'vIOMMU',
      page: 4096,
      subscribe: (listener) => {
        tell = listener;
        return () => {};
      },
    });
    tell({ iova: 0x3000, size: 0x2000, target: 0x5000, access: 3 });
    tell({ iova: 0x3000, size: 0x2000, target: 0, access: 0 });
    expect(space.calls).toEqual(['map 103000 2000 5000 3', 'unmap 103000 2000']);
  });

  test('follows a guest’s IOMMU to memory only, and no further than its permission', () => {
    const guest = new Guest('type1 v2', SHADOW);
    guest.system.add(0x1000000, 0x1000, {
      type: 'ram',
      name: 'ROM',
      address: ARENA + 0x900000,
      readonly: true,
    });
    const endpoint = guest.endpoint();
    guest.monitor.connect(guest.assign(endpoint.addressSpace));
    guest.domain.map(0x1000, 0x1000, 0x1000000, 3);
    guest.domain.map(0x2000, 0x1000, 0x5000_0000, 3);
    guest.domain.map(0x3000, 0x4000, 0x7ff000, 3);
    const [mapping] = guest.monitor.spaces[0]!.space.snapshot().mappings;
    expect([mapping!.read, mapping!.write]).toEqual([true, false]);
    expect(guest.monitor.warnings).toHaveLength(2);
    expect(guest.monitor.warnings[0]).toContain('there is no memory');
  });

  test('[iommu:244] gives a window back that the host has put elsewhere, and fails', () => {
    const { space, source, problems } = filled((recorder) => {
      recorder.capabilities = { ...recorder.capabilities, dynamicWindows: true };
      recorder.windowStart = 2 ** 59;
    });
    source.add(0, GIB, {
      type: 'iommu',
      name: 'window',
      page: 4096,
      pageShift: 12,
      subscribe: () => () => {},
    });
    expect(space.calls).toEqual(['window 0', `no window ${(2 ** 59).toString(16)}`]);
    expect(problems).toMatchObject([{ severity: 'fatal' }]);
  });

  test('refuses a window that fixed ranges do not hold', () => {
    const { problems, source } = filled((recorder) => {
      recorder.capabilities = { ...recorder.capabilities, ranges: [{ start: 0, end: 2 ** 20 }] };
    });
    source.add(0, GIB, {
      type: 'iommu',
      name: 'window',
      page: 4096,
      pageShift: 12,
      subscribe: () => () => {},
    });
    expect(problems).toMatchObject([{ message: expect.stringContaining('not within') }]);
  });

  test('takes everything out again when it stops', () => {
    const { space, source, stop } = filled();
    const section = source.add(0x1000, 0x1000, ram());
    source.add(0x4000, 0x1000, ram());
    source.remove(section);
    stop();
    expect(space.calls.slice(2)).toEqual(['unmap 1000 1000', 'unmap 4000 1000']);
  });

  test('makes the windows that a guest makes, and removes them with it', () => {
    const guest = new Guest('spapr-tce v2', PAPR_BRIDGE);
    const bridge = guest.bridges[0]!;
    const device = guest.assign(bridge.addressSpace);
    const space = guest.monitor.connect(device);
    expect(space.windows()).toEqual([{ start: 0, end: GIB }]);
    const unit = [0, Math.floor(bridge.buid / 2 ** 32), bridge.buid % 2 ** 32];
    const [status, liobn] = bridge.createWindow([...unit, 16, 24], 4);
    expect(status).toBe(0);
    guest.calls.put(liobn!, 2 ** 59 + 0x20000, 0x30003n);
    // The host's pages are 4 KiB: one of the guest's is sixteen of them.
    expect(guest.contents()[0]).toHaveLength(16);
    expect(guest.contents()[0]![15]).toBe(
      `${(2 ** 59 + 0x2f000).toString(16)}+1000=${(ARENA + 0x3f000).toString(16)}`,
    );
    bridge.removeWindow([liobn!], 1);
    expect(space.windows()).toEqual([{ start: 0, end: GIB }]);
  });
});
