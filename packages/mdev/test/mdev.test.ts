import { Device, Directory, DriverCore, ModelSysfs } from '@vfiokit/driver-model';
import { MdevBus, type MdevDevice, type MdevDriver, MdevParent } from '@vfiokit/mdev';
import { VfioError } from '@vfiokit/uapi';
import { describe, expect, it } from 'vitest';

const A = 'aaaaaaaa-0000-0000-0000-000000000000';
const B = 'bbbbbbbb-0000-0000-0000-000000000000';
const C = 'cccccccc-0000-0000-0000-000000000000';
const TYPE = '/sys/devices/virtual/gpu/mdev_supported_types/toy-half';

/** A parent with room for two, whose driver does what a test wants. */
function setUp(driver: Partial<MdevDriver> = {}, instances = 2) {
  const core = new DriverCore();
  const bus = new MdevBus(core);
  const device = new Device('gpu', core.root('virtual'));
  core.root('virtual').addChild(device);
  const toy: MdevDriver = {
    name: 'toy',
    deviceApi: 'vfio-pci',
    deviceAttributes: [{ name: 'size', mode: 0o444, show: () => 'half\n' }],
    probe: () => 0,
    ...driver,
  };
  bus.register(toy);
  const parent = new MdevParent(bus, {
    device,
    driver: toy,
    types: [{ name: 'half', prettyName: 'Half a GPU' }],
    instances,
  });
  const sysfs = new ModelSysfs(new Directory({ sys: core.sys }));
  const read = async (path: string) => {
    const bytes = await sysfs.read(path);
    return typeof bytes === 'number' ? bytes : Buffer.from(bytes).toString();
  };
  return { core, bus, parent, sysfs, read };
}

/** Users of devices, who let go of all of them at once. */
function users() {
  let letGo = () => {};
  const gone = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  return { remove: () => gone, letGo: () => letGo() };
}

describe('a parent', () => {
  it('shows its types, and is announced', async () => {
    const { core, read } = setUp();
    expect(await read(`${TYPE}/name`)).toBe('Half a GPU\n');
    expect(await read(`${TYPE}/device_api`)).toBe('vfio-pci\n');
    expect(await read(`${TYPE}/available_instances`)).toBe('2\n');
    expect(core.uevents.events.at(-1)).toMatchObject({
      action: 'change',
      devpath: '/devices/virtual/gpu',
      env: { MDEV_STATE: 'registered' },
    });
  });

  it('[derived:197] goes with all its devices, and makes none meanwhile', async () => {
    const { remove, letGo } = users();
    const { bus, core, parent, sysfs } = setUp({ remove }, 3);
    await sysfs.write(`${TYPE}/create`, A);
    await sysfs.write(`${TYPE}/create`, B);
    const gone = parent.unregister();
    expect(await sysfs.write(`${TYPE}/create`, C)).toBe(-19);
    expect(bus.devices.size).toBe(2);
    letGo();
    await gone;
    expect(bus.devices.size).toBe(0);
    expect(await sysfs.list(TYPE)).toBe(-2);
    expect(core.uevents.events.at(-1)).toMatchObject({ env: { MDEV_STATE: 'unregistered' } });
  });
});

it('a driver that does not say what its devices are can not be registered', () => {
  expect(() => setUp({ deviceApi: '' })).toThrow(expect.objectContaining({ code: 'EINVAL' }));
});

describe('create', () => {
  it('makes a device below its parent, bound to the parent’s driver', async () => {
    const { sysfs, read } = setUp();
    expect(await sysfs.write(`${TYPE}/create`, `${A.toUpperCase()}\n`)).toBe(37);
    const device = `/sys/devices/virtual/gpu/${A}`;
    expect(await sysfs.readLink(`/sys/bus/mdev/devices/${A}`)).toContain(`virtual/gpu/${A}`);
    expect(await sysfs.readLink(`${device}/driver`)).toContain('bus/mdev/drivers/toy');
    expect(await sysfs.readLink(`${device}/mdev_type`)).toBe('../mdev_supported_types/toy-half');
    expect(await read(`${device}/size`)).toBe('half\n');
    expect(await sysfs.list(`${TYPE}/devices`)).toEqual([A]);
  });

  it('[derived:194 derived:195] fails in the order of the kernel: malformed, taken, none left', async () => {
    const { sysfs } = setUp();
    const create = (text: string) => sysfs.write(`${TYPE}/create`, text);
    expect(await create(A.slice(1))).toBe(-22);
    expect(await create(`${A}\n\n`)).toBe(-22);
    expect(await create(A)).toBe(36);
    expect(await create(A)).toBe(-17);
    expect(await create(B)).toBe(36);
    expect(await create(A)).toBe(-17);
    expect(await create(C)).toBe(-87);
  });

  it('fails as the driver’s probe does, and leaves nothing behind', async () => {
    const { bus, sysfs, read } = setUp({ probe: () => -12 });
    expect(await sysfs.write(`${TYPE}/create`, A)).toBe(-12);
    expect(bus.devices.size).toBe(0);
    expect(await read(`${TYPE}/available_instances`)).toBe('2\n');
  });

  it('is the only way to bind', async () => {
    const { sysfs } = setUp();
    await sysfs.write(`${TYPE}/create`, A);
    expect(await sysfs.write('/sys/bus/mdev/drivers/toy/unbind', A)).toBe(36);
    expect(await sysfs.write('/sys/bus/mdev/drivers/toy/bind', A)).toBe(-19);
  });
});

describe('remove', () => {
  it('takes any number but 0', async () => {
    const { bus, sysfs } = setUp();
    await sysfs.write(`${TYPE}/create`, A);
    const remove = (text: string) => sysfs.write(`/sys/bus/mdev/devices/${A}/remove`, text);
    expect(await remove('0')).toBe(1);
    expect(await remove('x')).toBe(-22);
    expect(bus.devices.size).toBe(1);
    expect(await remove('2\n')).toBe(2);
    expect(bus.devices.size).toBe(0);
    expect(await remove('1')).toBe(-2);
  });

  it('[derived:196] waits for the device’s user; whoever comes second succeeds with nothing to do', async () => {
    const { remove, letGo } = users();
    let removals = 0;
    const { bus, sysfs } = setUp({
      remove: () => {
        removals += 1;
        return remove();
      },
    });
    await sysfs.write(`${TYPE}/create`, A);
    const path = `/sys/bus/mdev/devices/${A}/remove`;
    const removal = sysfs.write(path, '1');
    expect(await sysfs.write(path, '1')).toBe(1);
    expect(bus.devices.size).toBe(1);
    expect(() => bus.devices.get(A)!.remove()).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
    letGo();
    expect(await removal).toBe(1);
    expect(bus.devices.size).toBe(0);
    expect(removals).toBe(1);
  });

  it('is -ENODEV for a device that goes with its parent', async () => {
    const { remove, letGo } = users();
    const { bus, parent, sysfs } = setUp({ remove });
    await sysfs.write(`${TYPE}/create`, A);
    await sysfs.write(`${TYPE}/create`, B);
    const gone = parent.unregister();
    expect(await sysfs.write(`/sys/bus/mdev/devices/${B}/remove`, '1')).toBe(-19);
    letGo();
    await gone;
    expect(bus.devices.size).toBe(0);
  });

  it('is refused by a driver that refuses', async () => {
    const { bus, core, sysfs } = setUp({
      checkRemove: ({ uuid }: MdevDevice) => {
        throw new VfioError('EBUSY', `${uuid}: a guest uses it`);
      },
    });
    await sysfs.write(`${TYPE}/create`, A);
    expect(await sysfs.write(`/sys/bus/mdev/devices/${A}/remove`, '1')).toBe(-16);
    expect(core.log.lines.at(-1)).toEqual({
      level: 'warning',
      subject: A,
      text: 'a guest uses it',
    });
    expect(bus.devices.get(A)?.bound).toBe(true);
  });
});
