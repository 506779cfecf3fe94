import {
  ALL_USAGE_MODELS,
  EXPLICIT,
  MAP_ALL,
  NAMED_BRIDGE,
  PAPR_BRIDGE,
  SHADOW,
  type SpaceProvider,
  USAGE_MODELS,
  type UsageModel,
} from '@vfiokit/iommu';
import { describe, expect, test } from 'vitest';
import { ARENA, TestHost } from '../support/host.js';
import { Guest, type ProviderName } from '../support/monitor.js';
import { act, assign, ready, renamed, stranger, userCharge, watched } from '../support/pair.js';

const KINDS: readonly ProviderName[] = [
  'type1 v1',
  'type1 v2',
  'spapr-tce v1',
  'spapr-tce v2',
  'iommufd',
  'noiommu',
];
const MODELS = ALL_USAGE_MODELS;
const GUEST_VISIBLE: readonly UsageModel[] = [PAPR_BRIDGE, NAMED_BRIDGE, SHADOW];

/** What keeps a pair from working: the capability that is missing, and nothing for those that work. */
const MISSING: Readonly<Record<ProviderName, Partial<Record<string, readonly string[]>>>> = {
  'type1 v1': { nested: ['nesting'] },
  'type1 v2': { nested: ['nesting'] },
  // One window of 2 GiB from 0: a guest of 8 MiB fits into it.
  'spapr-tce v1': { nested: ['nesting'] },
  'spapr-tce v2': { 'map-all': ['windows'], shadow: ['windows'], nested: ['windows', 'nesting'] },
  iommufd: {},
  noiommu: Object.fromEntries(
    MODELS.map(({ name }) => [
      name,
      name === 'nested' ? ['protection', 'nesting'] : ['protection'],
    ]),
  ),
};

const works = KINDS.flatMap((kind) =>
  MODELS.filter(({ name }) => !MISSING[kind][name]).map(
    (model) => [kind, model.name, model] as const,
  ),
);
const lacks = KINDS.flatMap((kind) =>
  MODELS.flatMap((model) => {
    const missing = MISSING[kind][model.name];
    return missing ? [[kind, model.name, missing, model] as const] : [];
  }),
);

test('every kind of space meets every model: it serves it, or says what it lacks', () => {
  expect(works.length + lacks.length).toBe(6 * 6);
  expect(works).toHaveLength(24);
});

describe.each(works)('%s serves %s', (kind, _name, model) => {
  test('a device reads and writes what is mapped for it, and nothing else', () => {
    const { guest, device } = ready(kind, model);
    const space = guest.monitor.connect(device);
    const { dma } = device.device.iommuGroup!;
    act(guest, model, space, true);
    guest.host.arena[0x3000] = 5;
    const byte = new Uint8Array(1);
    expect([dma.read(model === MAP_ALL ? 0x3000 : 0x100000, byte), byte[0]]).toEqual([1, 5]);
    expect(dma.write(model === MAP_ALL ? 0x3001 : 0x100001, Uint8Array.of(6))).toBe(1);
    expect(guest.host.arena[0x3001]).toBe(6);
    expect(dma.read(0x3fff_0000, byte)).toBe(-14);
  });

  test('what the guest unmaps, a device reaches no more', () => {
    const { guest, device } = ready(kind, model);
    const space = guest.monitor.connect(device);
    act(guest, model, space, true);
    act(guest, model, space, false);
    // Of a guest that unmaps nothing itself the memory is taken away.
    if (model === MAP_ALL) guest.system.remove(guest.system.sections[0]!);
    const { dma } = device.device.iommuGroup!;
    expect(dma.read(model === MAP_ALL ? 0x3000 : 0x100000, new Uint8Array(1))).toBe(-14);
  });

  test('I1: a group is in one space', () => {
    const { guest, device } = ready(kind, model);
    guest.monitor.connect(device);
    guest.monitor.connect(assign(guest, model, 1));
    const holders = guest.monitor.spaces.filter(({ space }) => space.groups.includes(device.group));
    expect(holders).toHaveLength(1);
  });

  test('I2: the devices of a group have the same key', () => {
    const { guest, device } = ready(kind, model);
    guest.monitor.connect(device);
    const elsewhere = { ...assign(guest, model, 1), group: device.group, name: 'sibling' };
    const sameKey = model.key(elsewhere, guest.system) === model.key(device, guest.system);
    if (sameKey) expect(guest.monitor.connect(elsewhere)).toBe(guest.monitor.spaceOf(device));
    else expect(() => guest.monitor.connect(elsewhere)).toThrow('is used in');
  });

  test('I3: spaces of one key hold the same', () => {
    const { guest, device } = ready(kind, model, { groupsPerSpace: 1, otherwise: 'create' });
    const twin = guest.assign(device.addressSpace);
    const [one, two] = [guest.monitor.connect(device), guest.monitor.connect(twin)];
    expect(one).not.toBe(two);
    for (const mapped of [true, false, true]) {
      act(guest, model, one, mapped);
      if (model === EXPLICIT) act(guest, model, two, mapped);
      const [first, second] = guest.contents();
      expect(first).toEqual(second);
    }
  });

  test('I4: what happens under one key does not show under another', () => {
    const { guest, device } = ready(kind, model);
    const other = stranger(guest, model);
    const space = guest.monitor.connect(device);
    guest.monitor.connect(other);
    const before = guest.contents();
    if (model.key(other, guest.system) === model.key(device, guest.system)) {
      // All devices have one key: what happens in a device's own address space is nobody's business.
      expect(new Set(guest.monitor.spaces.map(({ key }) => key)).size).toBe(1);
      other.addressSpace.add(0x2000000, 0x1000, { type: 'ram', name: 'own', address: ARENA });
      expect(guest.contents()).toEqual(before);
    } else {
      act(guest, model, space, true);
      expect(guest.contents()[1]).toEqual(before[1]);
      expect(guest.contents()[0]).not.toEqual(before[0]);
    }
  });

  test('I5: the same spaces under another name change no decision', () => {
    const decisions = [(provider: SpaceProvider) => provider, renamed].map((wrap) => {
      const { guest, device } = ready(kind, model, {}, wrap);
      guest.monitor.connect(device);
      guest.monitor.connect(assign(guest, model, 1));
      guest.monitor.disconnect(device);
      guest.monitor.connect(device);
      return guest.monitor.decisions;
    });
    expect(decisions[0]).toHaveLength(3);
    expect(decisions[1]).toEqual(decisions[0]);
  });

  test('I6: a model asks for nothing that a space does not have', () => {
    const asked: string[] = [];
    const { guest, device } = ready(kind, model, {}, (provider) => watched(provider, asked));
    const space = guest.monitor.connect(device);
    act(guest, model, space, true);
    act(guest, model, space, false);
    guest.monitor.disconnect(device);
    const { dynamicWindows, registersMemory, nesting } = space.capabilities;
    const has: Readonly<Record<string, boolean>> = {
      addWindow: dynamicWindows,
      removeWindow: dynamicWindows,
      register: registersMemory,
      unregister: registersMemory,
      nest: nesting,
    };
    expect(asked.filter((operation) => !has[operation])).toEqual([]);
    expect([guest.monitor.warnings, guest.monitor.failure]).toEqual([[], undefined]);
  });

  test('I7: what a space keeps without groups is what it says', () => {
    const { guest, device } = ready(kind, model);
    const space = guest.monitor.connect(device);
    act(guest, model, space, true);
    const before = space.snapshot().mappings.length;
    expect(before).toBeGreaterThan(0);
    expect(space.expel(device.group)).toBe(0);
    const kept = space.capabilities.outlivesGroups ? before : 0;
    expect(space.snapshot().mappings).toHaveLength(kept);
  });

  test('I8: a refusal leaves group and space as they were', () => {
    const { guest, device } = ready(kind, model);
    const space = guest.monitor.connect(device);
    act(guest, model, space, true);
    const before = guest.contents();
    const claimed = guest.assign(device.addressSpace);
    claimed.device.iommuGroup!.useDefaultDomain('a host driver');
    expect(space.accept(claimed.group)).toBeLessThan(0);
    expect(guest.contents()).toEqual(before);
    expect(claimed.group.opened).toBe(false);
    expect(claimed.device.iommuGroup!.domain.name).toBe('identity');
  });

  test('I9: what is locked is what is mapped, or registered, or promised; and nothing afterwards', () => {
    const { guest, device } = ready(kind, model);
    Object.assign(guest.host.process.credentials, { ipcLock: false, memlock: 2 ** 40 });
    const space = guest.monitor.connect(device);
    act(guest, model, space, true);
    const mapped = space.snapshot().mappings.reduce((sum, { size }) => sum + Number(size), 0);
    const { registersMemory, maxGroups } = space.capabilities;
    const tables = space.windows().length * 2 ** 21;
    if (kind === 'iommufd') {
      // Counted for the user rather than for the process.
      expect(userCharge(guest)).toBe(mapped);
      guest.monitor.disconnect(device);
      expect(userCharge(guest)).toBe(0);
      return;
    }
    if (registersMemory) expect(guest.host.process.lockedBytes).toBe(0x800000 + tables);
    else if (maxGroups === 1) expect(guest.host.process.lockedBytes).toBe(2 ** 31 + 2 ** 22);
    else expect(guest.host.process.lockedBytes).toBe(mapped);
    guest.monitor.disconnect(device);
    expect(guest.host.process.lockedBytes).toBe(0);
  });

  test('I10: what was mapped can be unmapped', () => {
    const { guest, device } = ready(kind, model);
    const space = guest.monitor.connect(device);
    act(guest, model, space, true);
    const [mapping] = space.snapshot().mappings;
    if (GUEST_VISIBLE.includes(model)) act(guest, model, space, false);
    else expect(space.unmap(Number(mapping!.iova), Number(mapping!.size))).toBeGreaterThan(0);
    expect(space.snapshot().mappings.map(({ iova }) => iova)).not.toContain(mapping!.iova);
  });

  test('I11: a space is filled from when its first group is in until before its last one leaves', () => {
    const order: string[] = [];
    const { guest, device } = ready(kind, model, {
      populate(space, assigned, options) {
        order.push(`fill with ${space.groups.length}`);
        const stop = model.populate(space, assigned, options);
        return () => {
          order.push(`stop with ${space.groups.length}`);
          stop();
        };
      },
    });
    guest.monitor.connect(device);
    guest.monitor.disconnect(device);
    expect(order).toEqual(['fill with 1', 'stop with 1']);
  });
});

describe.each(lacks)('%s does not serve %s', (kind, _name, missing, model) => {
  test(`for want of ${missing.join(' and ')}`, () => {
    const { guest, device } = ready(kind, model);
    for (const capability of missing)
      expect(() => guest.monitor.connect(device)).toThrow(
        new RegExp(`cannot serve ${model.name}: .*${capability}`),
      );
    expect(device.group.opened).toBe(false);
  });
});

describe('what a model needs depends on the guest', () => {
  test.each(
    MODELS.filter(({ name }) => !MISSING['type1 v2'][name]).map(
      (model) => [model.name, model] as const,
    ),
  )('I5: type1 v2 and iommufd lead to the same decisions: %s', (_name, model) => {
    const decisions = (['type1 v2', 'iommufd'] as const).map((kind) => {
      const { guest, device } = ready(kind, model);
      guest.monitor.connect(device);
      guest.monitor.connect(assign(guest, model, 1));
      return guest.monitor.decisions;
    });
    expect(decisions[0]).toEqual(decisions[1]);
  });

  test('a guest larger than the window of spapr v1 cannot be mapped as a whole', () => {
    const ram = [{ start: 0, end: 2 ** 32 }];
    const guest = new Guest('spapr-tce v1', MAP_ALL, { plan: { ram } });
    expect(() => guest.monitor.connect(guest.assign())).toThrow('ranges');
  });

  test('a guest that maps more than there is room for cannot be shadowed', () => {
    const guest = new Guest('type1 v2', SHADOW, { plan: { mappings: 70000 } });
    expect(() => guest.monitor.connect(guest.assign(guest.endpoint().addressSpace))).toThrow(
      'mappings: 70000 are needed, 65535 can be made',
    );
    const unlimited = new Guest('iommufd', SHADOW, { plan: { mappings: 70000 } });
    expect(() =>
      unlimited.monitor.connect(unlimited.assign(unlimited.endpoint().addressSpace)),
    ).not.toThrow();
  });

  test('a guest whose IOMMU has smaller pages than the host’s cannot be served', () => {
    const guest = new Guest('type1 v2', SHADOW, { plan: { guestPage: 2048 } });
    expect(() => guest.monitor.connect(guest.assign(guest.endpoint().addressSpace))).toThrow(
      'granularity',
    );
  });

  test('a bridge that names its group takes no second one; today’s makes another container', () => {
    const [named, today] = [NAMED_BRIDGE, PAPR_BRIDGE].map((model) => {
      const guest = new Guest('spapr-tce v1', model);
      const spaces = guest.bridges[0]!.addressSpace;
      guest.monitor.connect(guest.assign(spaces));
      return () => guest.monitor.connect(guest.assign(spaces));
    });
    expect(named!).toThrow('no space takes group');
    expect(today!).not.toThrow();
  });

  test('hosts offer every model by injection, and more can be added', () => {
    const host = new TestHost();
    host.services.register<UsageModel>(USAGE_MODELS, { useValue: { ...MAP_ALL, name: 'mine' } });
    const names = host.services.resolveAll<UsageModel>(USAGE_MODELS).map(({ name }) => name);
    expect(names).toEqual([
      'map-all',
      'papr-bridge',
      'named-bridge',
      'shadow',
      'nested',
      'explicit',
      'mine',
    ]);
  });
});
