import type { Sysfs } from '@vfiokit/driver-model';
import { captureMachine, openMachine } from '@vfiokit/host';
import { DeviceClient, VFIO_PCI_BAR2_REGION_INDEX } from '@vfiokit/uapi';
import { describe, expect, test } from 'vitest';

const BUS = '/sys/bus/pci/devices';
const DISPLAY = ['0000:00:02.0', '0000:00:02.1'];

async function modelled() {
  const { sysfs } = await openMachine('vm-q35-sriov-vfio');
  return { capture: sysfs, machine: await captureMachine(sysfs, 'vm') };
}

/** What a file reads, or where a link leads to, of every function. */
async function all(sysfs: Sysfs, file: string): Promise<Record<string, string | number>> {
  const found: Record<string, string | number> = {};
  for (const name of [...((await sysfs.list(BUS)) as string[])].sort()) {
    const link = await sysfs.readLink(`${BUS}/${name}/${file}`);
    const bytes = await sysfs.read(`${BUS}/${name}/${file}`);
    if (typeof link === 'string') found[name] = link.split('/').at(-1)!;
    else found[name] = typeof bytes === 'number' ? bytes : new TextDecoder().decode(bytes);
  }
  return found;
}

describe('the recorded machine as a model', () => {
  test.each([
    'driver',
    'driver_override',
    'iommu_group',
    'physfn',
    'virtfn3',
    'modalias',
    'class',
    'reset_method',
    'sriov_numvfs',
  ])('every function has the %s that was recorded', async (file) => {
    const { capture, machine } = await modelled();
    expect(await all(machine.sysfs, file)).toEqual(await all(capture, file));
  });

  test.each(['0000:00:02.0', '0000:01:00.0', '0000:02:00.0'])(
    'the resources of %s are those that were recorded',
    async (name) => {
      const { capture, machine } = await modelled();
      const path = `${BUS}/${name}/resource`;
      expect(await machine.sysfs.read(path)).toEqual(await capture.read(path));
    },
  );

  test('its interfaces, disks and consoles have the names that were recorded', async () => {
    const { machine } = await modelled();
    const { sysfs } = machine;
    expect([
      await sysfs.list(`${BUS}/0000:01:10.4/net`),
      await sysfs.list(`${BUS}/0000:02:00.0/nvme`),
      await sysfs.list(`${BUS}/0000:00:02.0/graphics`),
    ]).toEqual([['eth3'], ['nvme0'], ['fb0']]);
  });

  test('both functions of a group are opened by one guest, whose name /proc tells', async () => {
    const { machine } = await modelled();
    for (const name of DISPLAY) {
      const driver = (await all(machine.sysfs, 'driver'))[name]!;
      await machine.sysfs.write(`${BUS}/${name}/driver_override`, 'vfio-pci');
      await machine.sysfs.write(`/sys/bus/pci/drivers/${driver}/unbind`, name);
      await machine.sysfs.write('/sys/bus/pci/drivers/vfio-pci/bind', name);
    }
    const user = machine.open(DISPLAY, 'qemu-system-x86_64', 'desktop');
    const client = new DeviceClient(user.device, user.process);
    expect(client.regionInfo(VFIO_PCI_BAR2_REGION_INDEX).size).toBe(4096);
    expect(user.devices.map(({ name }) => name)).toEqual(DISPLAY);
    const text = async (name: string) =>
      new TextDecoder().decode(
        (await machine.sysfs.read(`/proc/${user.pid}/${name}`)) as Uint8Array,
      );
    expect(await text('comm')).toBe('qemu-system-x86\n');
    expect(await text('cmdline')).toBe('qemu-system-x86_64\0-name\0guest=desktop\0');
    expect(await text('fdinfo/22')).toContain('0000:00:02.1\n');
    user[Symbol.dispose]();
    expect(await machine.sysfs.list(`/proc/${user.pid}`)).toBe(-2);
  });

  test('a device of another group is not opened with the rest, and nothing stays open', async () => {
    const { machine } = await modelled();
    expect(() => machine.open(['0000:01:10.0', '0000:01:10.2'])).toThrow();
    using again = machine.open('0000:01:10.0');
    expect(again.devices).toHaveLength(1);
  });
});

describe('a native driver of a model', () => {
  const command = async (machine: Awaited<ReturnType<typeof modelled>>['machine']) =>
    ((await machine.sysfs.read(`${BUS}/0000:00:02.1/config`)) as Uint8Array)[4]! & 0x7;

  test('switches its function on, and off again when it is unbound', async () => {
    const { machine } = await modelled();
    const bound = await command(machine);
    await machine.sysfs.write('/sys/bus/pci/drivers/snd_hda_intel/unbind', '0000:00:02.1');
    const unbound = await command(machine);
    await machine.sysfs.write('/sys/bus/pci/drivers/snd_hda_intel/bind', '0000:00:02.1');
    // Memory and bus mastering; without a driver the function still decodes, and masters nothing.
    expect([bound & 0x6, unbound & 0x4, (await command(machine)) & 0x6]).toEqual([6, 0, 6]);
  });
});
