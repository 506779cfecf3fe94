import { readHost, readUsage } from '@vfiokit/binder';
import { describe, expect, test } from 'vitest';
import { fakeRoot } from './fake-root.js';
import { planner } from './testbed.js';

const NVME = '0000:04:00.0';
const AHCI = '0000:00:1f.2';
const NIC = '0000:01:00.0';
const devices = (place: string) => `../../devices/pci0000:00/${place}`;
const BEST = { policy: 'generic', mode: 'strict' } as const;

const MACHINE = {
  [`/sys/bus/pci/devices/${NVME}/class`]: '0x010802\n',
  [`/sys/bus/pci/devices/${AHCI}/class`]: '0x010601\n',
  [`/sys/bus/pci/devices/${NIC}/class`]: '0x020000\n',
  '/sys/bus/pci/drivers/vfio-pci/new_id': '',
  '/sys/block/nvme0n1': `-> ${devices(`${NVME}/nvme/nvme0/nvme0n1`)}`,
  '/sys/class/block/nvme0n1': `-> ${devices(`${NVME}/nvme/nvme0/nvme0n1`)}`,
  '/sys/class/block/nvme0n1p2': `-> ${devices(`${NVME}/nvme/nvme0/nvme0n1/nvme0n1p2`)}`,
  '/sys/block/sda': `-> ${devices(`${AHCI}/ata1/host0/target0:0:0/0:0:0:0/block/sda`)}`,
  '/sys/class/block/sda1': `-> ${devices(`${AHCI}/ata1/host0/target0:0:0/0:0:0:0/block/sda/sda1`)}`,
};

async function usageOf(files: Readonly<Record<string, string>>) {
  using root = fakeRoot({ ...MACHINE, ...files });
  const host = await readHost(root.sysfs);
  const usage = await readUsage(root.sysfs, host);
  const plan = (device: string) =>
    planner()
      .plan(device, { host, usage, index: undefined }, BEST)
      .guards.map(({ code }) => code);
  return { usage, plan };
}

describe('what carries file systems', () => {
  test('the root on a partition, another on another disk', async () => {
    const { usage, plan } = await usageOf({
      '/proc/mounts': '/dev/nvme0n1p2 / ext4 rw 0 0\n/dev/sda1 /srv xfs rw 0 0\n',
    });
    expect([[...usage.root], [...usage.mounts]]).toEqual([[NVME], [[AHCI, ['/srv']]]]);
    expect([plan(NVME), plan(AHCI), plan(NIC)]).toEqual([
      ['root-storage'],
      ['mounted-storage'],
      [],
    ]);
  });

  test('the root on a logical volume on an encrypted partition', async () => {
    const { usage } = await usageOf({
      '/proc/self/mounts': '/dev/mapper/vg-root / btrfs rw 0 0\n',
      '/sys/block/dm-1/dm/name': 'vg-root\n',
      '/sys/class/block/dm-1': '-> ../../block/dm-1',
      '/sys/block/dm-1/slaves/dm-0': '-> ../../dm-0',
      '/sys/block/dm-0/dm/name': 'luks-1234\n',
      '/sys/class/block/dm-0': '-> ../../block/dm-0',
      '/sys/block/dm-0/slaves/nvme0n1p2': '-> x',
    });
    expect([...usage.root]).toEqual([NVME]);
  });

  test('a root that can’t be followed may be on any disk, and on no card without one', async () => {
    const { usage, plan } = await usageOf({
      '/proc/mounts': '/dev/mapper/luks-f415 / btrfs rw 0 0\n',
    });
    expect(usage.untracedRoot).toBe('/dev/mapper/luks-f415');
    expect(usage.unobserved).toContain(
      'which disks /dev/mapper/luks-f415 is made of, the root file system',
    );
    expect([plan(NVME), plan(AHCI), plan(NIC)]).toEqual([['root-storage'], ['root-storage'], []]);
  });

  test('the root behind a controller that makes a bus of its own is that controller’s, too', async () => {
    const vmd = '0000:00:0e.0';
    const { usage } = await usageOf({
      '/proc/mounts': '/dev/nvme1n1 / ext4 rw 0 0\n',
      '/sys/class/block/nvme1n1': `-> ${devices(`${vmd}/pci10000:e0/10000:e0:1d.0/10000:e1:00.0/nvme/nvme1/nvme1n1`)}`,
    });
    expect([...usage.root]).toEqual([vmd, '10000:e0:1d.0', '10000:e1:00.0']);
  });

  test('a root on a pool of disks can’t be followed either', async () => {
    const { usage } = await usageOf({ '/proc/mounts': 'rpool/ROOT / zfs rw 0 0\n' });
    expect(usage.untracedRoot).toBe('rpool/ROOT');
  });

  test('a root in memory is on no disk', async () => {
    const { usage, plan } = await usageOf({ '/proc/mounts': 'rootfs / rootfs rw 0 0\n' });
    expect([usage.untracedRoot, plan(NVME)]).toEqual([undefined, []]);
  });
});

describe('what carries the way to the machine', () => {
  const ROUTE =
    'Iface\tDestination\tGateway\nbr0\t00000000\t0100A8C0\t0003\neth9\t0000A8C0\t00000000\t0001\n';
  const NET = {
    '/sys/devices/virtual/net/br0/lower_bond0.7': '-> ../bond0.7',
    '/sys/devices/virtual/net/bond0.7/lower_bond0': '-> ../bond0',
    '/sys/devices/virtual/net/bond0/lower_eth0': '-> x',
    '/sys/class/net/br0': '-> ../../devices/virtual/net/br0',
    '/sys/class/net/bond0.7': '-> ../../devices/virtual/net/bond0.7',
    '/sys/class/net/bond0': '-> ../../devices/virtual/net/bond0',
    '/sys/class/net/eth0': `-> ${devices(`${NIC}/net/eth0`)}`,
  };

  test('the default route of a bridge on a VLAN on a bond is the card’s', async () => {
    const { usage, plan } = await usageOf({ ...NET, '/proc/net/route': ROUTE });
    expect([...usage.network]).toEqual([[NIC, 'br0']]);
    expect(plan(NIC)).toEqual(['management-network']);
  });

  test('a default route of IPv6 alone counts as well, the unreachable one of lo does not', async () => {
    const zeros = '0'.repeat(32);
    const line = (name: string) => `${zeros} 00 ${zeros} 00 ${zeros} 00000400 1 0 3 ${name}\n`;
    const { usage } = await usageOf({
      ...NET,
      '/proc/net/route': 'Iface\tDestination\n',
      '/proc/net/ipv6_route': line('lo') + line('    eth0'),
    });
    expect([...usage.network]).toEqual([[NIC, 'eth0']]);
  });

  test('the interface that the operator comes in by counts where no routes can be read', async () => {
    using root = fakeRoot({ ...MACHINE, ...NET });
    const host = await readHost(root.sysfs);
    const usage = await readUsage(root.sysfs, host, 'eth0');
    expect([...usage.network]).toEqual([[NIC, 'eth0']]);
    expect((await readUsage(root.sysfs, host)).unobserved.join()).toContain('/proc/net/route');
  });
});
