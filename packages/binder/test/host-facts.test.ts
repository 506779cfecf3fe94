import { findDevice, groupOf, readHost } from '@vfiokit/binder';
import type { Sysfs } from '@vfiokit/driver-model';
import { describe, expect, test } from 'vitest';
import { A, changed, G, H, onSysfs, planner, R, testbed } from './testbed.js';

const BEST = { policy: 'alias-best-match', mode: 'strict' } as const;

describe('what is known of a machine', () => {
  test('[binding:12] an override that reads (null) or nothing is none', async () => {
    const { sysfs, facts } = testbed();
    expect((await facts()).devices.get(A)?.override.value).toBeNull();
    const empty = changed(sysfs, { [`/sys/bus/pci/devices/${A}/driver_override`]: '\n' });
    expect((await readHost(empty)).devices.get(A)?.override.value).toBeNull();
  });

  test('[binding:138] addresses have long domains, and no form but the kernel’s is a name', async () => {
    const { sysfs } = testbed();
    const names = [
      '10000:e1:00.0',
      '12345678:00:00.0',
      '0000:01:20.0',
      '0000:01:00.8',
      '0000:AB:00.0',
      'power',
    ];
    const tree: Sysfs = {
      ...changed(sysfs, {}),
      list: async (path) => (path === '/sys/bus/pci/devices' ? names : sysfs.list(path)),
    };
    const host = await readHost(tree);
    expect([...host.devices.keys()]).toEqual(['10000:e1:00.0', '12345678:00:00.0']);
    expect(host.ignored).toEqual(['0000:01:20.0', '0000:01:00.8', '0000:AB:00.0', 'power']);
  });

  test('[binding:139] what is missing is unknown, and is told', async () => {
    const { sysfs } = testbed();
    const device = `/sys/bus/pci/devices/${A}`;
    const tree: Sysfs = {
      ...changed(sysfs, { [`${device}/driver_override`]: -2, [`${device}/modalias`]: -13 }),
      list: async (path) => {
        if (path === '/sys/kernel/iommu_groups') return -2;
        const names = await sysfs.list(path);
        return path === `${device}/` && typeof names !== 'number'
          ? names.filter((name) => name !== 'iommu_group')
          : names;
      },
      readLink: async (path) => (path === `${device}/iommu_group` ? -2 : sysfs.readLink(path)),
    };
    const facts = (await readHost(tree)).devices.get(A)!;
    expect(facts.override.value).toBeUndefined();
    expect(facts.group.value).toBeUndefined();
    expect(facts.modalias).toMatchObject({
      value: expect.stringContaining('pci:v00008086'),
      source: 'computed from the ids',
    });
    const decision = planner().plan(A, { ...(await onSysfs(tree).input()) }, BEST);
    expect(decision.unobserved).toEqual(
      expect.arrayContaining([`override of ${A}`, `group of ${A}`]),
    );
  });

  test('[binding:140] a configuration space that is cut to its header says nothing of capabilities', async () => {
    const { sysfs } = testbed();
    const path = `/sys/bus/pci/devices/${A}/config`;
    const whole = (await sysfs.read(path)) as Uint8Array;
    const tree: Sysfs = {
      ...changed(sysfs, {}),
      read: async (one) => (one === path ? whole.subarray(0, 64) : sysfs.read(one)),
    };
    expect((await readHost(tree)).devices.get(A)?.capabilitiesKnown).toBe(false);
    const { unobserved } = planner().plan(A, await onSysfs(tree).input(), BEST);
    expect(unobserved.join()).toContain(`capabilities of ${A}`);
  });

  test('[binding:114 binding:116] of a group the ordinary drivers are the offenders, not a port’s', async () => {
    const { facts } = testbed();
    const host = await facts();
    const group = groupOf(host, host.devices.get(G)!)!;
    expect(group.viable).toBe(false);
    expect(group.members.map(({ device, effect }) => [device.name, effect])).toEqual([
      [R, 'harmless'],
      [G, 'harmless'],
      [H, 'offender'],
    ]);
  });

  test.each([
    ['nothing', undefined],
    ['pci-stub', 'pci-stub'],
    ['vfio-pci', 'vfio-pci'],
  ])('[binding:115] bound to %s, a member is harmless', async (_, driver) => {
    const { write, facts } = testbed();
    await write('drivers/snd_hda_intel/unbind', H);
    if (driver !== undefined) {
      await write(`devices/${H}/driver_override`, driver);
      await write(`drivers/${driver}/bind`, H);
    }
    const host = await facts();
    expect(groupOf(host, host.devices.get(G)!)?.viable).toBe(true);
  });

  test('a device that is not there is told with the nearest that are', async () => {
    const { facts } = testbed();
    const host = await facts();
    expect(findDevice(host, '01:00.0').name).toBe(A);
    expect(() => findDevice(host, '0000:01:00.1')).toThrow(
      /no such device; did you mean 0000:01:00.0/,
    );
    expect(() => findDevice(host, 'eth0')).toThrow(/not a PCI address/);
    expect(() => findDevice(host, 'fedcba98:ff:1f.7')).toThrow(
      /no such device; there are \d+ others/,
    );
  });
});
