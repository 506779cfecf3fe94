import { existsSync } from 'node:fs';
import { ModuleIndex, readHost, readUsage } from '@vfiokit/binder';
import { describeCapture, Machine, readCapture } from '@vfiokit/host';
import { describe, expect, test } from 'vitest';
import { IX2, onSysfs, planner } from './testbed.js';

const HOSTS = new URL('../../../../shared/hosts/', import.meta.url).pathname;
const BEST = { policy: 'alias-best-match', mode: 'strict' } as const;

describe.skipIf(!existsSync(HOSTS))('real machines (shared/hosts is not here)', () => {
  const captured = async (name: string) => {
    const sysfs = await readCapture(`${HOSTS}${name}`);
    const host = await readHost(sysfs);
    const index =
      (host.release && (await ModuleIndex.read(sysfs, host.release))) ||
      ModuleIndex.fromText(IX2, 'IX2');
    return { host, index, usage: await readUsage(sysfs, host) };
  };

  test('the graphics of a laptop wants vfio-pci, and what was not captured is told', async () => {
    const decision = planner().plan('0000:00:02.0', await captured('laptop-i7-1270p.tar.gz'), BEST);
    expect(decision.chosen?.name).toBe('vfio_pci');
    expect(decision.unobserved.join()).toContain('override of 0000:00:02.0');
    expect(decision.warnings).toContain(
      'whether 0000:00:02.0 shows the boot console is not known, and there is no other VGA',
    );
  });

  test('the disk of a laptop whose root can’t be followed through its encryption is guarded', async () => {
    const input = await captured('laptop-i7-1270p.tar.gz');
    const decision = planner().plan('0000:04:00.0', input, BEST);
    expect([decision.outcome, decision.guards.map(({ code }) => code)]).toEqual([
      'refused',
      ['root-storage'],
    ]);
    expect(decision.refusal).toContain('/dev/mapper/luks-f41579a2');
  });

  test('a VF of a capture that has no links of VFs is not taken for none', async () => {
    const input = await captured('server-xeon-igbvf.tar.gz');
    const decision = planner().plan('0000:05:10.0', input, BEST);
    expect(decision.unobserved).toContain('physfn of 0000:05:10.0');
    expect(decision.warnings.join()).toContain('the IOMMU group of 0000:05:10.0 is not known');
  });

  test.each([
    ['laptop-i7-1270p.tar.gz', 'x86_64', '/proc/cpuinfo'],
    ['vm-q35-sriov-vfio.tar.gz', 'x86_64', 'the kernel release ends in amd64'],
    ['pci-domain-32bit.tar.bz2', 'x86_64', '/proc/cpuinfo'],
  ])('the architecture of %s is %s by %s', async (name, value, source) => {
    const { host } = await captured(name);
    expect(host.architecture).toEqual({ value, source });
  });

  test('of the recorded machine a whole group is planned, and an endpoint beside a bridge', async () => {
    const input = await captured('vm-q35-sriov-vfio.tar.gz');
    const display = planner().plan('0000:00:02.0', input, { ...BEST, wholeGroup: true });
    expect(display.targets.map(({ device }) => device)).toEqual(['0000:00:02.0', '0000:00:02.1']);
    const bound = planner().plan('0000:01:10.0', input, BEST);
    expect(bound.outcome).toBe('nothing-to-do');
    const nic = planner().plan('0000:04:02.0', input, BEST);
    expect(nic).toMatchObject({ outcome: 'bind', group: { number: '10', viableNow: true } });
    const beside = planner().plan('0000:04:01.0', input, BEST);
    expect(beside.group?.members.map(({ action }) => action)).toEqual(['leave', 'keep', 'leave']);
    expect(beside.warnings).toEqual([
      '0000:04:02.0 of the same group has no driver: one that takes it before a user has the group keeps the user out',
    ]);
    const pf = planner().plan('0000:01:00.0', input, BEST);
    expect(pf.refusal).toContain('has VFs (4)');
  });

  test('[binding:206] a plan made from a capture, carried out on its model, ends as it says', async () => {
    const sysfs = await readCapture(`${HOSTS}vm-q35-sriov-vfio.tar.gz`);
    const machine = new Machine(await describeCapture(sysfs, 'vm'));
    const decision = planner().plan('0000:00:02.0', await captured('vm-q35-sriov-vfio.tar.gz'), {
      ...BEST,
      wholeGroup: true,
    });
    const model = onSysfs(machine.sysfs, machine);
    expect(await model.binder().bind(decision.targets)).toMatchObject({
      state: 'committed',
      failures: [],
    });
    for (const { device, driver } of decision.targets)
      expect((await model.live(device)).driver).toBe(driver);
    await model.binder().release();
    for (const { device, before } of decision.targets)
      expect(await model.live(device)).toEqual(before);
  });

  test.each([
    'laptop-i7-1270p.tar.gz',
    'server-xeon-igbvf.tar.gz',
    'server-i40e-ve.tar.bz2',
    'pci-domain-32bit.tar.bz2',
    'vm-q35-sriov-vfio.tar.gz',
  ])('every function of %s gets an answer under every policy', async (name) => {
    const input = await captured(name);
    for (const device of input.host.devices.keys())
      for (const policy of planner().policies) {
        const decision = planner().plan(device, input, { policy: policy.name, mode: 'strict' });
        expect(decision.outcome === 'refused' ? decision.refusal : decision.rule).toBeTruthy();
      }
  });
});
