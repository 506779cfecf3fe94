import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  describedMachines,
  describeMachine,
  Machine,
  openMachine,
  readDescription,
  shippedMachine,
} from '@vfiokit/host';
import { DeviceClient, VFIO_PCI_REQ_IRQ_INDEX, VfioError } from '@vfiokit/uapi';
import { describe, expect, test } from 'vitest';
import { A, B, G, H, P, pending, R, testbed, V, X } from './testbed.js';

describe('the machine of the reference', () => {
  test('boots into the state that the reference begins with', async () => {
    const { driverOf, read } = testbed();
    const drivers = Object.fromEntries(
      await Promise.all([A, B, P, V, R, G, H, X].map(async (name) => [name, await driverOf(name)])),
    );
    expect(drivers).toEqual({
      [A]: 'e1000e',
      [B]: undefined,
      [P]: 'mlx5_core',
      [V]: undefined,
      [R]: 'pcieport',
      [G]: undefined,
      [H]: 'snd_hda_intel',
      [X]: undefined,
    });
    expect(await read(`devices/${P}/sriov_numvfs`)).toBe('2\n');
    expect(await read(`devices/${V}/modalias`)).toBe(
      'pci:v000015B3d0000101Esv000015B3sd00000058bc02sc00i00\n',
    );
  });

  test('[binding:48] a device that is bound to vfio-pci has vfio-dev', async () => {
    const { override, bind, vfioDevices, sysfs } = testbed();
    await override(B, 'vfio-pci');
    expect(await bind('vfio-pci', B)).toBe(12);
    expect(await vfioDevices(B)).toEqual(['vfio0']);
    expect(await sysfs.list('/dev/vfio')).toEqual(['vfio', '11']);
  });

  test('[binding:49 binding:86] without a group the probe is EINVAL; drivers_probe says yes all the same', async () => {
    const { override, bind, probe, driverOf, read } = testbed();
    await override(X, 'vfio-pci');
    expect(await bind('vfio-pci', X)).toBe(-22);
    expect(await driverOf(X)).toBeUndefined();
    expect(await read(`devices/${X}/driver_override`)).toBe('vfio-pci\n');
    expect(await probe(X)).toBe(12);
    expect(await driverOf(X)).toBeUndefined();
  });

  test('[binding:50] a bridge is EINVAL', async () => {
    const { override, unbind, bind } = testbed();
    await override(R, 'vfio-pci');
    await unbind('pcieport', R);
    expect(await bind('vfio-pci', R)).toBe(-22);
  });

  test('[binding:51 binding:52] a PF that has VFs is EBUSY, without VFs it is taken', async () => {
    const { machine, override, unbind, bind, write } = testbed();
    await override(P, 'vfio-pci');
    const { pci } = machine;
    const driver = pci.drivers.get('mlx5_core')!;
    const { remove: _, ...careless } = driver;
    await write(`devices/${P}/sriov_numvfs`, '0');
    await unbind('mlx5_core', P);
    expect(await bind('vfio-pci', P)).toBe(12);
    // A driver that goes and leaves its VFs behind.
    await unbind('vfio-pci', P);
    await pci.unregister(driver);
    pci.register(careless);
    await override(P, '\n');
    await bind('mlx5_core', P);
    await write(`devices/${P}/sriov_numvfs`, '1');
    await override(P, 'vfio-pci');
    await unbind('mlx5_core', P);
    expect(await bind('vfio-pci', P)).toBe(-16);
  });

  test('[binding:53] what is known to break is EINVAL, unless the list is off', async () => {
    const denied = { at: '0000:06:00.0', ids: '8086:37c9', class: '0b4000' };
    const machine = (disableDenylist: boolean) =>
      new Machine(
        describeMachine({
          name: 'denied',
          architecture: 'x86_64',
          kernel: '7.2.12',
          functions: [denied],
        }),
        { disableDenylist },
      );
    const bind = async ({ sysfs }: Machine) => {
      await sysfs.write(`/sys/bus/pci/devices/${denied.at}/driver_override`, 'vfio-pci');
      return sysfs.write('/sys/bus/pci/drivers/vfio-pci/bind', denied.at);
    };
    expect(await bind(machine(false))).toBe(-22);
    expect(await bind(machine(true))).toBe(12);
  });

  test('[core:C9.4 core:C9.5] the parameter ids gives it devices without an override; a bad item is only logged', async () => {
    const machine = new Machine(
      describeMachine({
        name: 'wanted',
        architecture: 'x86_64',
        kernel: '7.2.12',
        functions: [
          { at: '0000:06:00.0', ids: '8086:1572', class: '020000' },
          { at: '0000:07:00.0', ids: '8086:1573', class: '020000' },
        ],
      }),
      { ids: '8086,8086:1572' },
    );
    for (const { at } of machine.description.functions)
      await machine.sysfs.write('/sys/bus/pci/drivers_probe', at);
    const driver = (at: string) => machine.sysfs.readLink(`/sys/bus/pci/devices/${at}/driver`);
    expect(await driver('0000:06:00.0')).toMatch(/vfio-pci$/);
    expect(await driver('0000:07:00.0')).toBe(-2);
    expect(machine.core.log.lines.map(({ text }) => text)).toContain('invalid id string "8086"');
  });
});

describe('a device that is in use', () => {
  const opened = async () => {
    const bed = testbed();
    await bed.override(V, 'vfio-pci');
    await bed.bind('vfio-pci', V);
    const user = bed.machine.open(V);
    const requests = { count: 0 };
    const client = new DeviceClient(user.device, user.process);
    const askFor = () =>
      client.setIrqs({
        index: VFIO_PCI_REQ_IRQ_INDEX,
        action: 'trigger',
        start: 0,
        eventfds: [
          () => {
            requests.count += 1;
          },
        ],
      });
    return { ...bed, user, requests, client, askFor };
  };

  test('[binding:70] an unbind waits, and asks for the device at once and every ten seconds', async () => {
    const { machine, unbind, user, requests, askFor } = await opened();
    askFor();
    const unbinding = unbind('vfio-pci', V);
    expect(await pending(unbinding)).toBe(true);
    const counts = [requests.count];
    for (const milliseconds of [9_999, 1, 9_999, 1]) {
      machine.clock.advance(milliseconds);
      counts.push(requests.count);
    }
    expect(counts).toEqual([1, 1, 2, 2, 3]);
    user[Symbol.dispose]();
    expect(await unbinding).toBe(12);
    machine.clock.advance(60_000);
    expect(requests.count).toBe(3);
  });

  test('[binding:70] the first request and every tenth after it stand in the log', async () => {
    const { machine, unbind, user, askFor } = await opened();
    askFor();
    const unbinding = unbind('vfio-pci', V);
    machine.clock.advance(205_000);
    const lines = machine.core.log.lines.filter(({ text }) => /request to user/.test(text));
    expect(lines.map(({ text }) => /#\d+/.exec(text)?.[0])).toEqual(['#0', '#10', '#20']);
    user[Symbol.dispose]();
    await unbinding;
  });

  test('[binding:71 binding:75] meanwhile it looks unbound, cannot be opened, and its user goes on', async () => {
    const { machine, unbind, probe, driverOf, vfioDevices, user, client } = await opened();
    const unbinding = unbind('vfio-pci', V);
    expect(await driverOf(V)).toBeUndefined();
    expect(await vfioDevices(V)).toBe(-2);
    expect(await probe(V)).toBe(12);
    expect(() => machine.open(V)).toThrow(VfioError);
    expect(client.readConfig(0x2c, 2)).toBe(0x15b3);
    user[Symbol.dispose]();
    await unbinding;
  });

  test('[binding:74] a signal to whoever writes does not end the wait', async () => {
    const { unbind, user, machine } = await opened();
    const unbinding = unbind('vfio-pci', V);
    machine.interruptRemoval(V, 'tee');
    machine.interruptRemoval(V, 'tee');
    expect(await pending(unbinding)).toBe(true);
    expect(machine.core.log.lines.filter(({ text }) => text.includes('tee'))).toHaveLength(1);
    user[Symbol.dispose]();
    await unbinding;
  });

  test('[binding:77] a user who does not want to be asked is warned of once; the unbind still waits', async () => {
    const { machine, unbind, user } = await opened();
    const unbinding = unbind('vfio-pci', V);
    machine.clock.advance(60_000);
    expect(
      machine.core.log.lines.filter(({ level, subject }) => level === 'warning' && subject === V),
    ).toHaveLength(1);
    expect(await pending(unbinding)).toBe(true);
    user[Symbol.dispose]();
    await unbinding;
  });

  test('[binding:80] its module cannot be unloaded', async () => {
    const { machine, driverOf, user } = await opened();
    await expect(machine.unloadModule('vfio_pci')).rejects.toMatchObject({ code: 'EBUSY' });
    expect(await driverOf(V)).toBe('vfio-pci');
    user[Symbol.dispose]();
    await machine.unloadModule('vfio_pci');
    expect(machine.core.modules.has('vfio_pci')).toBe(false);
  });

  test('the process that has it open is in /proc', async () => {
    const { text, user, sysfs } = await opened();
    expect(await text(`/proc/${user.pid}/fdinfo/21`)).toContain(
      `vfio-device-syspath: /sys/devices/pci0000:03/${V}`,
    );
    expect(await text(`/proc/${user.pid}/comm`)).toBe('qemu-system-x86\n');
    user[Symbol.dispose]();
    expect(await sysfs.list(`/proc/${user.pid}`)).toBe(-2);
  });
});

describe('groups', () => {
  test('[binding:117 binding:118] a group with an ordinary driver cannot be had; one that was had keeps them out', async () => {
    const { machine, override, bind, unbind, probe } = testbed();
    await override(G, 'vfio-pci');
    await bind('vfio-pci', G);
    expect(() => machine.open(G)).toThrow(expect.objectContaining({ code: 'EPERM' }));
    await unbind('snd_hda_intel', H);
    const user = machine.open(G);
    expect(await bind('snd_hda_intel', H)).toBe(-16);
    expect(await probe(H)).toBe(-22);
    await override(H, 'vfio-pci');
    expect(await bind('vfio-pci', H)).toBe(12);
    user[Symbol.dispose]();
  });

  test('[binding:119] a bind and an unbind leave the count of owners as it was', async () => {
    const { machine, bind, unbind } = testbed();
    const group = machine.group(B)!;
    await bind('e1000e', B);
    expect(group.holders).toHaveLength(1);
    await unbind('e1000e', B);
    expect(group.holders).toHaveLength(0);
  });

  test('[binding:128] the type of a group changes only when nobody uses it, and not by anybody', async () => {
    const { machine, sysfs, text, unbind } = testbed();
    const type = '/sys/kernel/iommu_groups/15/type';
    expect(await sysfs.write(type, 'identity')).toBe(-1);
    expect(await sysfs.write(type, 'bogus')).toBe(-22);
    expect(await sysfs.write(type, 'DMA-FQ')).toBe(6);
    machine.core.privileged = false;
    expect(await sysfs.write(type, 'identity')).toBe(-13);
    machine.core.privileged = true;
    await unbind('snd_hda_intel', H);
    expect(await sysfs.write(type, 'identity')).toBe(8);
    expect(await text(type)).toBe('identity\n');
  });
});

/** Somebody has a device open; how is not the point. */
function holdOpen(machine: Machine, name: string): () => void {
  const device = machine.vfio.device(machine.function(name))!;
  const file = device.open({ kind: 'cdev', bind: () => 0, unbind: () => {} } as never);
  return () => file.close();
}

describe('a PF on vfio-pci', () => {
  const pf = async (enableSriov: boolean) => {
    const bed = testbed({ enableSriov });
    await bed.write(`devices/${P}/sriov_numvfs`, '0');
    await bed.override(P, 'vfio-pci');
    await bed.unbind('mlx5_core', P);
    await bed.bind('vfio-pci', P);
    return bed;
  };

  test('[binding:122] has no VFs without the parameter; with it they are captured', async () => {
    expect(await (await pf(false)).write(`devices/${P}/sriov_numvfs`, '1')).toBe(-2);
    const { write, read, driverOf } = await pf(true);
    expect(await write(`devices/${P}/sriov_numvfs`, '1')).toBe(1);
    expect(await read(`devices/${V}/driver_override`)).toBe('vfio-pci\n');
    expect(await driverOf(V)).toBe('vfio-pci');
  });

  test('[binding:79] an unbind takes the VFs first, and waits for one that is in use', async () => {
    const { machine, write, unbind, sysfs } = await pf(true);
    await write(`devices/${P}/sriov_numvfs`, '1');
    const close = holdOpen(machine, V);
    const unbinding = unbind('vfio-pci', P);
    expect(await pending(unbinding)).toBe(true);
    close();
    expect(await unbinding).toBe(12);
    expect(await sysfs.list(`/sys/bus/pci/devices/${V}`)).toBe(-2);
    expect(machine.function(P).sriov?.numVfs).toBe(0);
  });
});

describe('descriptions', () => {
  test('malformed YAML is told with line and column', () => {
    expect(() => readDescription('name: x\nfunctions: [\n', 'm.yaml')).toThrow(
      /^m\.yaml:\d+:\d+: /,
    );
  });

  test.each([
    [
      'a: [1\n',
      'm.yaml:2:1: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
    [
      'a: *nowhere\n',
      'm.yaml: Unresolved alias (the anchor must be set before the alias): nowhere',
    ],
    ['', 'm.yaml:1:1: the machine: must be a map of keys, not null'],
    ['kernel: 7\n', 'm.yaml:1:9: kernel: must be string, not 7'],
    ['kernl: x\n', 'm.yaml:1:8: kernl: no such key'],
    ['kernel: "7"\n', 'm.yaml:1:1: architecture: is missing'],
  ])('%j is told in words of its own', (text, message) => {
    let told = '';
    try {
      readDescription(text, 'm.yaml');
    } catch (error) {
      told = (error as Error).message;
    }
    expect(told.split('\n')).toContain(message);
  });

  test('what does not fit is told with its path, line and column', () => {
    const text =
      'name: x\narchitecture: x86_64\nkernel: "7"\nfunctions:\n  - at: "00:02.0"\n    ids: "8086:46a6"\n    class: "030000"\n';
    expect(() => readDescription(text, 'm.yaml')).toThrow(
      'm.yaml:5:9: functions.0.at: must be an address such as "0000:00:02.0", in quotes',
    );
  });

  test('a function that stands there twice is refused, and so is a root that nobody provides', () => {
    const at = { at: '0000:00:02.0', ids: '8086:46a6', class: '030000' };
    const machine = { name: 'm', architecture: 'x86_64', kernel: '7' } as const;
    expect(() => describeMachine({ ...machine, functions: [at, at] })).toThrow(
      '0000:00:02.0 stands there twice',
    );
    expect(() => describeMachine({ ...machine, functions: [at], root: 'sda' })).toThrow(
      'no function provides "sda"',
    );
  });

  test.each(describedMachines())(
    '%s boots, and each of its functions is where its group says',
    async (name) => {
      const machine = new Machine(shippedMachine(name));
      const devices = await machine.sysfs.list('/sys/bus/pci/devices');
      expect((devices as string[]).length).toBeGreaterThanOrEqual(3);
      for (const device of devices as string[]) {
        const link = await machine.sysfs.readLink(`/sys/bus/pci/devices/${device}/iommu_group`);
        if (typeof link === 'number') continue;
        const members = await machine.sysfs.list(
          `/sys/kernel/iommu_groups/${link.split('/').at(-1)}/devices`,
        );
        expect(members).toContain(device);
      }
    },
  );

  test('is described in YAML or in JSON, told by how the file is called', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'vfiokit-described-'));
    const file = join(folder, 'bench.json');
    const bench = {
      name: 'bench',
      architecture: 'x86_64',
      kernel: '7.2.12',
      functions: [{ at: '0000:01:00.0', ids: '1234:0001', class: '120000' }],
    };
    try {
      writeFileSync(file, JSON.stringify(bench, null, 2));
      expect((await openMachine(file)).machine?.function('0000:01:00.0').vendor).toBe(0x1234);
      writeFileSync(file, JSON.stringify({ ...bench, kernel: 7 }, null, 2));
      await expect(openMachine(file)).rejects.toThrow(/bench\.json:4:13: kernel: /);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('what is no machine is told with those that there are', async () => {
    await expect(openMachine('x86-lapdog')).rejects.toThrow(
      /no such machine or file; .*x86-laptop/,
    );
  });
});

describe('modules', () => {
  test('are loaded with their drivers; those that are not there, or are blacklisted, are refused', () => {
    const machine = new Machine({ ...shippedMachine('x86-server'), blacklist: ['nouveau'] });
    expect(() => machine.loadModule('nouveau')).toThrow(expect.objectContaining({ code: 'EPERM' }));
    expect(() => machine.loadModule('no_such')).toThrow(
      expect.objectContaining({ code: 'ENOENT' }),
    );
  });

  test('an index lists what can be loaded, in the namespaces of the kernel', async () => {
    const { text } = testbed();
    const index = await text('/lib/modules/7.2.12/modules.alias');
    expect(index).toContain('alias pci:v00008086d000010D3sv*sd*bc*sc*i* e1000e\n');
    expect(index).toContain('alias vfio_pci:v*d*sv*sd*bc*sc*i* vfio_pci\n');
    expect(index).toContain('alias vfio_pci:v000015B3d0000101Esv*sd*bc*sc*i* mlx5_vfio_pci\n');
  });
});
