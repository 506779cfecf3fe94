import {
  AuxiliaryBus,
  AuxiliaryDevice,
  type AuxiliaryDeviceSpec,
  type AuxiliaryDriver,
  auxiliaryDriverName,
  matchAuxiliary,
  Pairing,
} from '@vfiokit/aux-bus';
import {
  Directory,
  DriverCore,
  ModelSysfs,
  PciBusDevice,
  PciDriverBus,
} from '@vfiokit/driver-model';
import { describe, expect, test } from 'vitest';

function fixture() {
  const core = new DriverCore();
  const bus = new AuxiliaryBus(core);
  const sysfs = new ModelSysfs(new Directory({ sys: core.sys }));
  const parent = core.root('0000:07:00.0');
  const driver = (name: string, ...ids: string[]) => ({ name, ids, probe: () => 0 });
  const publish = (module: string, name: string, id: number) =>
    bus.publish({ module, name, id, parent });
  return { core, bus, sysfs, parent, driver, publish };
}

describe('the auxiliary bus', () => {
  test.each([
    ['[binding:240 derived:99]', 'foo', 'bar', 3, 'foo.bar', true],
    ['[binding:240 derived:99]', 'foo', 'bar', -3, 'foo.bar', true],
    ['[binding:240 derived:99]', 'foo', 'bar', 3, 'foo.bar.3', false],
    ['[binding:240 derived:100]', 'foo', 'bar', 3, 'foo', false],
    ['[binding:240 derived:100]', 'foo', 'bar', 3, 'foo.ba', false],
    ['[binding:241 derived:101]', 'foo', 'b.ar', 3, 'foo.b.ar', true],
    ['[binding:241 derived:101]', 'foo', 'b.ar', 3, 'foo.b', false],
  ])('%s %s.%s.%i and %s: %s', (_, module, name, id, entry, matches) => {
    const { parent } = fixture();
    const device = new AuxiliaryDevice({ module, name, id, parent });
    expect(device.name).toBe(`${module}.${name}.${id}`);
    expect(matchAuxiliary([entry], device) !== undefined).toBe(matches);
  });

  test('a table ends at an empty entry', () => {
    const { publish } = fixture();
    expect(matchAuxiliary(['', 'foo.bar'], publish('foo', 'bar', 0))).toBeUndefined();
  });

  test('[binding:242] the first driver for a name wins; unbind and bind switch; nothing holds it there', async () => {
    const { bus, sysfs, driver, publish } = fixture();
    bus.register(driver('first', 'foo.bar'));
    bus.register(driver('second', 'foo.bar'));
    const device = publish('foo', 'bar', 0);
    expect(device.driver?.name).toBe('first');
    await sysfs.write('/sys/bus/auxiliary/drivers/first/unbind', device.name);
    await sysfs.write('/sys/bus/auxiliary/drivers/second/bind', device.name);
    expect(device.driver?.name).toBe('second');
    await sysfs.write('/sys/bus/auxiliary/drivers/second/unbind', device.name);
    bus.register(driver('third', 'foo.bar'));
    expect(device.driver?.name).toBe('third');
  });

  test('[binding:243] children go when the driver of their parent lets the parent go', async () => {
    const { core, bus, sysfs, driver } = fixture();
    bus.register(driver('one', 'foo.bar'));
    const pci = new PciDriverBus(core);
    let child: AuxiliaryDevice | undefined;
    pci.register({
      name: 'foo',
      ids: [{ vendor: 0x15b3 }],
      probe: (parent) => {
        child = bus.publish({ module: 'foo', name: 'bar', id: 0, parent });
        return 0;
      },
      remove: () => bus.withdraw(child!),
    });
    const ids = {
      vendor: 0x15b3,
      device: 1,
      subsystemVendor: 0,
      subsystemDevice: 0,
      class: 0x020000,
    };
    await pci.add(new PciBusDevice('0000:07:00.0', { ...ids, revision: 0, headerType: 0 }));
    expect(child?.driver?.name).toBe('one');
    await sysfs.write('/sys/bus/pci/drivers/foo/unbind', '0000:07:00.0');
    expect(await sysfs.list('/sys/bus/auxiliary/devices')).toEqual([]);
    expect(child?.driver).toBeUndefined();
  });

  test('[binding:28] its devices have no driver_override', async () => {
    const { sysfs, publish } = fixture();
    const { name } = publish('foo', 'bar', 0);
    expect(await sysfs.write(`/sys/bus/auxiliary/devices/${name}/driver_override`, 'x')).toBe(-2);
  });

  test('its drivers have no dynamic ids', async () => {
    const { bus, sysfs, driver } = fixture();
    bus.register(driver('one', 'foo.bar'));
    expect(await sysfs.list('/sys/bus/auxiliary/drivers/one')).toEqual([
      'bind',
      'unbind',
      'uevent',
    ]);
  });

  test('[derived:106] a uevent carries the modalias', () => {
    const { core, publish } = fixture();
    publish('mlx5_core', 'eth', 0);
    expect(core.uevents.events.at(-1)).toMatchObject({
      env: { MODALIAS: 'auxiliary:mlx5_core.eth' },
    });
  });

  test.each([
    ['the driver', true],
    ['the device', false],
  ])('[derived:107] whichever comes second, a driver is asked: %s first', (_, driverFirst) => {
    const { bus, publish } = fixture();
    const asked: string[] = [];
    const driver = {
      name: 'asked',
      ids: ['foo.bar'],
      probe: ({ name }: AuxiliaryDevice, id: string) => asked.push(`${name} by ${id}`),
    };
    if (driverFirst) bus.register(driver);
    const device = publish('foo', 'bar', 0);
    if (!driverFirst) bus.register(driver);
    expect(asked).toEqual(['foo.bar.0 by foo.bar']);
    expect(device.driver?.name).toBe('asked');
  });

  test('[derived:108] a probe that fails leaves the device there, and unbound', () => {
    const { bus, publish } = fixture();
    bus.register({ name: 'broken', ids: ['foo.bar'], probe: () => -5 });
    const device = publish('foo', 'bar', 0);
    expect([bus.devices.get('foo.bar.0'), device.driver]).toEqual([device, undefined]);
  });

  test('[derived:105] a driver needs a table, of ids that are not too long, and a probe', () => {
    const { bus, driver } = fixture();
    for (const ids of [[], ['x'.repeat(40)]])
      expect(() => bus.register(driver('bad', ...ids))).toThrow(
        expect.objectContaining({ code: 'EINVAL' }),
      );
    // @ts-expect-error A driver without a probe is none.
    const lame: AuxiliaryDriver = { name: 'lame', ids: ['foo.bar'] };
    expect(lame).not.toHaveProperty('probe');
  });

  test.each([
    ['[derived:102] a parent: there is none', { parent: undefined }, 'EINVAL', 0],
    ['[derived:102] a name: there is none', { name: '' }, 'EINVAL', 0],
    ['[derived:103] a module: it is released', { module: '' }, 'EINVAL', 1],
    ['[derived:104] a name of its own: it is released', {}, 'EEXIST', 1],
  ])('a child that lacks %s', (_, lacking, code, times) => {
    const { bus, parent, publish } = fixture();
    publish('foo', 'bar', 0);
    let released = 0;
    const release = () => {
      released += 1;
    };
    const spec = { module: 'foo', name: 'bar', id: 0, parent, release, ...lacking };
    expect(() => bus.publish(spec as AuxiliaryDeviceSpec)).toThrow(
      expect.objectContaining({ code }),
    );
    expect(released).toBe(times);
    expect([...bus.devices.keys()]).toEqual(['foo.bar.0']);
  });

  test('[derived:103] the last reference releases a device', async () => {
    const { bus, parent } = fixture();
    let released = 0;
    const device = bus.publish({
      module: 'foo',
      name: 'bar',
      id: 0,
      parent,
      release: () => {
        released += 1;
      },
    });
    device.get();
    await bus.withdraw(device);
    expect(released).toBe(0);
    device.put();
    expect(released).toBe(1);
  });

  test('a driver is called by its module and its own name', () => {
    expect(auxiliaryDriverName('mlx5_vdpa', 'vnet')).toBe('mlx5_vdpa.vnet');
    expect(auxiliaryDriverName('mlx5_vdpa')).toBe('mlx5_vdpa');
  });
});

describe('pairing a function with its companion', () => {
  const setUp = () => {
    const { publish } = fixture();
    const parted: string[] = [];
    const pairing = new Pairing<number, string>({
      idOf: (routingId) => routingId,
      pair: (routingId, { name }) => `${routingId} with ${name}`,
      part: (whole) => parted.push(whole),
    });
    return { pairing, parted, companion: publish('mlx5_core', 'vfio_pci', 2048) };
  };

  test('makes the whole when both are there, in either order', () => {
    const { pairing, companion } = setUp();
    pairing.addFunction(2048);
    expect(pairing.wholes.size).toBe(0);
    pairing.addCompanion(companion);
    expect(pairing.wholes.get(2048)).toBe('2048 with mlx5_core.vfio_pci.2048');
    pairing.removeFunction(2048);
    expect(pairing.hasCompanion(2048)).toBe(true);
    pairing.addFunction(2048);
    expect(pairing.wholes.size).toBe(1);
  });

  test('ends it when either leaves', () => {
    const { pairing, parted, companion } = setUp();
    pairing.addCompanion(companion);
    pairing.addFunction(2048);
    pairing.removeCompanion(companion);
    expect(parted).toHaveLength(1);
    expect(pairing.hasCompanion(2048)).toBe(false);
    expect(pairing.wholes.size).toBe(0);
  });
});
